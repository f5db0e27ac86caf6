"""Lowered entries to instructions, by the native library or in Python: the same, to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.compiler import core
from simulator.compiler.core import Outcome
from simulator.compiler.expand import expand
from simulator.compiler.interleave import AHEAD, ITERATIVE, interleave
from simulator.compiler.residency import FEW_BLOCKS, SPACE_FLAGS, Residency, does_not_fit
from simulator.compiler.schedule import Schedule
from simulator.compiler.symbolic import ENTRY, Lowering
from simulator.errors import CompileError
from simulator.isa import INSTRUCTION_DTYPE, Function, Records
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import address
from simulator.program import Placement, Space
from simulator.units import ceil_div

WHOLE = 1 << 40  # a stretch longer than any Program
STEERING = 4  # numbers of ``struct costs`` before the vector functions
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
    """What there is to do: entries, and where tensors come from and go to."""

    low: Lowering
    homes: Mapping[int, Placement]  # by tensor
    outputs: Mapping[int, Sequence[Placement]]
    spill_address: int  # first free granule of HBM


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
    if (count := int(job.low.entries()[:, ENTRY.index("count")].sum())) > MOST_IN_PYTHON:
        raise CompileError(
            f"{count:,} instructions: at most {MOST_IN_PYTHON:,} can be compiled without the native library, "
            "which needs a C compiler"
        )
    low, off_chip = job.low, job.homes.keys() | job.outputs.keys()
    instructions = interleave(low, expand(low), machine, off_chip)
    outputs = {tensor: list(placements) for tensor, placements in job.outputs.items()}
    chip = Residency(machine, low, instructions, dict(job.homes), outputs, job.spill_address)
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
    """A job as the library reads it, whatever the machine."""

    def __init__(self, job: Job) -> None:
        self.low, self.spill_address = job.low, job.spill_address
        low, names = job.low, dict[str, int]()
        tensors = np.array([[getattr(t, name) for name in core.TENSOR] for t in low.tensors], dtype=np.int64)
        tensor_names = np.array([names.setdefault(t.name, len(names)) for t in low.tensors], dtype=np.int64)

        def placed(placement: Placement) -> tuple[int, int, int]:
            name = names.setdefault(placement.path, len(names))
            return int(SPACE_FLAGS[placement.space]), placement.address, name

        homes = np.full((len(low.tensors), 3), -1, dtype=np.int64)
        for tensor, placement in job.homes.items():
            homes[tensor] = placed(placement)
        going = [job.outputs.get(tensor, ()) for tensor in range(len(low.tensors))]
        first_output = np.cumsum([0, *map(len, going)], dtype=np.int64)
        outputs = np.array([placed(p) for placements in going for p in placements], dtype=np.int64)
        off_chip = np.zeros(len(low.tensors), dtype=np.uint8)
        off_chip[list(job.homes.keys() | job.outputs.keys())] = 1
        self.names = list(names)
        entries, array = low.entries(), (low.geometry.line, low.rows, low.cols)
        sizes = (len(entries), len(tensors), len(low.block_tensor), len(names), *array)
        self._arrays: tuple[npt.NDArray[Any], ...] = (
            np.array(sizes, dtype=np.int64),
            entries,
            tensors,
            np.array(low.block_tensor, dtype=np.int32),
            homes,
            first_output,
            outputs,
            tensor_names,
            off_chip,
        )
        self._job = np.array([address(part) for part in self._arrays], dtype=np.int64)
        self.address = address(self._job)  # of a ``struct job`` of ``native/compilation.h``

    def machines(self, machines: Sequence[SystolicMachine]) -> npt.NDArray[np.int64]:
        """What depends on the machine beside costs, a row of ``core.MACHINE`` each."""
        geometry = self.low.geometry
        given = np.empty((len(machines), len(core.MACHINE)), dtype=np.int64)
        column = dict(zip(core.MACHINE, given.T, strict=True))
        frame = 4 * geometry.chunk
        column["granules"][:] = [machine.buffer_granules for machine in machines]
        column["frame"][:] = np.where(column["granules"] // frame < FEW_BLOCKS, frame, 0)
        column["line"][:], column["accumulate"][:] = geometry.line, geometry.accumulate
        column["output_stationary"][:] = [machine.matrix_unit.dataflow == "os" for machine in machines]
        lines = np.array([machine.accumulators.lines for machine in machines], dtype=np.int64)
        column["slots"][:] = np.maximum(1, lines // geometry.accumulate)
        column["spill_address"][:] = self.spill_address
        return given

    def costs(self, machines: Sequence[SystolicMachine]) -> npt.NDArray[np.int64]:
        """What steers the order, a row of ``struct costs`` each."""
        given = np.ones((len(machines), STEERING + core.INTERVALS), dtype=np.int64)
        rates = [machine.hbm.bytes_per_cycle for machine in machines]
        given[:, 0] = AHEAD * self.low.geometry.chunk
        given[:, 1] = [ceil_div(self.low.geometry.line, machine.vector_unit.lanes) for machine in machines]
        given[:, 2] = [rate.numerator for rate in rates]
        given[:, 3] = [rate.denominator for rate in rates]
        for function, name in ITERATIVE.items():
            given[:, STEERING + function] = [getattr(machine.vector_unit, name) for machine in machines]
        return given


def _native(native: core.Native, job: Job, machine: SystolicMachine, stretch: int) -> Compiled:
    low, packed = job.low, Packed(job)
    given = packed.machines([machine]), packed.costs([machine])
    found = np.zeros(len(core.FOUND), dtype=np.int64)
    handle = native.open(packed.address, *map(address, given), stretch, address(found))
    compilation = _Compilation(native, handle, packed)
    outcome, count, n_spills, n_names, spill_end, n_stretches, size, pinned = found.tolist()
    if outcome == Outcome.DOES_NOT_FIT:
        raise does_not_fit(machine, size, pinned)
    if outcome == Outcome.TOO_LONG:
        raise CompileError("more instructions than 30 bits count, which is the most that can be compiled")
    if outcome == Outcome.NO_MEMORY:
        raise MemoryError("no memory to compile in")
    spilled, named = np.empty((n_spills, 4), dtype=np.int64), np.empty(n_names, dtype=np.int64)
    ends = np.empty(n_stretches, dtype=np.int64)
    native.found(handle, *map(address, (spilled, named, ends)))
    spills = [
        Placement(f"spill.{index}", Space.HBM, address, rows, cols, low.tensors[tensor].dtype)
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


assert len(Function) <= core.INTERVALS
