"""Which instruction's results differ first, and how: bytes that differ, by who wrote them last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.cosim.images import Bytes, Memories
from simulator.cosim.names import around, instruction_name
from simulator.cosim.writes import (
    ACCUMULATORS,
    NOBODY,
    UNDER_WAY,
    UNIFIED_BUFFER,
    Target,
    last_writers,
    target_of,
)
from simulator.isa import UNIT_NAMES, Flag, Function, Opcode, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.trace import Trace

ON_CHIP = (UNIFIED_BUFFER, ACCUMULATORS)
_AROUND = 3  # elements, and instructions of the unit, shown on either side
_INTEGER_RESULTS = (Function.INT32_FROM_FLOAT32, Function.INT32_FROM_INT8)


@dataclass(frozen=True)
class _Found:
    """An instruction with a wrong result that nothing has overwritten: its elements, and which differ."""

    index: int
    target: Target
    elements: npt.NDArray[np.int64]  # first bytes, (panels, rows, count)
    wrong: npt.NDArray[np.bool_]


def bit_report(
    machine: SystolicMachine,
    program: Program,
    model: Trace,
    ours: Memories,
    expected: Memories,
    until: int | None = None,
) -> tuple[str, int]:
    """The earliest instruction whose result differs, its first wrong element, and what lies around both.

    ``until``: the memories are those of that cycle. Only those on chip are compared then, and of them what no
    instruction under way is about to write.

    Returns:
        The report, empty if nothing differs, and the number of the instruction (``NOBODY``: none).
    """
    left, right = ours.named(), expected.named()
    if until is not None:
        left, right = ({name: given[name] for name in ON_CHIP} for given in (left, right))
    writers = last_writers(program, machine, model, {name: len(data) for name, data in left.items()}, until)
    differ = {name: (left[name] != right[name]) & (writers[name] != UNDER_WAY) for name in left}
    if not any(wrong.any() for wrong in differ.values()):
        return "", NOBODY
    guilty = np.unique(np.concatenate([writers[name][wrong] for name, wrong in differ.items()]))
    total = sum(int(np.count_nonzero(wrong)) for wrong in differ.values())
    ends = model.events["end"]
    by_time = sorted((int(i) for i in guilty if i != NOBODY), key=lambda i: (ends[i], i))
    if not by_time:
        name, wrong = next((name, wrong) for name, wrong in differ.items() if wrong.any())
        byte = int(np.flatnonzero(wrong)[0])
        return (
            f"{total} bytes differ that no instruction writes in the model; first: {name}, byte {byte}: "
            f"0x{left[name][byte]:02x} in RTL, 0x{right[name][byte]:02x} in the model"
        ), NOBODY
    first = _found(program, machine, by_time[0], writers, differ)
    at = tuple(int(i) for i in np.argwhere(first.wrong)[0])
    place = int(first.elements[at])
    values = [_value(program, first, memory[first.target.memory], place) for memory in (left, right)]
    unit = UnitId(int(model.events["unit"][first.index]))
    lines = [
        f"{total} bytes differ, in the results of {len(by_time)} of {len(program)} instructions; "
        f"first in time: {instruction_name(program, first.index)} of {UNIT_NAMES[unit]}, "
        f"{_where(at)} ({first.target.memory}, byte {place}): {values[0]} in RTL, {values[1]} in the model",
        *_elements(program, first, at, left, right),
        *_instructions(program, machine, model, first.index, writers, differ),
    ]
    if NOBODY in guilty:
        lines.append("  Other bytes differ that no instruction writes in the model.")
    return "\n".join(lines), first.index


def _found(
    program: Program,
    machine: SystolicMachine,
    index: int,
    writers: dict[str, npt.NDArray[np.int64]],
    differ: dict[str, npt.NDArray[np.bool_]],
) -> _Found:
    target = target_of(program, machine, index)
    assert target is not None
    elements = target.elements()
    wrong = np.zeros(elements.shape, np.bool_)
    mine = differ[target.memory] & (writers[target.memory] == index)
    for byte in range(1 << target.item):
        wrong |= mine[np.maximum(elements, 0) + byte]
    return _Found(index, target, elements, wrong & (elements >= 0))


def _where(at: tuple[int, ...]) -> str:
    panel, row, element = at
    return (f"panel {panel}, " if panel else "") + f"row {row}, element {element}"


def _value(program: Program, found: _Found, memory: Bytes, place: int) -> str:
    """Hexadecimal, and what it stands for."""
    size = 1 << found.target.item
    raw = memory[place : place + size].tobytes()
    shown = f"0x{raw[::-1].hex()}"
    if size == 1:
        return f"{shown} ({np.frombuffer(raw, np.int8)[0]})"
    if size == 4 and _is_integer(program, found.index):
        return f"{shown} ({np.frombuffer(raw, '<i4')[0]})"
    return f"{shown} ({np.frombuffer(raw.rjust(4, bytes(1)), '<f4')[0]!s})"


def _is_integer(program: Program, index: int) -> bool:
    record = program.records[index]
    if record["opcode"] == Opcode.VEC and Function(int(record["function"])) in _INTEGER_RESULTS:
        return True
    return bool(int(record["flags"]) & Flag.INTEGER)


def _elements(
    program: Program, found: _Found, at: tuple[int, ...], left: dict[str, Bytes], right: dict[str, Bytes]
) -> list[str]:
    """The elements of the same line around the first wrong one."""
    panel, row, middle = at
    places, wrong = found.elements[panel, row], found.wrong[panel, row]
    name = found.target.memory
    lines = [f"  {'element':<44} {'rtl':>28} {'model':>28}"]
    for element in range(max(0, middle - _AROUND), min(len(places), middle + _AROUND + 1)):
        if places[element] < 0:
            continue
        mark = ">" if element == middle else "!" if wrong[element] else " "
        values = [
            f"{_value(program, found, memory[name], int(places[element])):>28}" for memory in (left, right)
        ]
        lines.append(f"{mark} {_where((panel, row, element)):<44} {' '.join(values)}")
    return lines


def _instructions(
    program: Program,
    machine: SystolicMachine,
    model: Trace,
    index: int,
    writers: dict[str, npt.NDArray[np.int64]],
    differ: dict[str, npt.NDArray[np.bool_]],
) -> list[str]:
    """The instructions of the same unit around the first one with a wrong result."""
    lines = [f"  {'instruction':<44} {'start end in the model':>28} {'elements: still there, wrong':>28}"]
    for i in around(model, index, _AROUND):
        times = f"{model.events['start'][i]} {model.events['end'][i]}"
        counts, wrong = "-", 0
        target = target_of(program, machine, i)
        if target is not None and target.memory in writers:
            found = _found(program, machine, i, writers, differ)
            owned = writers[found.target.memory][np.maximum(found.elements, 0)] == i
            wrong = int(np.count_nonzero(found.wrong))
            counts = f"{np.count_nonzero(owned & (found.elements >= 0))} {wrong}"
        mark = ">" if i == index else "!" if wrong else " "
        lines.append(f"{mark} {instruction_name(program, i):<44} {times:>28} {counts:>28}")
    return lines
