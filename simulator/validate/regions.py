"""The lines of every memory that each instruction reads and writes, in granules (accumulators: in lines)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from simulator.isa import OPERANDS, REDUCING, Flag, Function, Opcode, memory_address, sub_lines
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space
from simulator.validate.messages import fail

Numbers = npt.NDArray[np.int64]

BUFFER, ACCUMULATORS, OFF_CHIP = 0, 1, 2  # memories; an off-chip space is OFF_CHIP + space
WHOLE_LINE = -1  # instead of a sub-line
MEMORY_NAMES = ("the unified buffer", "the accumulators", *(space.name for space in Space))
FIELD_NAMES = ("dst", "src0", "src1", "src2", "memory")

REGION_DTYPE = np.dtype(
    [
        ("instruction", np.int64),
        ("memory", np.int64),
        ("write", np.bool_),
        ("field", np.int64),  # index into FIELD_NAMES
        ("base", np.int64),
        ("panels", np.int64),
        ("length", np.int64),  # consecutive granules (lines) of a panel
        ("stride", np.int64),  # granules (lines) from panel to panel
        ("sub", np.int64),  # sub-line of the accumulators, or WHOLE_LINE
        ("adds", np.bool_),  # a write that reads first
    ]
)
"""Sorted by instruction, what is read before what is written. Panels without a gap are one."""


@dataclass(frozen=True)
class Block:
    """One operand of a group of instructions, in lines of ``granules`` granules each."""

    field: str
    write: bool
    memory: Any
    base: Numbers
    rows: Any
    granules: Any = 1
    panels: Any = 1
    stride: Any = 0
    sub: Any = WHOLE_LINE
    adds: Any = False


@final
class _Builder:
    """Collects blocks, checking that each lies in its memory and is aligned."""

    def __init__(self, program: Program, machine: SystolicMachine) -> None:
        self.program, self.machine = program, machine
        off_chip = [program.memory_granules.get(space, 0) for space in Space]
        self._limits = np.array([machine.buffer_granules, machine.accumulators.lines, *off_chip])
        self.parts: list[npt.NDArray[Any]] = []

    def add(self, chosen: Numbers, block: Block) -> None:
        part = np.zeros(len(chosen), REGION_DTYPE)
        part["instruction"], part["memory"], part["write"] = chosen, block.memory, block.write
        part["field"] = FIELD_NAMES.index(block.field)
        part["base"], part["panels"] = block.base, block.panels
        part["length"] = np.asarray(block.rows, np.int64) * block.granules
        part["stride"] = np.asarray(block.stride, np.int64) * block.granules
        part["sub"], part["adds"] = block.sub, block.adds
        self._check(part, np.broadcast_to(np.asarray(block.granules), len(chosen)))
        joined = (part["panels"] == 1) | (part["stride"] == part["length"])
        part["length"] *= np.where(joined, part["panels"], 1)
        part["panels"][joined] = 1
        self.parts.append(part)

    def _check(self, part: npt.NDArray[Any], granules: Numbers) -> None:
        crooked = part["base"] % granules != 0
        if crooked.any():
            first = int(np.argmax(crooked))
            self._fail(part[first], f"a multiple of {int(granules[first])} is allowed")
        beyond = part["base"] + (part["panels"] - 1) * part["stride"] + part["length"]
        outside = beyond > self._limits[part["memory"]]
        if outside.any():
            first = int(np.argmax(outside))
            memory = int(part["memory"][first])
            kind = "lines" if memory == ACCUMULATORS else "granules"
            has = f"{MEMORY_NAMES[memory]} has {int(self._limits[memory])} {kind}"
            self._fail(part[first], f"reaches to {int(beyond[first])}; {has}")

    def _fail(self, region: Any, text: str) -> None:
        field = FIELD_NAMES[int(region["field"])]
        fail(self.program, int(region["instruction"]), f"{field} = {int(region['base'])}: {text}")


def regions_of(program: Program, machine: SystolicMachine) -> npt.NDArray[Any]:
    """REGION_DTYPE of the whole Program.

    Raises:
        ProgramError: an address that is not aligned or not in its memory.
    """
    builder = _Builder(program, machine)
    for opcode, add in _ADD.items():
        chosen = np.flatnonzero(program.records["opcode"] == opcode)
        add(
            builder,
            chosen,
            {name: _column(program, chosen, name) for name in program.records.dtype.names or ()},
        )
    regions = np.concatenate(builder.parts)
    return regions[np.lexsort((regions["write"], regions["instruction"]))]


def _column(program: Program, chosen: Numbers, name: str) -> Numbers:
    return program.records[name][chosen].astype(np.int64)


def _space(flags: Numbers) -> Numbers:
    """The memory of a LOAD or STORE."""
    choices = [(flags & flag) != 0 for flag in (Flag.CURRENT, Flag.NEXT, Flag.HOST)]
    return OFF_CHIP + np.select(choices, [Space.HBM_CURRENT, Space.HBM_NEXT, Space.HOST], Space.HBM)


def _transfer(builder: _Builder, chosen: Numbers, f: dict[str, Numbers], load: bool) -> None:
    granules = 1 << f["item"]
    address = memory_address(builder.program.records[chosen])
    shape = {"rows": f["rows"], "granules": granules, "panels": f["panels"]}
    off_chip, on_chip = ("src0_stride", "dst_stride") if load else ("dst_stride", "src0_stride")
    field = "dst" if load else "src0"
    space = _space(f["flags"])
    builder.add(chosen, Block("memory", not load, space, address, stride=f[off_chip], **shape))
    builder.add(chosen, Block(field, load, BUFFER, f[field], stride=f[on_chip], **shape))


def _load(builder: _Builder, chosen: Numbers, f: dict[str, Numbers]) -> None:
    _transfer(builder, chosen, f, load=True)


def _store(builder: _Builder, chosen: Numbers, f: dict[str, Numbers]) -> None:
    _transfer(builder, chosen, f, load=False)


def _wload(builder: _Builder, chosen: Numbers, f: dict[str, Numbers]) -> None:
    builder.add(chosen, Block("src0", False, BUFFER, f["src0"], f["rows"], 1 << f["item"]))


def _matmul(builder: _Builder, chosen: Numbers, f: dict[str, Numbers]) -> None:
    granules = 1 << f["item"]
    builder.add(chosen, Block("src0", False, BUFFER, f["src0"], f["rows"], granules))
    if builder.machine.matrix_unit.dataflow == "os":
        builder.add(chosen, Block("src1", False, BUFFER, f["src1"], f["rows"], granules))
    else:
        _accumulate(builder, chosen, f)


def _accumulate(builder: _Builder, chosen: Numbers, f: dict[str, Numbers]) -> None:
    sub = sub_lines(builder.program.records[chosen])[1]
    adds = (f["flags"] & Flag.ACCUMULATE) != 0
    builder.add(chosen, Block("dst", True, ACCUMULATORS, f["dst"], f["rows"], sub=sub, adds=adds))


def _transpose(builder: _Builder, chosen: Numbers, f: dict[str, Numbers]) -> None:
    granules = 1 << f["item"]
    builder.add(chosen, Block("src0", False, BUFFER, f["src0"], f["rows"], granules))
    builder.add(chosen, Block("dst", True, BUFFER, f["dst"], f["tail"], granules))


def vec_granules(function: Numbers, item: Numbers) -> tuple[Numbers, Numbers]:
    """Granules of a line of VEC's operands and of its result."""
    copies = function == Function.COPY
    one_byte = (function == Function.FLOAT32_FROM_INT8) | (function == Function.INT32_FROM_INT8)
    source = np.select([copies, one_byte], [1 << item, 1], 4)
    result = np.select([copies, function == Function.TO_BFLOAT16], [1 << item, 2], 4)
    return source, result


