"""Calibration: it finds constants that made the data, within limits, and one generation at a time."""

from __future__ import annotations

import itertools

import pytest

from simulator.machines.simt import SimtMachine
from simulator.simt.calibrate import (
    SPECIFICATION,
    Sample,
    calibrate,
    calibrated,
    constants_of,
    limits,
    specification,
)
from simulator.simt.timing import GemmProblem, KnownKernel, gemm_time


def made_on(
    machine: SimtMachine, truth: SimtMachine, sizes: tuple[int, ...] = (8, 704, 4096)
) -> list[Sample]:
    """What ``truth`` would measure, as samples of ``machine``."""
    problems = [GemmProblem(m, k, n, False, True) for m, k, n in itertools.product(sizes, repeat=3)]
    times = [gemm_time(truth, problem, weight_copies=1).time_us for problem in problems]
    return [Sample(machine, problem, time_us) for problem, time_us in zip(problems, times, strict=True)]


def error(machine: SimtMachine, samples: list[Sample]) -> float:
    found = [gemm_time(machine, s.problem, weight_copies=1).time_us / s.time_us - 1 for s in samples]
    return sum(abs(each) for each in found) / len(found)


def test_constants_that_made_the_data_are_found(load) -> None:
    """A block's ends are kept: in GEMMs of one wave they are a launch by another name."""
    start, keep = specification(load("a100_80")), ("effective.block_cycles",)
    truth = calibrated(start, {"launch.device_us": 4.0, "effective.tensor_fraction": 0.7})
    samples = made_on(start, truth)
    found = calibrate(samples, rounds=150, keep=keep)
    assert error(start, samples) > 0.15
    assert error(calibrated(start, found), samples) < 0.03
    assert found["launch.device_us"] == pytest.approx(4.0, rel=0.1)
    assert found == calibrate(samples, rounds=150, keep=keep)


def test_a_search_that_begins_at_the_truth_stays_there(load) -> None:
    """Rows aligned to 2, 8 and 16 bytes, each with its own kernels."""
    machine = load("a100_80")
    samples = made_on(machine, machine, (8, 700, 4095))
    assert error(machine, samples) == 0
    found = calibrate(samples, rounds=20, start=constants_of(machine))
    assert found == {key: pytest.approx(constants_of(machine)[key], rel=0.01) for key in found}


def test_constants_stay_within_limits(load) -> None:
    start = specification(load("a100_80"))
    slow = [Sample(s.machine, s.problem, 20 * s.time_us) for s in made_on(start, start)]
    found = calibrate(slow, rounds=120)
    for key, value in found.items():
        low, high = limits(key)
        assert low <= value <= high, key
    assert found["launch.device_us"] > 5


def test_a_known_kernel_is_fitted_too(load) -> None:
    start = specification(load("v100_pcie"))
    truth = calibrated(start, {"effective.fma_fraction": 0.6})
    problem, kernel = GemmProblem(2000, 2000, 2000, False, True, "float32"), KnownKernel("128x64")
    time_us = gemm_time(truth, problem, kernel=kernel, weight_copies=1).time_us
    found = calibrate([Sample(start, problem, time_us, kernel)], rounds=100)
    again = gemm_time(calibrated(start, found), problem, kernel=kernel, weight_copies=1).time_us
    assert again == pytest.approx(time_us, rel=0.1)


def test_generations_do_not_mix(load) -> None:
    samples = [Sample(load(name), GemmProblem(8, 8, 8), 3.0) for name in ("v100", "a100_80")]
    with pytest.raises(ValueError, match="one generation"):
        calibrate(samples)
    with pytest.raises(ValueError, match="one generation"):
        calibrate([])


@pytest.mark.parametrize("name", ["a100_40", "h100", "v100", "titan_xp"])
def test_specification_has_the_same_effective_constants_everywhere(load, name: str) -> None:
    machine = specification(load(name))
    assert machine.launch.device_us == SPECIFICATION["launch.device_us"]
    assert machine.dram.achieved_fraction == SPECIFICATION["dram.achieved_fraction"]
    assert machine.effective == specification(load("h200")).effective
