"""A fused program as the words of the native core: places and slots for its values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.numerics import encode
from simulator.numerics.broadcasting import Broadcast, broadcast_rows
from simulator.numerics.encode import Instruction, Place, Placed
from simulator.numerics.fusion import Program
from simulator.numerics.lowering import Value
from simulator.numerics.signatures import Shape


def encode_program(program: Program, values: Sequence[Value], buffers: Mapping[int, int]) -> encode.Words:
    """The program's record. Its values without a buffer live in slots."""
    rows = broadcast_rows([shape for _, shape in program.loads], program.shape)
    assert rows is not None, "fusion sees to it"
    index: dict[object, int] = {load: position for position, load in enumerate(program.loads)}
    index |= {value: len(program.loads) + i for i, value in enumerate(program.writes)}
    inside = set(program.writes)
    steps = [
        Instruction(
            step.function,
            index[step.writes],
            tuple(
                index[value if value in inside else (value, shape)]
                for value, shape in zip(step.reads, step.shapes, strict=True)
            ),
        )
        for step in program.steps
    ]
    slots = _Slots()
    placed: list[Placed] = []
    for i, (value, _) in enumerate(program.loads):
        where = _place(rows, i)
        slot = slots.take() if where != Place.ALL else 0
        placed.append(Placed(where, values[value].item_bytes, buffers[value], slot))
    last = {operand: position for position, step in enumerate(steps) for operand in step.operands}
    for position, (value, step) in enumerate(zip(program.writes, steps, strict=True)):
        if value in buffers:
            placed.append(Placed(Place.ALL, values[value].item_bytes, buffers[value]))
        else:
            placed.append(Placed(Place.SLOT, values[value].item_bytes, slot=slots.take()))
        # Only now: a function's result never lies where an operand of it lies.
        for operand in set(step.operands):
            if last[operand] == position and placed[operand].place == Place.SLOT:
                slots.free(placed[operand].slot)
    return encode.compute(rows.outer, rows.inner, placed, steps)


class _Slots:
    """Slots of scratch memory, the lowest free one first."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._count = 0

    def take(self) -> int:
        if self._free:
            return self._free.pop()
        self._count += 1
        return self._count - 1

    def free(self, slot: int) -> None:
        self._free.append(slot)


def _place(rows: Broadcast, operand: int) -> Place:
    step, repeated = rows.steps[operand]
    if repeated:
        return Place.COLUMN if step else Place.ONE
    return Place.ALL if rows.outer == 1 or step else Place.ROW


def encode_function(
    function: int, operands: Sequence[tuple[int, Shape]], shape: Shape, result_bytes: int
) -> encode.Words:
    """A program of one function of buffers 0, 1, ... (bytes of an element and shape) into the next buffer."""
    rows = broadcast_rows([operand for _, operand in operands], shape)
    assert rows is not None, "the caller broadcasts what needs more than rows and columns"
    placed = [Placed(_place(rows, i), bytes_, buffer=i, slot=i) for i, (bytes_, _) in enumerate(operands)]
    result = len(operands)
    placed.append(Placed(Place.ALL, result_bytes, buffer=result))
    return encode.compute(
        rows.outer, rows.inner, placed, [Instruction(function, result, tuple(range(result)))]
    )
