"""What crosses the chip's edge: every tensor, every byte, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.errors import CheckError
from simulator.isa import Flag, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Traffic
from simulator.timing import transfer_bytes

NEEDED = (Traffic.INPUT, Traffic.OUTPUT)
EXTRA = (Traffic.REFETCH, Traffic.SPILL, Traffic.FILL)


@dataclass(frozen=True)
class TensorTraffic:
    """Bytes of one tensor, whole lines.

    Units: bytes.
    """

    tensor: str
    by_reason: dict[str, int]  # lower-case names of ``Traffic``, each of NEEDED and EXTRA
    hbm_bytes: int
    host_bytes: int

    @property
    def needed_bytes(self) -> int:
        """What the graph asks for."""
        return sum(self.by_reason[reason.name.lower()] for reason in NEEDED)

    @property
    def extra_bytes(self) -> int:
        """What small buffers add: spills, fills and refetches."""
        return sum(self.by_reason[reason.name.lower()] for reason in EXTRA)

    @property
    def total_bytes(self) -> int:
        """All bytes of the tensor."""
        return self.needed_bytes + self.extra_bytes


def traffic(machine: SystolicMachine, program: Program) -> tuple[TensorTraffic, ...]:
    """The traffic of every tensor that moves, in the order of ``program.tensors``; sums to all bytes moved.

    Raises:
        CheckError: a LOAD or STORE does not say what it moves, or why.
    """
    moves = np.flatnonzero(np.isin(program.records["opcode"], (Opcode.LOAD, Opcode.STORE)))
    n_bytes = transfer_bytes(machine, program.records[moves])
    host = (program.records["flags"][moves] & Flag.HOST) != 0
    tensor, reason = program.tensor[moves].astype(np.int64), program.traffic[moves]
    unnamed = np.flatnonzero((tensor < 0) | ~np.isin(reason, (*NEEDED, *EXTRA)))
    if len(unnamed):
        raise CheckError(f"instruction {moves[unnamed[0]]}: a transfer without a tensor or without a reason")
    table = np.zeros((len(program.tensors), len(Traffic), 2), dtype=np.int64)
    np.add.at(table, (tensor, reason, host.astype(np.int64)), n_bytes)
    rows = tuple(
        TensorTraffic(
            tensor=name,
            by_reason={r.name.lower(): int(table[index, r].sum()) for r in (*NEEDED, *EXTRA)},
            hbm_bytes=int(table[index, :, 0].sum()),
            host_bytes=int(table[index, :, 1].sum()),
        )
        for index, name in enumerate(program.tensors)
        if table[index].any()
    )
    listed = sum(row.total_bytes for row in rows)
    if listed != int(n_bytes.sum()):
        raise CheckError(f"traffic: {listed} bytes are listed, {int(n_bytes.sum())} are moved")
    return rows
