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
from simulator.program import Placement, Space
from simulator.units import ceil_div

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
    """What there is to do: entries, and where tensors come from and go to."""

    machine: SystolicMachine
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


def run(job: Job, stretch: int = WHOLE) -> Compiled:
    """Orders, places and schedules all instructions; ``stretch``: how many are written at once, about.

    Raises:
        CompileError: an operand block does not fit the unified buffer.
    """
    native = core.native()
    if native is not None:
        return _native(native, job, stretch)
    if (count := int(job.low.entries()[:, ENTRY.index("count")].sum())) > MOST_IN_PYTHON:
        raise CompileError(
            f"{count:,} instructions: at most {MOST_IN_PYTHON:,} can be compiled without the native library, "
            "which needs a C compiler"
        )
    low, off_chip = job.low, job.homes.keys() | job.outputs.keys()
    instructions = interleave(low, expand(low), job.machine, off_chip)
    outputs = {tensor: list(placements) for tensor, placements in job.outputs.items()}
    chip = Residency(job.machine, low, instructions, dict(job.homes), outputs, job.spill_address)
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


def _native(native: core.Native, job: Job, stretch: int) -> Compiled:
    low, machine = job.low, job.machine
    names: dict[str, int] = {}
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
    geometry = low.geometry
    frame = 4 * geometry.chunk
    given = {
        "granules": machine.buffer_granules,
        "frame": frame if machine.buffer_granules // frame < FEW_BLOCKS else 0,
        "line": geometry.line,
        "output_stationary": machine.matrix_unit.dataflow == "os",
        "accumulate": geometry.accumulate,
        "slots": max(1, machine.accumulators.lines // geometry.accumulate),
        "spill_address": job.spill_address,
    }
    entries = low.entries()
    n_blocks, array = len(low.block_tensor), (geometry.line, low.rows, low.cols)
    sizes = (len(entries), len(tensors), n_blocks, len(names), *array, stretch)
    arrays: tuple[npt.NDArray[Any], ...] = (
        np.array(sizes, dtype=np.int64),
        entries,
        tensors,
        np.array(low.block_tensor, dtype=np.int32),
        np.array([given[name] for name in core.MACHINE], dtype=np.int64),
        _costs(machine, geometry.chunk),
        homes,
        first_output,
        outputs,
        tensor_names,
        off_chip,
    )
    found = np.zeros(len(core.FOUND), dtype=np.int64)
    handle = native.open(*map(core.address, arrays), core.address(found))
    compilation = _Compilation(native, handle, arrays)
    outcome, count, n_spills, n_names, spill_end, n_stretches, size, pinned = found.tolist()
    if outcome == Outcome.DOES_NOT_FIT:
        raise does_not_fit(machine, size, pinned)
    if outcome == Outcome.TOO_LONG:
        raise CompileError("more instructions than 30 bits count, which is the most that can be compiled")
    if outcome == Outcome.NO_MEMORY:
        raise MemoryError("no memory to compile in")
    spilled, named = np.empty((n_spills, 4), dtype=np.int64), np.empty(n_names, dtype=np.int64)
    ends = np.empty(n_stretches, dtype=np.int64)
    native.found(handle, *map(core.address, (spilled, named, ends)))
    spills = [
        Placement(f"spill.{index}", Space.HBM, address, rows, cols, low.tensors[tensor].dtype)
        for index, (tensor, address, rows, cols) in enumerate(spilled.tolist())
    ]
    paths = list(names)
    edge = [paths[name] for name in named.tolist()]
    return Compiled(count, spills, edge, spill_end, compilation.stretches(ends))


def _costs(machine: SystolicMachine, chunk: int) -> npt.NDArray[np.int64]:
    unit, rate = machine.vector_unit, machine.hbm.bytes_per_cycle
    interval = np.ones(core.INTERVALS, dtype=np.int64)
    for function, name in ITERATIVE.items():
        interval[function] = getattr(unit, name)
    beats = ceil_div(machine.line_elements, unit.lanes)
    steering = [AHEAD * chunk, beats, rate.numerator, rate.denominator]
    return np.array([*steering, *interval.tolist()], dtype=np.int64)


class _Compilation:
    """The library's state, and the arrays that it reads."""

    def __init__(self, native: core.Native, handle: int | None, arrays: tuple[Any, ...]) -> None:
        self._native, self._handle, self._arrays = native, handle, arrays

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
            if not self._native.next(self._handle, end, *map(core.address, columns)):
                raise MemoryError("no memory to compile in")
            begin = end
            yield columns


assert len(Function) <= core.INTERVALS
