"""Every field in the range that its opcode allows on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.isa import FIELDS, OPERANDS, REDUCING, Flag, Function, Opcode, memory_address, sub_lines
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.validate.messages import fail

Numbers = npt.NDArray[np.int64]

_ONE_BYTE_OPERAND = (Function.FLOAT32_FROM_INT8, Function.INT32_FROM_INT8)
_FLOAT_ONLY = (
    *(Function.MULTIPLY, Function.DIVIDE, Function.SQRT),
    *(Function.EXP, Function.LOG, Function.TANH, Function.TO_BFLOAT16),
)


def _vec_flags(function: Function) -> Flag:
    """The flags that mean something with a function."""
    allowed = Flag.NONE if function in _FLOAT_ONLY else Flag.INTEGER
    per_operand = Flag.NONE
    if function not in _ONE_BYTE_OPERAND:
        per_operand |= Flag.SRC0_ACCUMULATOR
    if function in REDUCING:
        allowed |= Flag.ACCUMULATE
    else:
        per_operand |= Flag.SRC0_REPLICATE | Flag.SRC0_SAME_ROW
    for operand in range(OPERANDS.get(function, 1)):
        allowed |= Flag(per_operand << operand)
    return allowed


def _allowed_flags(machine: SystolicMachine) -> Mapping[Opcode, Flag]:
    memory = Flag.HOST | Flag.CURRENT | Flag.NEXT
    matmul = Flag.ACCUMULATE | Flag.INTEGER
    if machine.matrix_unit.dataflow != "os":
        matmul |= Flag.SWAP | Flag.RELEASE
    return {Opcode.LOAD: memory, Opcode.STORE: memory, Opcode.MATMUL: matmul, Opcode.DRAIN: Flag.INTEGER}


_VEC_FLAGS = np.array([_vec_flags(function) for function in Function], dtype=np.int64)


@final
class _Fields:
    """The instructions of one opcode, and what is required of them."""

    def __init__(self, program: Program, opcode: Opcode) -> None:
        self.program = program
        self.chosen = np.flatnonzero(program.records["opcode"] == opcode)
        self._records = program.records[self.chosen]
        self._sub_lines = sub_lines(self._records)

    def __getitem__(self, field: str) -> Numbers:
        if field == "memory":
            return memory_address(self._records)
        if field in ("sub0", "sub1"):
            return self._sub_lines[field == "sub1"].astype(np.int64)
        return self._records[field].astype(np.int64)

    def require(self, ok: npt.NDArray[np.bool_], field: str, allowed: str) -> None:
        """Fail at the first instruction that is not ``ok``."""
        if not ok.all():
            first = int(np.argmin(ok))
            fail(self.program, int(self.chosen[first]), f"{field} = {int(self[field][first])}: {allowed}")

    def within(self, field: str, low: int, high: int) -> None:
        """``low <= field <= high``."""
        values = self[field]
        self.require((values >= low) & (values <= high), field, f"{low} to {high} is allowed")

    def flags(self, allowed: int | Numbers) -> None:
        """No flag but the allowed ones."""
        values = self["flags"]
        foreign = values & ~np.asarray(allowed)
        if foreign.any():
            first = int(np.argmax(foreign != 0))
            names = str(Flag(int(foreign[first])).name).replace("|", ", ")
            fail(
                self.program,
                int(self.chosen[first]),
                f"flags = {int(values[first])}: {names} not allowed here",
            )


def check_fields(program: Program, machine: SystolicMachine, *, whole: bool = True) -> None:
    """All but addresses. ``whole``: the Program ends here, with HALT; if not, more follows and there is none.

    Raises:
        ProgramError: the first field that is out of range.
    """
    if not machine.is_power_of_two:
        raise ProgramError("rows, cols and lanes of a core must be powers of two")
    _check_bits(program)
    flags = _allowed_flags(machine)
    groups = {opcode: _Fields(program, opcode) for opcode in Opcode}
    for opcode, group in groups.items():
        if opcode is not Opcode.VEC:
            group.flags(flags.get(opcode, Flag.NONE))
    for opcode in (Opcode.LOAD, Opcode.STORE, Opcode.MATMUL, Opcode.VEC):
        groups[opcode].within("rows", 1, 2**16 - 1)
    for opcode in (Opcode.LOAD, Opcode.STORE):
        _check_transfers(groups[opcode])
    _check_array(groups, machine)
    transposes = groups[Opcode.TRANSPOSE]
    transposes.within("item", 0, 2)
    transposes.within("rows", 1, machine.line_elements)
    transposes.within("tail", 1, machine.line_elements)
    _check_vec(groups[Opcode.VEC], machine)
    _check_halt(groups[Opcode.HALT], whole)


def _check_bits(program: Program) -> None:
    count = len(program)
    for name in ("operation", "traffic", "macs", "tensor"):
        if len(getattr(program, name)) != count:
            raise ProgramError(f"{name} has {len(getattr(program, name))} entries for {count} instructions")
    for name, bits in FIELDS:
        too_large = program.records[name] >> bits != 0
        if too_large.any():
            first = int(np.argmax(too_large))
            raise ProgramError(
                f"instruction {first}: {name} = {int(program.records[name][first])}: {bits} bits are allowed"
            )


def _check_transfers(group: _Fields) -> None:
    group.within("item", 0, 2)
    group.within("panels", 1, 2**16 - 1)
    memories = group["flags"] & int(Flag.HOST | Flag.CURRENT | Flag.NEXT)
    group.require(memories & (memories - 1) == 0, "flags", "one of HOST, CURRENT, NEXT or none is allowed")
    _check_panels_apart(group, group["rows"])


def _check_panels_apart(group: _Fields, rows: Numbers) -> None:
    """The panels of a destination do not overlap."""
    apart = (group["panels"] == 1) | (group["dst_stride"] >= rows)
    group.require(apart, "dst_stride", "the destination's panels overlap; at least its rows is allowed")


def _check_array(groups: Mapping[Opcode, _Fields], machine: SystolicMachine) -> None:
    unit, width = machine.matrix_unit, machine.line_elements
    wloads, matmuls, drains = groups[Opcode.WLOAD], groups[Opcode.MATMUL], groups[Opcode.DRAIN]
    for group in (wloads, drains):
        weights = group is wloads
        if (unit.dataflow == "os") == weights and len(group.chosen):
            fail(
                group.program, int(group.chosen[0]), f"opcode: not on an array of dataflow {unit.dataflow!r}"
            )
        group.within("rows", 1, unit.rows)
        group.within("sub0" if weights else "sub1", 0, width // unit.cols - 1)
    wloads.within("item", 0, 1)
    item = np.where(matmuls["flags"] & Flag.INTEGER, 0, 1)
    matmuls.require(matmuls["item"] == item, "item", "1, with INTEGER 0, is allowed")
    if unit.dataflow != "os":
        matmuls.within("tail", 1, unit.rows)
    matmuls.within("sub0", 0, width // unit.rows - 1)
    matmuls.within("sub1", 0, width // unit.cols - 1)


def _check_vec(group: _Fields, machine: SystolicMachine) -> None:
    group.within("function", 0, len(Function) - 1)
    group.within("panels", 1, 2**16 - 1)
    group.within("tail", 1, machine.line_elements)
    function = group["function"]
    group.flags(_VEC_FLAGS[function])
    copies = function == Function.COPY
    group.require(~copies | (group["item"] <= 2), "item", "0 to 2 is allowed")
    from_accumulators = (group["flags"] & Flag.SRC0_ACCUMULATOR) != 0
    whole = ~copies | ~from_accumulators | (group["item"] == 2)
    group.require(whole, "item", "2 is allowed with SRC0_ACCUMULATOR")
    reducing = np.isin(function, list(REDUCING))
    _check_panels_apart(group, np.where(reducing, 1, group["rows"]))


def _check_halt(group: _Fields, whole: bool) -> None:
    program, halts = group.program, group.chosen
    if not whole and not len(halts):
        return
    if not len(halts) or halts[0] != len(program) - 1:
        where = f"instruction {int(halts[0])}" if len(halts) else "nowhere"
        raise ProgramError(
            f"HALT is {where}: exactly one is allowed, as the last of {len(program)} instructions"
        )
    group.require(group["post"] == 0, "post", "nothing can wait for HALT; 0 is allowed")
