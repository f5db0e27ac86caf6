"""Whole Programs in RTL: every dispatch, start and end is the SimPy engine's, every bit the interpreter's."""

from __future__ import annotations

import pytest

from simulator.cosim.compare import compare
from simulator.cosim.run import run_program_rtl
from simulator.errors import DeadlockError
from simulator.systolic import simulate
from tests.cosim.random_pairs import BUILDS, QUICK, random_case
from tests.cosim.raw_programs import raw_case
from tests.cosim.support import VECTOR, check, initial, step_case
from tests.support.machines import small_machine

OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
NETWORKS = (
    {"activation": "relu", "loss": "cross_entropy"},
    {"activation": "tanh", "loss": "quadratic"},
    {"activation": "sigmoid", "loss": "cross_entropy"},
)


@pytest.mark.parametrize("side", (4, 8))
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_step(side: int, optimizer: str) -> None:
    machine = small_machine(rows=side, cols=side, lanes=side, **VECTOR)
    for network in NETWORKS:
        comparison, run = check(step_case(machine, (20, 12, 5), 10, optimizer, **network))
        assert comparison.equal, comparison.report
        assert run.halted and comparison.instructions > 50


def check_random(build: str, seeds: range) -> None:
    for seed in seeds:
        comparison, _ = check(random_case(seed, build))
        assert comparison.equal, f"seed {seed}: {comparison.report}"


@pytest.mark.parametrize("build", QUICK)
def test_random_pairs(build: str) -> None:
    check_random(build, range(6))


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_many_random_pairs(build: str) -> None:
    check_random(build, range(6, 32))


def check_raw(build: str, seeds: range) -> None:
    """Cycles alone. What the models call a deadlock stays one."""
    for seed in seeds:
        case = raw_case(seed, build)
        try:
            model = simulate(case.machine, case.program.records)
        except DeadlockError:
            model = None
        limit = 2 * model.cycles + 1000 if model else 20_000
        run = run_program_rtl(case.machine, case.program, initial(case), max_cycles=limit, need_halt=False)
        if model is None:
            assert not run.halted, f"seed {seed}: the model is stuck, the RTL is not"
            continue
        comparison = compare(case.program, run, model, run.memories)
        assert not comparison.cycle_mismatches, f"seed {seed}: {comparison.report}"


@pytest.mark.parametrize("build", QUICK)
def test_raw_instruction_streams(build: str) -> None:
    check_raw(build, range(20))


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_many_raw_instruction_streams(build: str) -> None:
    check_raw(build, range(20, 120))
