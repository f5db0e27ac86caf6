"""Fits the effective constants of a generation on measured GEMMs.

A bounded coordinate search on the mean absolute relative error, from the same start every time. Whatever is
fitted is a field of the machine's description, within that field's limits; no constant belongs to a shape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from simulator.machines.simt import Dram, Effective, Launch, SimtMachine
from simulator.simt.alignment import alignment_of
from simulator.simt.gemm import GemmTimer
from simulator.simt.kernels import ITEM_BYTES
from simulator.simt.memory import GemmShape, repeated
from simulator.simt.tiles import Alignment, pipe_of
from simulator.simt.timing import GemmProblem, KnownKernel

Constants = Mapping[str, float]
Sizes = npt.NDArray[np.float64]

MOST_SAMPLES = 900  # of one data type: more do not change the constants, and take longer
_ROUNDS = 500
_ROWS = 128  # of an estimate
_SEED = 1
_FIRST_STEP, _LAST_STEP, _PATIENCE = 0.3, 0.02, 12

_SHARED = (
    *("launch.device_us", "dram.achieved_fraction", "effective.l2_fraction", "effective.l2_kept_fraction"),
    *("effective.l2_left_fraction", "effective.block_cycles", "effective.split_us", "effective.dram_ramp_us"),
)
_OF_PIPE = {
    "fma": (
        *("effective.fma_fraction", "effective.fma_overlap", "effective.fma_split_serial_us"),
        *("effective.fma_sector_fraction", "effective.fma_drift", "effective.fma_page_cost"),
    ),
    "tensor": (
        *("effective.tensor_fraction", "effective.tensor_overlap"),
        *("effective.tensor_loaded_fraction", "effective.tensor_store_bytes_per_cycle"),
        *("effective.tensor_tile_store", "effective.tensor_uneven_dram"),
    ),
}
_LIMITS: Mapping[str, tuple[float, float]] = {
    "effective.tensor_tile_store": (0.01, 1.0),
    "effective.tensor_uneven_dram": (0.01, 1.0),
    "launch.device_us": (0.5, 6.0),
    "effective.fma_split_serial_us": (0.01, 10.0),
    "effective.fma_drift": (0.001, 0.2),
    "effective.fma_page_cost": (0.01, 1.0),
    "effective.block_cycles": (1.0, 2000.0),
    "effective.split_us": (0.1, 5.0),
    "effective.dram_ramp_us": (0.05, 3.0),
}
# What a data sheet and a general idea of GPUs say where nothing has been measured.
SPECIFICATION: Constants = {
    "launch.device_us": 2.5,
    "dram.achieved_fraction": 0.85,
    **{f"effective.{name}": float(value) for name, value in Effective().model_dump().items()},
}


@dataclass(frozen=True)
class Sample:
    """A measured GEMM on a machine.

    Units: ``time_us`` of the kernel, the measurement's own part taken off.
    """

    machine: SimtMachine
    problem: GemmProblem
    time_us: float
    kernel: KnownKernel | None = None
    weight_copies: int = 1


def specification(machine: SimtMachine) -> SimtMachine:
    """The machine with nothing calibrated: the same effective constants for every GPU, its boost clock."""
    clock = machine.clock.model_copy(update={"sustained_mhz": machine.clock.boost_mhz})
    return calibrated(machine.model_copy(update={"clock": clock}), SPECIFICATION)


def calibrated(machine: SimtMachine, constants: Constants) -> SimtMachine:
    """The machine with these constants (``unit.field``)."""
    units: dict[str, dict[str, float]] = {}
    for key, value in constants.items():
        unit, field = key.split(".")
        units.setdefault(unit, {})[field] = value
    return machine.model_copy(
        update={unit: getattr(machine, unit).model_copy(update=fields) for unit, fields in units.items()}
    )


def calibrate(
    samples: Sequence[Sample],
    rounds: int = _ROUNDS,
    start: Constants | None = None,
    keep: Sequence[str] = (),
) -> dict[str, float]:
    """The constants of one generation that fit its samples best.

    Every data type counts alike, and a known kernel as much as the model's own choice. The search begins at
    ``start``, or at what holds where nothing was calibrated. Those of ``keep`` stay the machines' own.

    Raises:
        ValueError: there are no samples, or they are of several generations.
    """
    if len({sample.machine.generation for sample in samples}) != 1:
        raise ValueError("calibrate: samples of one generation are needed")
    columns = list(_columns(samples))
    free = [*_SHARED]
    for pipe in dict.fromkeys(column.pipe for column in columns):
        free += _OF_PIPE[pipe]
    begin = {**SPECIFICATION, **(start or {})}
    within = {key: float(np.clip(begin[key], *limits(key))) for key in free if key not in keep}
    return _search(partial(_error, columns), within, rounds)


def constants_of(machine: SimtMachine) -> dict[str, float]:
    """A machine's own effective constants."""
    units = {key: key.split(".") for key in SPECIFICATION}
    return {key: float(getattr(getattr(machine, unit), field)) for key, (unit, field) in units.items()}


