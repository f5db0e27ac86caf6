"""A Program's instructions as plain columns, decoded once, the way the sequencer hands them to the units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from simulator.errors import ProgramError
from simulator.isa import Opcode, Records, UnitId, units_of
from simulator.machines.systolic import SystolicMachine
from simulator.timing import instruction_times

MASKS = 1 << len(UnitId)  # wait and post masks have one bit per unit


Column = list[int] | dict[int, int]
"""By instruction: of a whole Program, or of those of a long one that are needed at the moment."""


@dataclass
class InstructionStream:
    """Columns run parallel: entry ``i`` belongs to instruction ``i``; the last one is HALT."""

    opcode: Column
    unit: Column
    wait: Column
    post: Column
    flags: Column
    rows: Column
    occupancy: Column
    latency: Column

    def before_halt(self) -> Iterable[int]:
        """The numbers of all instructions but HALT, in order."""
        return range(len(self.opcode) - 1)

    @property
    def halt(self) -> int:
        """The number of HALT."""
        return len(self.opcode) - 1

    def name(self, instruction: int) -> str:
        """How messages name an instruction."""
        return f"instruction {instruction} ({Opcode(self.opcode[instruction]).name})"


def decode_stream(machine: SystolicMachine, records: Records) -> InstructionStream:
    """The columns that timing depends on.

    Raises:
        ProgramError: HALT is not the last instruction and the only one of its kind, a mask names a unit
            that does not exist, or an instruction takes no time.
    """
    opcodes = records["opcode"]
    halts = np.flatnonzero(opcodes == Opcode.HALT)
    if len(records) == 0 or len(halts) != 1 or halts[0] != len(records) - 1:
        raise ProgramError("a Program ends with its one HALT instruction")
    return InstructionStream(**decode_columns(machine, records))


def decode_columns(machine: SystolicMachine, records: Records, begin: int = 0) -> dict[str, list[int]]:
    """The columns of an ``InstructionStream`` by name; ``begin``: the number of the first instruction.

    Raises:
        ProgramError: a mask names a unit that does not exist, or an instruction takes no time.
    """
    opcodes = records["opcode"]
    for field, limit in (("opcode", len(Opcode)), ("wait", MASKS), ("post", MASKS)):
        wrong = np.flatnonzero(records[field] >= limit)
        if len(wrong):
            raise ProgramError(
                f"instruction {begin + wrong[0]}: field {field} = {records[field][wrong[0]]} "
                f"is not below {limit}"
            )
    times = instruction_times(machine, records)
    empty = np.flatnonzero((times.occupancy < 1) | (times.latency < 1))
    if len(empty):
        name = Opcode(int(opcodes[empty[0]])).name
        raise ProgramError(
            f"instruction {begin + empty[0]} ({name}) moves nothing: rows, panels or tail is 0"
        )
    return {
        "opcode": opcodes.tolist(),
        "unit": units_of(records).tolist(),
        "wait": records["wait"].tolist(),
        "post": records["post"].tolist(),
        "flags": records["flags"].tolist(),
        "rows": records["rows"].tolist(),
        "occupancy": times.occupancy.tolist(),
        "latency": times.latency.tolist(),
    }
