"""A fault seeded in any one part makes the run fail: exit code 1, the check that found it, what differs.

The parts are capture, kernels, compiler, interpreter and emulation. Every fault's run passes without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from simulator.api import step as api_step
from simulator.isa import Function, Records
from simulator.numerics import core
from simulator.program import Program
from simulator.validate import validate
from tests.support.command import Outcome, call, without_report
from tests.support.faults import capture, compiler, emulation, interpreter, kernels
from tests.support.faults.base import BASE, EMULATION, FLOAT64, OWN, PROGRAM, Fault, Patch

FAULTS = {
    f"{part}: {name}": fault
    for part, faults in {
        "capture": capture.FAULTS,
        "kernels": kernels.IN_NUMPY,
        "kernels in C": kernels.IN_C,
        "compiler": compiler.FAULTS,
        "interpreter": interpreter.FAULTS,
        "emulation": emulation.FAULTS,
    }.items()
    for name, fault in faults.items()
}


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: Patch) -> Iterator[None]:
    """A folder with the user's optimizers; afterwards the C core has the right tables again."""
    monkeypatch.chdir(tmp_path)
    without_report(monkeypatch)
    (tmp_path / "own.py").write_text(OWN)
    yield
    if core.active() is not None:
        kernels.set_native_tables()


def train(fault: Fault, *extra: str) -> Outcome:
    with ExitStack() as stack:
        if fault.backend:
            stack.enter_context(core.forced(fault.backend))
        return call(*BASE, *fault.extra, *extra)


_passed: set[tuple[tuple[str, ...], str]] = set()


def check_twin(fault: Fault) -> None:
    """The same run without the fault passes (found out once)."""
    if (fault.extra, fault.backend) not in _passed:
        outcome = train(fault)
        assert outcome.code == 0, outcome.err
        assert outcome.json["weights_different"] == 0
        assert all(check["passed"] and check["values"] for check in outcome.json["checks"])
        _passed.add((fault.extra, fault.backend))


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(name: str, monkeypatch: Patch) -> None:
    fault = FAULTS[name]
    check_twin(fault)
    fault.seed(monkeypatch)
    outcome = train(fault)
    assert outcome.code == 1, outcome.err
    result = outcome.json
    assert not result["passed"]
    checks = {check["name"]: check for check in result["checks"]}
    assert list(checks) == [EMULATION, FLOAT64, PROGRAM]
    failed = {name for name, check in checks.items() if not check["passed"]}
    assert fault.found_by in failed
    assert checks[fault.found_by]["differences"] > 0
    assert checks[fault.found_by]["detail"]
    if fault.found_by == FLOAT64 or not name.startswith(("capture", "kernels")):
        # Whose fault it is not, that check passes.
        assert failed == {fault.found_by}
    assert result["weights_different"] > 0 or not fault.weights


@pytest.mark.parametrize("name", compiler.CHANGES)
def test_validator_refuses_or_values_differ(name: str, monkeypatch: Patch) -> None:
    """With the validator awake no fault of the compiler's passes either, and none is a user's error."""
    change, extra = compiler.CHANGES[name]
    compiler.compiled(change)(monkeypatch)
    monkeypatch.setattr(api_step, "validate", validate)
    outcome = call(*BASE, *extra)
    assert outcome.code == 1
    if not outcome.out:
        assert outcome.err.startswith("pulsetrain: check program:") and outcome.err.count("\n") == 1


def test_text_names_the_check(monkeypatch: Patch) -> None:
    kernels.IN_NUMPY["bfloat16 truncated"].seed(monkeypatch)
    with core.forced("numpy"):
        outcome = call(*(argument for argument in BASE if argument != "--json"))
    assert outcome.code == 1
    assert "check emulation FAILED" in outcome.out
    assert "check program   ok" in outcome.out
    assert " 0 of " not in next(line for line in outcome.out.splitlines() if "differ from" in line)


@pytest.mark.parametrize("check", ["final", "3"])
def test_sampled_steps_find_it_too(check: str, monkeypatch: Patch) -> None:
    fault = emulation.FAULTS["k reversed"]
    assert train(fault, "--check", check).code == 0
    fault.seed(monkeypatch)
    assert train(fault, "--check", check).code == 1


def test_what_cannot_be_executed_is_a_failed_check(monkeypatch: Patch) -> None:
    """An address outside the memory: no value, and a report that says so."""

    def beyond(program: Program, records: Records) -> None:
        records["dst"][compiler.vec(records, Function.MULTIPLY)[-1]] = (1 << 24) - 4

    compiler.compiled(beyond)(monkeypatch)
    outcome = call(*BASE)
    assert outcome.code == 1
    (check,) = (check for check in outcome.json["checks"] if check["name"] == PROGRAM)
    assert not check["passed"] and "unified buffer" in check["detail"]
