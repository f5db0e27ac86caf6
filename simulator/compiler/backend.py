"""Steps to instructions, by the native library or in Python: the same, to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.compiler import core, tiles
from simulator.compiler.core import Outcome
from simulator.compiler.cut import cut
from simulator.compiler.expand import expand
from simulator.compiler.interleave import interleave
from simulator.compiler.residency import SPACE_FLAGS, Residency, does_not_fit
from simulator.compiler.schedule import Schedule
from simulator.compiler.sizes import numbers_of
from simulator.compiler.steps import Steps
from simulator.compiler.symbolic import ENTRY
from simulator.errors import CompileError
from simulator.isa import INSTRUCTION_DTYPE, Records
from simulator.machines.columns import MachineColumns
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import address
from simulator.program import Placement, Space

WHOLE = 1 << 40  # a stretch longer than any Program
MOST_IN_PYTHON = 1 << 22  # instructions: a kilobyte each, for there all of them are objects


class Columns(NamedTuple):
    """A stretch of a Program: arrays as in ``Program``."""

    records: Records
    operation: npt.NDArray[np.int32]
    traffic: npt.NDArray[np.uint8]
    macs: npt.NDArray[np.int64]
    tensor: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Job:
    """What there is to do: steps, and where tensors come from and go to."""

    steps: Steps
    placements: Sequence[Placement]  # of ``steps.homes``
    spill_address: int  # first free granule of HBM

    def homes(self, *, is_output: bool) -> Iterator[tuple[int, Placement]]:
        """Tensors that come from, or go to, a place off chip."""
        for home, placement in zip(self.steps.homes, self.placements, strict=True):
            if home.is_output == is_output:
                yield home.tensor, placement


@dataclass
class Compiled:
    """A compiled Program before it is written."""

    count: int
    spills: list[Placement]
    names: list[str]  # of what crosses the chip's edge
    spill_end: int
    stretches: Iterator[Columns]  # to be read once


def run(job: Job, machine: SystolicMachine, stretch: int = WHOLE) -> Compiled:
    """Orders, places and schedules all instructions; ``stretch``: how many are written at once, about.

    Raises:
        CompileError: an operand block does not fit the unified buffer.
    """
    native = core.native()
    if native is not None:
        return _native(native, job, machine, stretch)
    unit = machine.matrix_unit
    low = cut(job.steps, job.steps.geometry, unit.rows, unit.cols)
    if (count := int(low.entries()[:, ENTRY.index("count")].sum())) > MOST_IN_PYTHON:
        raise CompileError(
            f"{count:,} instructions: at most {MOST_IN_PYTHON:,} can be compiled without the native library, "
            "which needs a C compiler"
        )
    homes, outputs = dict(job.homes(is_output=False)), dict[int, list[Placement]]()
    for tensor, placement in job.homes(is_output=True):
        outputs.setdefault(tensor, []).append(placement)
    instructions = interleave(low, expand(low), machine, homes.keys() | outputs.keys())
    chip = Residency(machine, low, instructions, homes, outputs, job.spill_address)
    emitter = Schedule(chip).run()
    columns = Columns(
        emitter.records(),
        np.array(emitter.operation, dtype=np.int32),
        np.array(emitter.traffic, dtype=np.uint8),
        np.array(emitter.macs, dtype=np.int64),
        np.array(emitter.tensor, dtype=np.int32),
    )
    return Compiled(len(emitter), chip.spills, list(chip.names), chip.spill_address, _cut(columns, stretch))


def _cut(columns: Columns, stretch: int) -> Iterator[Columns]:
    for start in range(0, len(columns.records), stretch):
        part = slice(start, start + stretch)
        yield Columns(
            columns.records[part],
            columns.operation[part],
            columns.traffic[part],
            columns.macs[part],
            columns.tensor[part],
        )


class Packed:
    """Steps as the library reads them."""

    def __init__(self, steps: Steps) -> None:
        names = dict[str, int]()
        tensors = [
            (value.rows, value.cols, value.item, value.whole_rows, names.setdefault(value.name, len(names)))
            for value in steps.tensors
        ]
        homes = [
            (
                *(home.tensor, home.space, int(SPACE_FLAGS[home.space])),
                *(names.setdefault(home.path, len(names)), home.is_output, home.like),
            )
            for home in steps.homes
        ]
        self.names = list(names)
        sizes = (len(steps.words), len(tensors), len(homes), len(names), tiles.MAX_TILES, tiles.MAX_SUMS)
        self._arrays: tuple[npt.NDArray[np.int64], ...] = (
            np.array(sizes, dtype=np.int64),
            np.frombuffer(steps.words, dtype=np.int64),
            np.array(tensors, dtype=np.int64),
            np.array(homes, dtype=np.int64),
        )
        self._job = np.array([address(part) for part in self._arrays], dtype=np.int64)
        self.address = address(self._job)  # of a ``struct job`` of ``native/steps.h``


def _native(native: core.Native, job: Job, machine: SystolicMachine, stretch: int) -> Compiled:
    packed, numbers = Packed(job.steps), numbers_of(MachineColumns([machine]))
    found = np.zeros(len(core.FOUND), dtype=np.int64)
    handle = native.open(packed.address, address(numbers), stretch, address(found))
    compilation = _Compilation(native, handle, packed)
    outcome, count, n_spills, n_names, spill_end, n_stretches, size, pinned = found.tolist()
    if outcome == Outcome.DOES_NOT_FIT:
        raise does_not_fit(machine, size, pinned)
    if outcome == Outcome.TOO_LONG:
        raise CompileError("more instructions than 30 bits count, which is the most that can be compiled")
    if outcome == Outcome.NO_MEMORY:
        raise MemoryError("no memory to compile in")
    assert outcome == Outcome.COMPILED, "geometry_of and check_tiles refuse what the library does"
    spilled, named = np.empty((n_spills, 4), dtype=np.int64), np.empty(n_names, dtype=np.int64)
    ends = np.empty(n_stretches, dtype=np.int64)
    native.found(handle, *map(address, (spilled, named, ends)))
    spills = [
        Placement(f"spill.{index}", Space.HBM, address, rows, cols, job.steps.tensors[tensor].dtype)
        for index, (tensor, address, rows, cols) in enumerate(spilled.tolist())
    ]
    edge = [packed.names[name] for name in named.tolist()]
    return Compiled(count, spills, edge, spill_end, compilation.stretches(ends))


class _Compilation:
    """The library's state, and what it reads."""

    def __init__(self, native: core.Native, handle: int | None, packed: Packed) -> None:
        self._native, self._handle, self._packed = native, handle, packed

    def __del__(self) -> None:
        if self._handle is not None:
            self._native.close(self._handle)

    def stretches(self, ends: npt.NDArray[np.int64]) -> Iterator[Columns]:
        begin = 0
        for end in ends.tolist():
            n = end - begin
            columns = Columns(
                np.empty(n, dtype=INSTRUCTION_DTYPE),
                np.empty(n, dtype=np.int32),
                np.empty(n, dtype=np.uint8),
                np.empty(n, dtype=np.int64),
                np.empty(n, dtype=np.int32),
            )
            if not self._native.next(self._handle, end, *map(address, columns)):
                raise MemoryError("no memory to compile in")
            begin = end
            yield columns
