"""Cross-validation: constants fitted on some rows, errors on others.

``python -m simulator.measured.crossvalidate [CSV ...]`` prints errors of the GEMMs of every GPU

* *specification*: with nothing calibrated;
* *presets*: with the machines as they come, fitted on all rows of their generations;
* *left-out groups*: on rows whose (N, K) the fit has not seen, every group of rows left out once;
* *left-out GPU*: where several GPUs of a generation were measured alike, on the one not seen;
* *another GPU, scaled*: what no model with one set of constants can be expected to beat there: the
  measurements of the same GEMMs on another of them, times one constant, as if all else about it were known.

Of eager element-by-element kernels it is the host's part that is fitted, on the other operations and sizes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from simulator.machines.simt import SimtMachine
from simulator.measured import splits
from simulator.measured.gpus import Gpus
from simulator.measured.harness import WRAPPED, Harness, fit, harness_of
from simulator.measured.predict import Predictor, known_kernel, problem_of
from simulator.measured.rows import Elementwise, Gemm, Row, Table, read_table
from simulator.measured.samples import sample_paths
from simulator.measured.scores import Score, is_scored, score
from simulator.measured.text import figures
from simulator.simt.calibrate import Sample, calibrate, calibrated, specification
from simulator.simt.timing import GemmProblem

Constants = Mapping[str, float]
FOLDS = 5
_SHORT = partial(calibrate, rounds=400)  # of the search; the presets' takes more


@dataclass(frozen=True)
class Calibration:
    """How constants are made and put into a machine; the model's own unless a test says otherwise."""

    fit: Callable[[Sequence[Sample]], Constants] = _SHORT
    apply: Callable[[SimtMachine, Constants], SimtMachine] = calibrated
    reset: Callable[[SimtMachine], SimtMachine] = specification


def crossvalidate(
    rows: Sequence[Gemm], gpus: Gpus, folds: int = FOLDS, calibration: Calibration | None = None
) -> dict[str, dict[str, Score]]:
    """Scores by GPU and by what the constants were fitted on.

    A generation is fitted on its own rows alone, on all its GPUs and types together.
    """
    how = calibration or Calibration()
    found: dict[str, dict[str, Score]] = {}
    for generation in dict.fromkeys(gpus.machine(row.gpu).generation for row in rows):
        own = [row for row in rows if gpus.machine(row.gpu).generation == generation]
        presets = {gpu: gpus.machine(gpu) for gpu in dict.fromkeys(row.gpu for row in own)}
        plain = {gpu: how.reset(machine) for gpu, machine in presets.items()}
        everything = [splits.Fold("", (), tuple(own))]
        ways = {
            "specification": (everything, plain),
            "presets": (everything, presets),
            "left-out groups": (list(splits.by_family(own, folds)), plain),
        }
        alike = [list(group) for group in _by_type(own) if len({row.gpu for row in group}) > 1]
        if alike:
            ways["left-out GPU"] = ([fold for group in alike for fold in splits.by_gpu(group)], plain)
        for name, (parts, machines) in ways.items():
            for gpu, scored in _scores(parts, machines, how).items():
                found.setdefault(gpu, {})[name] = scored
        for group in alike:
            for gpu, scored in scaled_twins(group).items():
                found[gpu]["another GPU, scaled"] = scored
    return found


def scaled_twins(rows: Sequence[Gemm]) -> dict[str, Score]:
    """By GPU: the errors of another GPU's times of the same GEMMs times the best constant, of that GPU which
    comes nearest; GPUs that share no two GEMMs with another are left out.
    """
    times: dict[str, dict[GemmProblem, float]] = {}
    for row in rows:
        times.setdefault(row.gpu, {})[problem_of(row)] = row.time_us
    found = {}
    for gpu, own in times.items():
        scores = []
        for other in (measured for name, measured in times.items() if name != gpu):
            shared = [problem for problem in own if problem in other]
            if len(shared) > 1:
                measured, twin = [own[p] for p in shared], [other[p] for p in shared]
                constant = _best_constant(measured, twin)
                scores.append(score(measured, [constant * time_us for time_us in twin]))
        if scores:
            found[gpu] = min(scores, key=lambda each: each.mape)
    return found


def _best_constant(measured: Sequence[float], twin: Sequence[float]) -> float:
    """The factor of least mean absolute relative error: the rows' median factor, by weights 1 / factor."""
    factors = np.sort(np.asarray(measured) / np.asarray(twin))
    reached = np.cumsum(1 / factors)
    return float(factors[np.searchsorted(reached, reached[-1] / 2)])


