"""Small Programs by hand, run in RTL on memories of zeros: timing depends on no value."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from simulator.cosim.images import Memories
from simulator.cosim.run import RtlRun, run_program_rtl
from simulator.isa import INSTRUCTION_DTYPE, UNIT_OF_OPCODE, Flag, Opcode, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.program import NO_OPERATION, Program, Space

_GRANULES = 4096  # of every off-chip space
_MAX_CYCLES = 100_000
_FLOAT32 = 4


class Listing:
    """A Program, instruction by instruction."""

    def __init__(self) -> None:
        self._rows: list[dict[str, int]] = []

    def add(
        self,
        opcode: Opcode,
        *,
        wait: Iterable[UnitId] = (),
        post: Iterable[UnitId] = (),
        flags: Flag = Flag.NONE,
        **fields: int,
    ) -> None:
        """Append an instruction; fields that are not given are 0, ``rows``, ``panels`` and ``tail`` 1."""
        masks = {"wait": sum(1 << unit for unit in wait), "post": sum(1 << unit for unit in post)}
        self._rows.append(
            {"opcode": opcode, "flags": flags, "rows": 1, "panels": 1, "tail": 1, **masks, **fields}
        )

    def program(self) -> Program:
        """With a HALT that waits for the last instruction of every unit."""
        rows = [dict(row) for row in self._rows]
        last = {UNIT_OF_OPCODE[Opcode(row["opcode"])]: row for row in rows}
        for row in last.values():
            row["post"] |= 1 << UnitId.SEQUENCER
        rows.append({"opcode": Opcode.HALT, "wait": sum(1 << unit for unit in last)})
        records = np.zeros(len(rows), INSTRUCTION_DTYPE)
        for record, row in zip(records, rows, strict=True):
            for name, value in row.items():
                record[name] = value
        n = len(rows)
        return Program(
            records=records,
            operation=np.full(n, NO_OPERATION, np.int32),
            traffic=np.zeros(n, np.uint8),
            macs=np.zeros(n, np.int64),
            tensor=np.full(n, -1, np.int32),
            operations=(),
            tensors=(),
            placements=(),
            memory_granules=dict.fromkeys(Space, _GRANULES),
        )


def run(machine: SystolicMachine, program: Program, wave: Path | None = None) -> RtlRun:
    """The Program in RTL."""
    line = machine.line_elements
    off_chip = {space: np.zeros(_GRANULES * line, np.uint8) for space in Space}
    memories = Memories(
        np.zeros(machine.buffer_granules * line, np.uint8),
        np.zeros(machine.accumulators.lines * line * _FLOAT32, np.uint8),
        off_chip,
    )
    return run_program_rtl(machine, program, memories, max_cycles=_MAX_CYCLES, wave=wave)