def _vec(builder: _Builder, chosen: Numbers, f: dict[str, Numbers]) -> None:
    function, flags = f["function"], f["flags"]
    source, result = vec_granules(function, f["item"])
    reducing = np.isin(function, list(REDUCING))
    operands = np.array([OPERANDS.get(Function(code), 1) for code in range(len(Function))])[function]
    for index in range(3):
        used = operands > index
        in_accumulators = (flags & (Flag.SRC0_ACCUMULATOR << index)) != 0
        same_row = (flags & (Flag.SRC0_SAME_ROW << index)) != 0
        block = Block(
            field=f"src{index}",
            write=False,
            memory=np.where(in_accumulators, ACCUMULATORS, BUFFER)[used],
            base=f[f"src{index}"][used],
            rows=np.where(same_row, 1, f["rows"])[used],
            granules=np.where(in_accumulators, 1, source)[used],
            panels=f["panels"][used],
            stride=f[f"src{index}_stride"][used],
        )
        builder.add(chosen[used], block)
    rows = np.where(reducing, 1, f["rows"])
    target = Block("dst", True, BUFFER, f["dst"], rows, result, f["panels"], f["dst_stride"])
    builder.add(chosen, target)
    adds = reducing & ((flags & Flag.ACCUMULATE) != 0)
    before = Block(
        "dst", False, BUFFER, f["dst"][adds], 1, result[adds], f["panels"][adds], f["dst_stride"][adds]
    )
    builder.add(chosen[adds], before)


_ADD = {
    Opcode.LOAD: _load,
    Opcode.STORE: _store,
    Opcode.WLOAD: _wload,
    Opcode.MATMUL: _matmul,
    Opcode.DRAIN: _accumulate,
    Opcode.TRANSPOSE: _transpose,
    Opcode.VEC: _vec,
}
