"""Random VEC and TRANSPOSE instructions on one core, and what they must do: values and cycles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator import isa
from simulator.interpreter.core import Core
from simulator.interpreter.instruction import instructions
from simulator.interpreter.transfers import transpose
from simulator.interpreter.vector import vec
from simulator.isa import OPERANDS, REDUCING, Flag, Function, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.timing import instruction_times

Words = npt.NDArray[np.uint32]

CONVERSIONS = {
    Function.TO_BFLOAT16: (2, 1),
    Function.FLOAT32_FROM_INT32: (2, 2),
    Function.FLOAT32_FROM_INT8: (0, 2),
    Function.INT32_FROM_FLOAT32: (2, 2),
    Function.INT32_FROM_INT8: (0, 2),
}
"""log2 of the bytes of an element read and written, where they are not both 2."""

INTEGER = frozenset(
    {
        Function.NEGATIVE, Function.ABSOLUTE, Function.SIGN, Function.ADD, Function.SUBTRACT,
        Function.MAXIMUM, Function.MINIMUM, Function.EQUAL, Function.NOT_EQUAL, Function.LESS,
        Function.LESS_EQUAL, Function.SELECT, *REDUCING,
    }
)  # fmt: skip
"""Functions that exist for int32."""

_SPECIAL = np.array(
    [
        0, 0x80000000, 1, 0x80000001, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F7FFFFF, 0x00800000, 0x3F800000,
        0xBF800000,
    ],
    np.uint32,
)  # fmt: skip


def float_words(rng: np.random.Generator, n: int) -> Words:
    """Float32 bits: mostly ordinary numbers, some small integers, some special values, canonical NaNs."""
    ordinary = rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4, n)
    words = ordinary.astype(np.float32).view(np.uint32)
    kind = rng.random(n)
    words = np.where(kind < 0.15, rng.choice(_SPECIAL, n), words)
    words = np.where(kind > 0.85, rng.integers(-4, 5, n).astype(np.float32).view(np.uint32), words)
    return words.astype(np.uint32)


class Generator:
    """Random instructions whose destination overlaps an operand only where a program may do that."""

    def __init__(self, rng: np.random.Generator, core: Core) -> None:
        self.rng = rng
        self.core = core
        self.width = core.width
        self.granules = core.buffer.granules
        self.acc_lines = core.accumulators.granules // 4

    def program(self, n: int, functions: Sequence[Function] = ()) -> isa.Records:
        """``n`` instructions, every third a TRANSPOSE (none, if functions are named)."""
        records = np.zeros(n, isa.INSTRUCTION_DTYPE)
        previous: set[int] = set()  # written by TRANSPOSEs that may still be under way
        for index in range(n):
            if not functions and self.rng.random() < 0.33:
                fields, written = self._transpose(previous)
                previous |= written
            else:
                fields = self.vec(Function(self.rng.choice(functions or list(Function))))
                previous = set()
            for name, value in fields.items():
                records[index][name] = value
        return records

    def _place(self, item: int, lines: int) -> int:
        return int(self.rng.integers((self.granules >> item) - lines + 1)) << item

    def _lines(self, address: int, item: int, rows: int, panels: int, stride: int) -> set[int]:
        return {
            address + ((p * stride + r) << item) + g
            for p in range(panels)
            for r in range(rows)
            for g in range(1 << item)
        }

    def _transpose(self, busy: set[int]) -> tuple[dict[str, int], set[int]]:
        while True:
            item, rows, tail = int(self.rng.integers(3)), *map(int, self.rng.integers(1, self.width + 1, 2))
            source, target = self._place(item, rows), self._place(item, tail)
            read = self._lines(source, item, rows, 1, 0)
            if not (read & busy):
                break
        fields = {"opcode": int(Opcode.TRANSPOSE), "item": item, "rows": rows, "tail": tail, "panels": 1}
        return fields | {"src0": source, "dst": target}, self._lines(target, item, tail, 1, 0)

    def vec(self, function: Function) -> dict[str, int]:
        """One VEC."""
        rng = self.rng
        flags, item = Flag.NONE, 2
        if function is Function.COPY:
            item = int(rng.integers(3))
        if function in INTEGER and rng.random() < 0.35:
            flags |= Flag.INTEGER
        if function in REDUCING and rng.random() < 0.4:
            flags |= Flag.ACCUMULATE
        read_item, write_item = CONVERSIONS.get(function, (item, item))
        while True:
            rows, panels = int(rng.integers(1, 6)), int(rng.integers(1, 4))
            fields = self._operands(function, flags, read_item, rows, panels)
            fields |= {"opcode": int(Opcode.VEC), "function": int(function), "item": item}
            fields |= {"rows": rows, "panels": panels, "tail": int(rng.integers(1, self.width + 1))}
            written_rows = 1 if function in REDUCING else rows
            stride = int(rng.integers(written_rows, written_rows + 3))
            fields["dst_stride"] = stride
            fields["dst"] = self._place(write_item, (panels - 1) * stride + written_rows)
            if rng.random() < 0.3 and function not in REDUCING and read_item == write_item:
                self._in_place(fields, OPERANDS.get(function, 1))
            if self._is_sound(fields, function, read_item, write_item, written_rows):
                return fields

    def _operands(self, function: Function, flags: Flag, item: int, rows: int, panels: int) -> dict[str, int]:
        rng, fields = self.rng, {}
        for k in range(OPERANDS.get(function, 1)):
            stride = int(rng.integers(0, rows + 3))
            lines = (panels - 1) * stride + rows
            if item == 2 and rng.random() < 0.25:
                flags |= Flag.SRC0_ACCUMULATOR << k
                fields[f"src{k}"] = int(rng.integers(self.acc_lines - lines + 1))
            else:
                fields[f"src{k}"] = self._place(item, lines)
            if rng.random() < 0.2 and not flags & Flag.ACCUMULATE:  # the interpreter has no such reduction
                flags |= Flag.SRC0_REPLICATE << k
            if rng.random() < 0.2 and function not in REDUCING:
                flags |= Flag.SRC0_SAME_ROW << k
            fields[f"src{k}_stride"] = stride
        return fields | {"flags": int(flags)}

    def _in_place(self, fields: dict[str, int], operands: int) -> None:
        k = int(self.rng.integers(operands))
        if not fields["flags"] & (Flag.SRC0_ACCUMULATOR << k) and fields[f"src{k}_stride"] >= fields["rows"]:
            fields["dst"], fields["dst_stride"] = fields[f"src{k}"], fields[f"src{k}_stride"]

    def _is_sound(self, f: dict[str, int], function: Function, item: int, write_item: int, rows: int) -> bool:
        written = self._lines(f["dst"], write_item, rows, f["panels"], f["dst_stride"])
        for k in range(OPERANDS.get(function, 1)):
            if f["flags"] & (Flag.SRC0_ACCUMULATOR << k):
                continue
            same_row = bool(f["flags"] & (Flag.SRC0_SAME_ROW << k))
            replicated = bool(f["flags"] & (Flag.SRC0_REPLICATE << k))
            source, stride = f[f"src{k}"], f[f"src{k}_stride"]
            read = self._lines(source, item, 1 if same_row else f["rows"], f["panels"], stride)
            in_place = (f["dst"], f["dst_stride"], write_item) == (source, stride, item)
            if read & written and (not in_place or same_row or replicated or function in REDUCING):
                return False
        return True


class Case(NamedTuple):
    """A program, the memories before and after it, and its instructions' intervals."""

    records: isa.Records
    gaps: npt.NDArray[np.int64]
    buffer: npt.NDArray[np.uint8]
    accumulators: Words
    result: npt.NDArray[np.uint8]
    hashes: npt.NDArray[np.int64]  # of the buffer behind each instruction
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