def _by_type(rows: Sequence[Gemm]) -> list[list[Gemm]]:
    return [[row for row in rows if row.dtype == dtype] for dtype in dict.fromkeys(row.dtype for row in rows)]


def crossvalidate_host(
    rows: Sequence[Elementwise], gpus: Gpus, folds: int = FOLDS
) -> dict[str, dict[str, Score]]:
    """The same of the host's part of eager element-by-element rows, which no machine description has."""
    predictor = Predictor(gpus)
    found: dict[str, dict[str, Score]] = {}
    for gpu in dict.fromkeys(row.gpu for row in rows):
        own = [row for row in rows if row.gpu == gpu]
        ways = {
            "fitted on all": [splits.Fold("", tuple(own), tuple(own))],
            "left-out groups": list(splits.by_family(own, folds)),
        }
        for name, parts in ways.items():
            measured, predicted = [], []
            for fold in parts:
                hosts = {wrapped: host_of(fold.train, predictor, wrapped) for wrapped in (False, True)}
                for row in fold.test:
                    assert isinstance(row, Elementwise)
                    measured.append(row.time_us)
                    predicted.append(hosts[row.op in WRAPPED].time_us(predictor.kernel_us(row, "full")))
            found.setdefault(gpu, {})[name] = score(measured, predicted)
    return found


def host_of(rows: Sequence[Row], predictor: Predictor, wrapped: bool) -> Harness:
    """The host's part of plain or of wrapped operations, from their measurements on one GPU."""
    own = [row for row in rows if isinstance(row, Elementwise) and (row.op in WRAPPED) == wrapped]
    return fit([row.time_us for row in own], [predictor.kernel_us(row, "full") for row in own])


def _scores(
    folds: Iterable[splits.Fold], machines: Mapping[str, SimtMachine], how: Calibration
) -> dict[str, Score]:
    """The folds' test rows together, by GPU; a fold without training rows takes the machines as they are."""
    measured: dict[str, list[float]] = {}
    predicted: dict[str, list[float]] = {}
    for fold in folds:
        constants = how.fit([sample_of(row, machines[row.gpu]) for row in fold.train]) if fold.train else None
        gpus = Gpus()
        for gpu, machine in machines.items():
            gpus.replace(gpu, machine if constants is None else how.apply(machine, constants))
        predictor = Predictor(gpus)
        for row in fold.test:
            measured.setdefault(row.gpu, []).append(row.time_us)
            predicted.setdefault(row.gpu, []).append(predictor.time_us(row, "full"))
    return {gpu: score(measured[gpu], predicted[gpu]) for gpu in measured}


def sample_of(row: Row, machine: SimtMachine) -> Sample:
    """A measurement as the calibration takes it: the kernel alone, the host's part taken off."""
    assert isinstance(row, Gemm)
    kernel_us = row.time_us - harness_of(row, machine.name).lag_us
    return Sample(machine, problem_of(row), kernel_us, known_kernel(row), row.weight_copies)


def crossvalidate_tables(
    tables: Sequence[Table], gpus: Gpus, folds: int = FOLDS
) -> dict[str, dict[str, dict[str, Score]]]:
    """The scored GEMMs of all tables together, and their eager element-by-element kernels; by kind of row."""
    rows = [row for table in tables for row in table.rows if is_scored(row)]
    gemms = [row for row in rows if isinstance(row, Gemm)]
    eager = [row for row in rows if isinstance(row, Elementwise) and row.eager]
    found = {}
    if gemms:
        found["GEMMs"] = crossvalidate(gemms, gpus, folds)
    if eager:
        found["element by element"] = crossvalidate_host(eager, gpus, folds)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", nargs="*", type=Path, help="tables of measurements; the samples unless given")
    parser.add_argument("--folds", type=int, default=FOLDS)
    options = parser.parse_args(arguments)
    tables = [read_table(path) for path in options.data or sample_paths()]
    for kind, by_gpu in crossvalidate_tables(tables, Gpus(), options.folds).items():
        print(kind)
        for gpu, results in by_gpu.items():
            for name, found in results.items():
                mape, median, p90, bias = figures(found)
                print(f"  {gpu:24s} {name:18s} {found.rows:7,d} rows  MAPE {mape:>5s}  median {median:>5s}"
                      f"  p90 {p90:>5s}  bias {bias:>6s}")  # fmt: skip


if __name__ == "__main__":
    main()
