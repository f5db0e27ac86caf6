"""Cross-validation, with calibrations whose results are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from simulator.machines.simt import SimtMachine
from simulator.measured.crossvalidate import (
    Calibration,
    crossvalidate,
    crossvalidate_host,
    scaled_twins,
)
from simulator.measured.gpus import Gpus
from simulator.measured.harness import Harness, harness_of
from simulator.measured.predict import Predictor
from simulator.measured.rows import Elementwise, Gemm, family_of
from simulator.simt.calibrate import Sample

A100, H100 = "A100-SXM4-80GB", "H100-SXM5-80GB"
TRUE_LAUNCH_US, PLAIN_LAUNCH_US = 7.0, 1.0


def with_launch(machine: SimtMachine, launch_us: float) -> SimtMachine:
    launch = machine.launch.model_copy(update={"device_us": launch_us})
    return machine.model_copy(update={"launch": launch})


def measured(gpu: str, m: int, n: int, k: int, launch_us: float = TRUE_LAUNCH_US) -> Gemm:
    """What the model itself would measure on a GPU with that launch cost."""
    gpus = Gpus()
    gpus.replace(gpu, with_launch(gpus.machine(gpu), launch_us))
    row = Gemm(gpu, "bfloat16", m, n, k, False, True, 1.0, eager=False)
    return Gemm(gpu, "bfloat16", m, n, k, False, True, Predictor(gpus).time_us(row, "full"), eager=False)


class Recorder:
    """A calibration of the launch cost alone, which remembers what it was fitted on."""

    def __init__(self) -> None:
        self.seen: list[list[Sample]] = []

    def fit(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        self.seen.append(list(samples))
        sample = min(samples, key=lambda sample: sample.time_us)
        gpus = Gpus()
        gpus.replace("X", with_launch(sample.machine, 0.0))
        problem = sample.problem
        row = Gemm(
            "X", problem.dtype, problem.m, problem.n, problem.k, problem.transa, problem.transb, 1.0, False
        )
        return {"launch.device_us": sample.time_us - Predictor(gpus).time_us(row, "full")}

    def calibration(self) -> Calibration:
        return Calibration(
            self.fit,
            lambda machine, constants: with_launch(machine, constants["launch.device_us"]),
            lambda machine: with_launch(machine, PLAIN_LAUNCH_US),
        )


def test_a_fit_that_finds_the_truth_leaves_no_error_and_specification_does() -> None:
    rows = [measured(A100, m, n, 64) for m in (16, 64) for n in (64, 128, 256, 512)]
    recorder = Recorder()
    gpus = Gpus()
    gpus.replace(A100, with_launch(gpus.machine(A100), TRUE_LAUNCH_US))
    found = crossvalidate(rows, gpus, folds=4, calibration=recorder.calibration())
    assert found[A100]["presets"].mape == pytest.approx(0.0, abs=1e-6)
    assert set(found) == {A100} and set(found[A100]) == {"specification", "presets", "left-out groups"}
    assert found[A100]["left-out groups"].mape == pytest.approx(0.0, abs=1e-6)
    assert found[A100]["left-out groups"].rows == len(rows)
    assert found[A100]["specification"].bias < -20  # 1 us of launch for 7


def test_no_fit_sees_what_it_is_scored_on() -> None:
    """A group whose launch cost differs shows its error when it is left out, not when it is seen."""
    rows = [measured(A100, m, n, 64) for m in (16, 64) for n in (128, 256, 512)]
    odd = [measured(A100, m, 64, 64, launch_us=3.0) for m in (16, 64)]
    recorder = Recorder()
    found = crossvalidate([*rows, *odd], Gpus(), folds=4, calibration=recorder.calibration())
    assert len(recorder.seen) == 4
    for samples in recorder.seen:
        sizes = {(sample.problem.n, sample.problem.k) for sample in samples}
        assert len(samples) == 2 * len(sizes) == 6  # one group of two rows is missing
    # Left out, the odd group is predicted with 7 us; the others with its 3 us, which every other fold finds.
    assert found[A100]["left-out groups"].mape > 25


def test_generations_are_fitted_apart_and_gpus_left_out_within_one() -> None:
    rows = [measured(gpu, 32, n, 64) for gpu in (A100, H100, "A100-PCIE-40GB") for n in (64, 128, 256)]
    lone = replace(rows[-1], gpu="A100-PCIE-80GB", dtype="float16")  # no other GPU has its type
    rows.append(lone)
    recorder = Recorder()
    found = crossvalidate(rows, Gpus(), folds=3, calibration=recorder.calibration())
    assert set(found) == {A100, H100, "A100-PCIE-40GB", lone.gpu}
    assert "left-out GPU" not in found[lone.gpu]
    assert "left-out GPU" in found[A100] and "left-out GPU" not in found[H100]
    for samples in recorder.seen:
        assert len({sample.machine.generation for sample in samples}) == 1
    assert found["A100-PCIE-40GB"]["left-out GPU"].mape == pytest.approx(0.0, abs=1e-6)
    assert [gpu for gpu, ways in found.items() if "another GPU, scaled" in ways] == [A100, "A100-PCIE-40GB"]


def gemm(gpu: str, n: int, time_us: float) -> Gemm:
    return Gemm(gpu, "float32", 64, n, 64, False, False, time_us, eager=False)


def test_another_gpu_is_scaled_by_the_constant_of_least_error() -> None:
    """Z measures 3 times X's times but once, Y 1, 2, 4 and 8 times: of the two, Z is the nearer to X."""
    sizes = (64, 128, 256, 512)
    times = {"X": (10, 20, 30, 40), "Y": (10, 40, 120, 320), "Z": (30, 60, 90, 240)}
    rows = [gemm(gpu, n, t) for gpu, own in times.items() for n, t in zip(sizes, own, strict=True)]
    rows.append(gemm("X", 1024, 999.0))  # nobody else has it
    found = scaled_twins(rows)
    assert set(found) == {"X", "Y", "Z"}
    assert (found["X"].rows, found["X"].median) == (4, 0.0)
    assert found["X"].mape == found["X"].bias == pytest.approx(100 / 4)  # 40 is taken for 240 / 3 = 80
    # Z from X: 3 times; the last row is taken for 120. From Y it would be worse.
    assert found["Z"].mape == -found["Z"].bias == pytest.approx(50 / 4)
    for gpu, others in (("X", "YZ"), ("Y", "XZ"), ("Z", "XY")):
        own, twins = np.array(times[gpu]), [np.array(times[other]) for other in others]
        errors = [np.abs(c * twin / own - 1).mean() for twin in twins for c in np.geomspace(0.01, 100, 2001)]
        assert found[gpu].mape <= 100 * min(errors) + 1e-9


