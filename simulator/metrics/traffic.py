"""What crosses the chip's edge: every tensor, every byte, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.errors import CheckError
from simulator.isa import Flag, Opcode, memory_address
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space, Traffic
from simulator.timing import transfer_bytes

Longs = npt.NDArray[np.int64]

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


class Moved(NamedTuple):
    """Bytes that cross the edge, by tensor. Sums of parts of a Program are sums of these.

    Shapes: by_reason (tensors, reasons, 2): over the link of HBM and of the host; useful (tensors,).
    """

    by_reason: npt.NDArray[np.int64]
    useful: npt.NDArray[np.int64]

    def __add__(self, other: object) -> Moved:
        assert isinstance(other, Moved)
        return Moved(self.by_reason + other.by_reason, self.useful + other.useful)


def traffic(tensors: tuple[str, ...], all_moved: Moved) -> tuple[TensorTraffic, ...]:
    """The traffic of every tensor that moves, in the order of ``tensors``; sums to all bytes moved."""
    table, useful = all_moved
    return tuple(
        TensorTraffic(
            tensor=name,
            by_reason={r.name.lower(): int(table[index, r].sum()) for r in (*NEEDED, *EXTRA)},
            hbm_bytes=int(table[index, :, 0].sum()),
            host_bytes=int(table[index, :, 1].sum()),
            useful_bytes=int(useful[index]),
        )
        for index, name in enumerate(tensors)
        if table[index].any()
    )


def moved(machine: SystolicMachine, program: Program) -> Moved:
    """What the LOADs and STOREs of a Program, or of a part of one, move.

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
    needed = np.isin(reason, NEEDED)
    np.add.at(useful, tensor[needed], _useful_bytes(machine, program, moves[needed]))
    return Moved(table, useful)


def _useful_bytes(machine: SystolicMachine, program: Program, moves: Longs) -> Longs:
    """Bytes of elements, not of padding, that needed LOADs and STOREs move."""
    records = program.records[moves]
    places = {(placement.path, placement.space): placement for placement in reversed(program.placements)}
    columns = ("flags", "opcode")
    flags, opcode = (records[name].astype(np.int64) for name in columns)
    names = [program.tensors[tensor] for tensor in program.tensor[moves].tolist()]
    homes = np.empty((len(moves), 3), dtype=np.int64)
    for at, (name, flag) in enumerate(zip(names, flags.tolist(), strict=True)):
        home = places.get((name, _space(flag)))
        if home is None:
            raise CheckError(f"instruction {moves[at]}: a transfer of {name!r}, which has no placement")
        homes[at] = home.address, home.rows, home.cols
    address, rows, cols = homes.T
    item = records["item"].astype(np.int64)
    first = (memory_address(records) - address) >> item
    stride = np.where(opcode == Opcode.LOAD, records["src0_stride"], records["dst_stride"]).astype(np.int64)
    # One row for every panel of every transfer: consecutive lines.
    panels = records["panels"].astype(np.int64)
    of = np.repeat(np.arange(len(moves)), panels)
    panel = np.arange(len(of)) - np.repeat(np.cumsum(panels) - panels, panels)
    begin = first[of] + panel * stride[of]
    end = begin + records["rows"].astype(np.int64)[of]
    before, upto = (_elements(at, rows[of], cols[of], machine.line_elements) for at in (begin, end))
    elements = np.zeros(len(moves), dtype=np.int64)
    np.add.at(elements, of, upto - before)
    n_bytes: Longs = elements << item
    return n_bytes


def _elements(line: Longs, rows: Longs, cols: Longs, width: int) -> Longs:
    """Elements of a tensor in the lines before ``line``."""
    panel, row = np.divmod(line, rows)
    elements: Longs = rows * np.minimum(panel * width, cols) + row * np.clip(cols - panel * width, 0, width)
    return elements


def _space(flags: int) -> Space:
    if flags & Flag.HOST:
        return Space.HOST
    if flags & Flag.CURRENT:
        return Space.HBM_CURRENT
    return Space.HBM_NEXT if flags & Flag.NEXT else Space.HBM
