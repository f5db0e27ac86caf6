"""A Program's instructions as plain columns, decoded once, the way the sequencer hands them to the units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from simulator.errors import ProgramError
from simulator.isa import Flag, Opcode, Records, UnitId, units_of
from simulator.machines.systolic import SystolicMachine
from simulator.systolic.tokens import OWN
from simulator.timing import instruction_times

MASKS = 1 << len(UnitId)  # wait and post masks have one bit per unit
_WLOAD, _MATMUL, _SWAP = int(Opcode.WLOAD), int(Opcode.MATMUL), int(Flag.SWAP)


Column = list[int] | dict[int, int]
"""By instruction: of a whole Program, or of those of a long one that are needed at the moment."""


@dataclass
class InstructionStream:
    """Columns run parallel: entry ``i`` belongs to instruction ``i``; the last one is HALT."""

    opcode: Column
    unit: Column
    takes: Column  # a mask: tokens by unit, and OWN for a FIFO slot (WLOAD), new weights (swap)
    post: Column
    flags: Column
    rows: Column
    occupancy: Column
    latency: Column
    count: list[int]  # by unit: no more instructions than this wait in its queue

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
    columns = decode_columns(machine, records)
    count = np.bincount(units_of(records), minlength=len(UnitId)).tolist()
    return InstructionStream(**columns, count=count)


def decode_columns(machine: SystolicMachine, records: Records, begin: int = 0) -> dict[str, list[int]]:
    """The columns of an ``InstructionStream`` by name; ``begin``: the number of the first instruction.

    Raises:
        ProgramError: a mask names a unit that does not exist, or an instruction takes no time.
    """
    opcodes, takes, post, flags = (records[field] for field in ("opcode", "wait", "post", "flags"))
    limits = ("opcode", opcodes, len(Opcode)), ("wait", takes, MASKS), ("post", post, MASKS)
    for field, column, limit in limits:
        if column.max(initial=0) >= limit:
            wrong = int(np.argmax(column >= limit))
            raise ProgramError(
                f"instruction {begin + wrong}: field {field} = {column[wrong]} is not below {limit}"
            )
    times = instruction_times(machine, records)
    if min(times.occupancy.min(initial=1), times.latency.min(initial=1)) < 1:
        empty = int(np.argmax((times.occupancy < 1) | (times.latency < 1)))
        name = Opcode(int(opcodes[empty])).name
        raise ProgramError(f"instruction {begin + empty} ({name}) moves nothing: rows, panels or tail is 0")
    # A WLOAD takes a slot of the weight FIFO, a MATMUL that swaps new weights.
    own = (opcodes == _WLOAD) | (opcodes == _MATMUL) & ((flags & _SWAP) != 0)
    return {
        "opcode": opcodes.tolist(),
        "unit": units_of(records).tolist(),
        "takes": (takes | own * np.uint32(OWN)).tolist(),
        "post": post.tolist(),
        "flags": flags.tolist(),
        "rows": records["rows"].tolist(),
        "occupancy": times.occupancy.tolist(),
        "latency": times.latency.tolist(),
    }