def test_a_relative_error_weighs_a_small_factor_more_than_a_large_one() -> None:
    """Factors of 1, 2, 4 and 8: with 1, not with a median of them, a half, 3/4 and 7/8 are missing."""
    rows = [gemm("X", n, 10.0) for n in (1, 2, 4, 8)] + [gemm("Y", n, 10.0 * n) for n in (1, 2, 4, 8)]
    assert scaled_twins(rows)["Y"].mape == pytest.approx(100 * (1 / 2 + 3 / 4 + 7 / 8) / 4)


def test_a_gpu_without_a_twin_has_no_scaled_one() -> None:
    rows = [gemm("X", n, 10.0) for n in (64, 128)] + [gemm("Y", n, 10.0) for n in (128, 256)]
    assert scaled_twins(rows) == {}


def test_host_part_is_found_on_other_operations_and_sizes() -> None:
    hosts = {False: Harness(12.0, 25.0), True: Harness(16.0, 31.0)}
    predictor = Predictor(Gpus())
    rows = []
    for op in ("add", "tanh", "relu", "addu"):
        for power in range(10, 27):
            row = Elementwise("Tesla V100-PCIE-32GB", op, 2**power, 1.0, eager=True)
            time_us = hosts[op in ("relu", "addu")].time_us(predictor.kernel_us(row, "full"))
            rows.append(Elementwise(row.gpu, op, row.elements, time_us, eager=True))
    found = crossvalidate_host(rows, Gpus(), folds=4)
    assert found["Tesla V100-PCIE-32GB"]["left-out groups"].mape == pytest.approx(0.0, abs=1e-6)
    assert found["Tesla V100-PCIE-32GB"]["left-out groups"].rows == len(rows)
    assert harness_of(rows[0], "v100_pcie") != hosts[False]  # it came from the rows, not from the table
    assert len({family_of(row) for row in rows}) == len(rows)