@dataclass(frozen=True)
class _Column:
    """Samples that one timer estimates together."""

    machine: SimtMachine
    problem: GemmProblem  # of which data type and layout count
    pipe: str
    alignment: Alignment
    kernel: KnownKernel | None
    m: Sizes
    k: Sizes
    n: Sizes
    weight_copies: int
    time_us: Sizes


def _columns(samples: Sequence[Sample]) -> Iterator[_Column]:
    rng = np.random.default_rng(_SEED)
    groups: dict[tuple[object, ...], list[Sample]] = {}
    for dtype in sorted({sample.problem.dtype for sample in samples}):
        own = [sample for sample in samples if sample.problem.dtype == dtype]
        if len(own) > MOST_SAMPLES:
            own = [own[i] for i in np.sort(rng.choice(len(own), MOST_SAMPLES, replace=False))]
        for sample in own:
            blind = replace(sample, kernel=None)
            for each in (sample, blind) if sample.kernel else (blind,):
                problem = each.problem
                layout = (problem.transa, problem.transb)
                alignment = _alignment(each)
                key = (each.machine.name, dtype, *layout, each.weight_copies, alignment, each.kernel)
                groups.setdefault(key, []).append(each)
    for group in groups.values():
        first = group[0]
        sizes = np.array([(s.problem.m, s.problem.k, s.problem.n, s.time_us) for s in group], np.float64).T
        on_tensor = pipe_of(first.machine, first.problem.dtype) in ("mma", "wgmma")
        pipe = "tensor" if on_tensor else "fma"
        m, k, n, time_us = sizes
        alignment = _alignment(first)
        yield _Column(
            *(first.machine, first.problem, pipe, alignment, first.kernel),
            *(m, k, n, first.weight_copies, time_us),
        )


def _alignment(sample: Sample) -> Alignment:
    problem = sample.problem
    return alignment_of(sample.machine, problem.dtype, problem.shape, problem.along_k)


def _error(columns: Sequence[_Column], constants: Constants) -> float:
    """Mean absolute relative error: the mean over data types."""
    errors: dict[str, list[Sizes]] = {}
    timers: dict[tuple[object, ...], tuple[SimtMachine, GemmTimer]] = {}
    for column in columns:
        problem = column.problem
        key = (column.machine.name, problem.dtype, problem.transa, problem.transb, column.alignment)
        if key not in timers:
            machine = calibrated(column.machine, constants)
            timers[key] = (
                machine,
                GemmTimer(machine, problem.dtype, problem.along_k, alignment=column.alignment),
            )
        found = np.concatenate(list(_times(*timers[key], column)))
        errors.setdefault(problem.dtype, []).append(np.abs(found / column.time_us - 1))
    return float(np.mean([np.concatenate(parts).mean() for parts in errors.values()]))


def _times(machine: SimtMachine, timer: GemmTimer, column: _Column) -> Iterator[Sizes]:
    item = ITEM_BYTES[column.problem.dtype]
    for start in range(0, len(column.time_us), _ROWS):
        rows = slice(start, start + _ROWS)
        m, k, n = (size[rows].reshape(-1, 1) for size in (column.m, column.k, column.n))
        shape = GemmShape(m, k, n, item, 4 if column.problem.dtype == "int8" else item)
        missing = repeated(machine, shape, column.weight_copies)
        if column.kernel is None:
            estimate = timer.estimate(shape, missing)
            cycles = np.take_along_axis(estimate.total, timer.chosen(shape, estimate)[:, None], 1)[:, 0]
        else:
            kernels = timer.columns_of(column.kernel.tile, column.kernel.splits)
            cycles = timer.estimate(shape, missing, kernels).total.min(axis=1)
        yield cycles / machine.clock.sustained_mhz + machine.launch.device_us


def _search(error: partial[float], start: dict[str, float], rounds: int) -> dict[str, float]:
    """Random steps in a few coordinates at a time, kept where they help, smaller when they no longer do."""
    rng = np.random.default_rng(_SEED)
    best, least = start, error(start)
    step, failures = _FIRST_STEP, 0
    keys = list(start)
    for _ in range(rounds):
        tried = dict(best)
        for key in rng.choice(keys, rng.integers(1, 4), replace=False):
            low, high = limits(key)
            tried[key] = float(np.clip(best[key] * np.exp(rng.normal() * step), low, high))
        found = error(tried)
        if found < least:
            best, least, failures = tried, found, 0
        else:
            failures += 1
        if failures > _PATIENCE:
            step, failures = max(_LAST_STEP, step * 0.6), 0
    return {key: float(f"{value:.3g}") for key, value in best.items()}


def limits(key: str) -> tuple[float, float]:
    """What a constant may be: its field's limits, where those are not wider than the search's."""
    if key in _LIMITS:
        return _LIMITS[key]
    unit, name = key.split(".")
    schemas: Mapping[str, type[BaseModel]] = {"launch": Launch, "dram": Dram, "effective": Effective}
    bounds = {type(limit).__name__: limit for limit in schemas[unit].model_fields[name].metadata}
    return float(bounds["Ge"].ge), float(bounds["Le"].le)
