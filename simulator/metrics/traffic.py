"""What crosses the chip's edge: every tensor, every byte, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.errors import CheckError
from simulator.isa import Flag, Opcode, memory_address
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space, Traffic
from simulator.timing import transfer_bytes

NEEDED = (Traffic.INPUT, Traffic.OUTPUT)
EXTRA = (Traffic.REFETCH, Traffic.SPILL, Traffic.FILL)


@dataclass(frozen=True)
class TensorTraffic:
    """Bytes of one tensor, whole lines; ``useful_bytes`` are its elements among the needed ones.

    All bytes are useful, padding or extra: ``total = useful + padding + extra``.

    Units: bytes.
    """

    tensor: str
    by_reason: dict[str, int]  # lower-case names of ``Traffic``, each of NEEDED and EXTRA
    hbm_bytes: int
    host_bytes: int
    useful_bytes: int

    @property
    def padding_bytes(self) -> int:
        """What fills up the lines of the needed transfers."""
        return self.needed_bytes - self.useful_bytes

    @property
    def needed_bytes(self) -> int:
        """What the graph asks for, in whole lines: useful and padding."""
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
        CheckError: a LOAD or STORE does not say what it moves, or why, or where its tensor lies.
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
    useful = np.zeros(len(program.tensors), dtype=np.int64)
    for index in moves[np.isin(reason, NEEDED)]:
        useful[program.tensor[index]] += _useful_bytes(machine, program, int(index))
    rows = tuple(
        TensorTraffic(
            tensor=name,
            by_reason={r.name.lower(): int(table[index, r].sum()) for r in (*NEEDED, *EXTRA)},
            hbm_bytes=int(table[index, :, 0].sum()),
            host_bytes=int(table[index, :, 1].sum()),
            useful_bytes=int(useful[index]),
        )
        for index, name in enumerate(program.tensors)
        if table[index].any()
    )
    listed = sum(row.total_bytes for row in rows)
    if listed != int(n_bytes.sum()):
        raise CheckError(f"traffic: {listed} bytes are listed, {int(n_bytes.sum())} are moved")
    return rows


def _useful_bytes(machine: SystolicMachine, program: Program, index: int) -> int:
    """Bytes of elements, not of padding, that a needed LOAD or STORE moves."""
    record = program.records[index]
    try:
        home = program.placement(program.tensors[program.tensor[index]], _space(record))
    except KeyError as error:
        raise CheckError(f"instruction {index}: a transfer of {error}, which has no placement") from None
    item = int(record["item"])
    first = (int(memory_address(program.records[index : index + 1])[0]) - home.address) >> item
    stride = int(record["src0_stride" if record["opcode"] == Opcode.LOAD else "dst_stride"])
    panels = np.arange(int(record["panels"]), dtype=np.int64)[:, None]
    lines = first + panels * stride + np.arange(int(record["rows"]), dtype=np.int64)
    elements = np.clip(home.cols - lines // home.rows * machine.line_elements, 0, machine.line_elements)
    return int(elements.sum()) << item


def _space(record: Any) -> Space:
    flags = int(record["flags"])
    if flags & Flag.HOST:
        return Space.HOST
    if flags & Flag.CURRENT:
        return Space.HBM_CURRENT
    return Space.HBM_NEXT if flags & Flag.NEXT else Space.HBM