def make_case(
    machine: SystolicMachine,
    seed: int,
    n: int,
    foreign_nans: bool = False,
    functions: Sequence[Function] = (),
    negative_zeros: float = 0.0,
) -> Case:
    """A random program with its values (interpreter) and cycles (timing).

    ``functions``, if any are named, are the only ones in it; ``negative_zeros`` is their share of the data.
    """
    rng = np.random.default_rng(seed)
    core = Core(machine, {}, seed)
    for memory in (core.buffer, core.accumulators):
        words = float_words(rng, len(memory.data) // 4)
        if foreign_nans:
            words[rng.random(len(words)) < 0.05] |= np.uint32(0x7F800001)
        words[rng.random(len(words)) < negative_zeros] = 0x80000000
        memory.data[...] = words.view(np.uint8)
    records = Generator(rng, core).program(n, functions)
    gaps = np.where(rng.random(n) < 0.2, rng.integers(0, 40, n), 0)
    buffer, accumulators = core.buffer.data.copy(), core.accumulators.data.view(np.uint32).copy()
    weights = np.cumprod(np.r_[1, np.full(len(buffer) - 1, 31)], dtype=np.uint64).astype(np.uint32)
    hashes = np.zeros(n, np.int64)
    for index, instruction in enumerate(instructions(records)):
        step = vec if instruction.opcode == Opcode.VEC else transpose
        with np.errstate(all="ignore"):
            step(core, instruction)()
        hashes[index] = np.sum(core.buffer.data * weights, dtype=np.uint32)
    start, end = _intervals(machine, records, gaps)
    return Case(records, gaps, buffer, accumulators, core.buffer.data.copy(), hashes, start, end)


def _intervals(machine: SystolicMachine, records: isa.Records, gaps: npt.NDArray[Any]) -> tuple[Any, Any]:
    """When the bench starts and the RTL ends each instruction.

    It offers an instruction one cycle and its gap after the last start; another unit's waits for all ends.
    """
    occupancy, latency = instruction_times(machine, records)
    opcode = records["opcode"]
    start = np.zeros(len(records), np.int64)
    end = np.zeros(len(records), np.int64)
    latest = 0
    for i in range(len(records)):
        if i:
            start[i] = start[i - 1] + 1 + gaps[i]
            if opcode[i] == opcode[i - 1]:
                start[i] = max(start[i], start[i - 1] + occupancy[i - 1])
            else:
                start[i] = max(start[i], latest)
        end[i] = start[i] + latency[i]
        latest = max(latest, int(end[i]))
    return start, end
