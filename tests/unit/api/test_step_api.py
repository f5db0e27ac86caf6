"""``build_step`` and the engines: made when asked for, once; what is not valid is a failed check."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.api import build_step, load_machine, simt_step, time_program
from simulator.api import step as api_step
from simulator.api.checks import Check, CheckPlan, Checks
from simulator.api.step import Step, shape_key
from simulator.compiler import compile_graph
from simulator.errors import CheckError, CompileError, ConfigError, OutOfDomain
from simulator.isa import Opcode
from simulator.machines.simt import SimtMachine
from tests.support.machines import small_machine

W = np.arange(12, dtype=np.float32).reshape(3, 4)
X = np.ones((5, 3), np.float32)


def update(w: Any, x: Any, lr: Any) -> Any:
    y = np.tanh(x @ w)
    return w - lr * (x.T @ y), y.sum()


def make(**options: Any) -> Step:
    return build_step(update, (W, X, 0.5), small_machine(), carry=(0,), **options)


def test_values_and_program_agree() -> None:
    step = make()
    checks = Checks()
    execution, numbers = step.execute((W, X, 0.25))
    new, total = step.result(execution, numbers)
    assert new.shape == W.shape and np.shape(total) == ()
    checks.emulate(step, (W, X, 0.25), (new, total))
    checks.bound(step, (W, X, 0.25))
    checks.interpret(step, (W, X, 0.25))
    assert all(check.passed for check in checks.all())
    assert checks.emulation.compared == checks.program.compared == 13
    assert numbers == {"lr": 0.25}


def test_made_once_and_late(monkeypatch: pytest.MonkeyPatch) -> None:
    step = make()
    assert step.program is step.program and step.trace is step.trace and step.metrics is step.metrics

    def refuse(*arguments: Any) -> None:
        raise AssertionError("values need no Program")

    monkeypatch.setattr(api_step, "compile_graph", refuse)
    make().execute((W, X, 0.5))


def test_invalid_program_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(graph: Any, machine: Any) -> Any:
        program = compile_graph(graph, machine)
        records = program.records.copy()
        records["wait"][records["opcode"] == Opcode.VEC] = 0
        return replace(program, records=records)

    monkeypatch.setattr(api_step, "compile_graph", wrong)
    with pytest.raises(CheckError, match=r"^check program: the compiled step is not valid: "):
        _ = make().program


def test_what_does_not_fit_is_the_users() -> None:
    step = build_step(update, (W, X, 0.5), small_machine(rows=12), carry=(0,))
    with pytest.raises(CompileError, match="powers of two"):
        _ = step.program


def test_unknown_engine() -> None:
    with pytest.raises(ConfigError, match="engine = 'guess': event, fast, rtl is allowed"):
        make(engine="guess")
    step = make()
    slow = small_machine(table_cycles=3)
    with pytest.raises(OutOfDomain, match="table_cycles = 3"):
        time_program(slow, step.program, "rtl")


def test_engines_agree() -> None:
    event, fast = make(engine="event").trace, make(engine="fast").trace
    assert (event.engine, fast.engine, event.cycles) == ("event", "fast", fast.cycles)
    for name in ("events", "shifts", "stalls"):
        np.testing.assert_array_equal(getattr(event, name), getattr(fast, name))


def test_shape_key() -> None:
    base = ({"w": W}, (X,), 0.1)
    same = ({"w": W + 1}, (X * 2,), 0.2)
    assert shape_key(base) == shape_key(same)
    for other in (
        ({"w": W[:2]}, (X,), 0.1),
        ({"w": W.astype(np.int32)}, (X,), 0.1),
        ({"v": W}, (X,), 0.1),
        ({"w": W}, (X, X), 0.1),
        ({"w": W}, (X,), 1),
    ):
        assert shape_key(other) != shape_key(base)


def test_simt_step() -> None:
    machine = load_machine("h100")
    assert isinstance(machine, SimtMachine)
    result = simt_step(lambda w, s, x: (w - (x.T @ (x @ w)), s, (x * x).sum()), (W, (), X), machine)
    assert result["macs"] == 2 * 5 * 3 * 4
    assert result["machine"] == "h100" and result["time_us"] > 0 and len(result["kernels"]) >= 3


def test_plan_text() -> None:
    assert CheckPlan.parse("all") == CheckPlan(1)
    assert CheckPlan.parse("final") == CheckPlan(0)
    assert CheckPlan.parse("17") == CheckPlan(17)
    for text in ("", "0", "-1", "1.5", "some", "²", "9" * 5000):
        with pytest.raises(ConfigError, match="all, final or a positive number"):
            CheckPlan.parse(text)


def test_nothing_compared_is_not_passed() -> None:
    assert not Check("name", "against").passed
    assert Check("name", "against", steps=1, compared=1).passed
    assert not Check("name", "against", steps=1, compared=5, different=1).passed


def test_first_detail_is_kept() -> None:
    step, checks = make(), Checks()
    execution, numbers = step.execute((W, X, 0.5))
    new, total = step.result(execution, numbers)
    checks.emulate(step, (W, X, 0.5), (new + 1, total))
    first = checks.emulation.detail
    checks.emulate(step, (W, X, 0.5), (new, total + 1))
    assert "12 of 13" in first and checks.emulation.detail == first
    assert (checks.emulation.steps, checks.emulation.compared, checks.different) == (2, 26, 13)
