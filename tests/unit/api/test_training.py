"""``train``: the machine's own numbers, in order, checked as planned, whole or interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from simulator.api import CheckPlan, Evaluation, StepInput, Training, train
from simulator.api.training import EVALUATION_BATCH, count_elements
from simulator.errors import CaptureError
from simulator.reference import differences, emulate
from tests.support.machines import small_machine
from workloads import datasets, mlp, optimizers, schedules
from workloads import train as numpy_train

MACHINE = small_machine()
CONFIG = mlp.MLP((5, 6, 3))
DATA = datasets.load("synthetic:samples=35,features=5,classes=3", 1)  # 28 to train on
EPOCHS, BATCH = 2, 12  # 12, 12 and 4
STEPS = 6


def start(optimizer: str = "adam") -> tuple[Any, Any, Any]:
    """The training step, first parameters and first state."""
    chosen = optimizers.load(optimizer)
    params = numpy_train.initial_params(CONFIG, "he", 0)
    return mlp.make_train_step(CONFIG, chosen), params, mlp.init_state(chosen, params)


def inputs() -> Iterator[StepInput]:
    for step in numpy_train.steps(CONFIG, DATA, EPOCHS, BATCH, schedules.parse("cosine", 0.01, STEPS), 0):
        yield StepInput(step.epoch, len(step.x), (step.x, step.y, step.masks, step.lr, step.t))


def run(**options: Any) -> Training:
    function, params, state = start()
    return train(function, params, state, inputs(), MACHINE, **options)


def emulated_losses() -> tuple[Any, list[tuple[int, int, float]]]:
    """The parameters and (epoch, samples, loss) of every step, by the emulation alone."""
    function, params, state = start()
    losses = []
    for item in inputs():
        params, state, loss = emulate(function, (params, state, *item.arguments), rows=8, dataflow="ws")
        losses.append((item.epoch, item.samples, float(loss)))
    return params, losses


def test_trains_as_the_emulation_does() -> None:
    params, losses = emulated_losses()
    trained = run()
    assert differences(params, trained.params).equal
    for epoch in range(EPOCHS):
        of_epoch = [(samples, loss) for at, samples, loss in losses if at == epoch]
        mean = sum(samples * loss for samples, loss in of_epoch) / len(DATA.train_x)
        assert trained.epochs[epoch].loss == pytest.approx(mean, rel=1e-12)
        assert trained.epochs[epoch].accuracy is None
    assert trained.loss == trained.epochs[-1].loss and trained.accuracy is None
    assert trained.steps == STEPS and not trained.interrupted
    assert trained.weights == count_elements(params) == 5 * 6 + 6 + 6 * 3 + 3


def test_a_shape_is_timed_once() -> None:
    trained = run()
    assert [timed.count for timed in trained.timed] == [4, 2]
    full, ragged = (timed.step for timed in trained.timed)
    assert trained.cycles == 4 * full.trace.cycles + 2 * ragged.trace.cycles
    assert full.trace.cycles > ragged.trace.cycles
    assert trained.macs == 4 * full.metrics.macs + 2 * ragged.metrics.macs
    assert trained.utilization == pytest.approx(trained.macs / (64 * trained.cycles))
    assert trained.energy_pj == pytest.approx(4 * full.energy.energy_pj + 2 * ragged.energy.energy_pj)


def test_without_a_plan_nothing_is_checked() -> None:
    trained = run()
    assert trained.steps_checked == 0
    assert all(check.steps == check.compared == 0 for check in trained.checks.all())


@pytest.mark.parametrize(("text", "checked"), [("all", 6), ("4", 3), ("5", 2), ("100", 2), ("final", 1)])
def test_plan(text: str, checked: int) -> None:
    """First and last are among every N-th; the last step and each shape's first meet every check."""
    trained = run(check=CheckPlan.parse(text))
    assert trained.steps_checked == trained.checks.emulation.steps == checked
    assert trained.checks.program.steps == trained.checks.float64.steps == 3
    assert trained.weights_different == 0
    assert all(check.passed for check in trained.checks.all())
    assert 0.0 < trained.checks.worst_ratio <= 1.0


def test_evaluation_is_apart() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((EVALUATION_BATCH + 44, 5)).astype(np.float32)
    labels = rng.integers(0, 3, len(x))
    evaluation = Evaluation(mlp.make_predict(CONFIG), x, labels)
    trained = run(evaluation=evaluation, check=CheckPlan(1))
    plain = run()
    outputs = emulate(mlp.make_predict(CONFIG), (trained.params, x), rows=8, dataflow="ws")
    assert trained.accuracy == np.mean(np.argmax(outputs, axis=1) == labels)
    assert trained.cycles == plain.cycles
    assert [timed.count for timed in trained.evaluated] == [EPOCHS, EPOCHS]
    assert trained.evaluation_cycles == EPOCHS * sum(t.step.trace.cycles for t in trained.evaluated)
    assert trained.steps_checked == STEPS
    assert trained.checks.emulation.steps == STEPS + 2  # both shapes of the evaluation
    assert trained.checks.program.steps == 3 + 2


def test_progress_hears_of_every_step() -> None:
    seen: list[tuple[int, int, float]] = []
    run(progress=lambda item, loss: seen.append((item.epoch, item.samples, loss)))
    assert seen == emulated_losses()[1]


@pytest.mark.parametrize("steps", range(1, STEPS))
def test_interrupt_keeps_what_is_finished(steps: int) -> None:
    losses: list[float] = []

    def progress(item: StepInput, loss: float) -> None:
        losses.append(loss)
        if len(losses) == steps:
            raise KeyboardInterrupt

    trained = run(progress=progress, check=CheckPlan(1))
    assert trained.interrupted
    assert trained.steps == trained.steps_checked == steps
    assert sum(timed.count for timed in trained.timed) == steps
    assert len(trained.epochs) == steps // 4  # an epoch closes with the next one's first step
    assert trained.weights == 57 and trained.cycles > 0
    assert all(check.passed for check in trained.checks.all())


def test_interrupt_before_the_first_step() -> None:
    def interrupted() -> Iterator[StepInput]:
        raise KeyboardInterrupt
        yield

    function, params, state = start()
    trained = train(function, params, state, interrupted(), MACHINE)
    assert trained.interrupted and trained.steps == 0 and trained.timed == []
    assert trained.loss is None and trained.utilization == 0.0


def test_no_step_at_all() -> None:
    function, params, state = start()
    trained = train(function, params, state, [], MACHINE, check=CheckPlan(1))
    assert (trained.steps, trained.cycles, trained.epochs) == (0, 0, [])


def test_arguments_stay_what_they_are() -> None:
    """A step that updates in place works on the machine's memory, not on the caller's arrays."""

    def in_place(params: Any, state: Any, g: Any) -> Any:
        state *= 0.5
        state += g
        params -= state
        return params, state, (params * g).sum()

    params, state, g = np.ones(7, np.float32), np.zeros(7, np.float32), np.arange(7, dtype=np.float32)
    before = params.copy(), state.copy(), g.copy()
    items = [StepInput(0, 1, (g,)) for _ in range(3)]
    trained = train(in_place, params, state, items, MACHINE, check=CheckPlan(1))
    for now, then in zip((params, state, g), before, strict=True):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_array_equal(trained.state, np.float32(1.75) * g)
    np.testing.assert_array_equal(trained.params, 1 - np.float32(1 + 1.5 + 1.75) * g)
    assert trained.checks.different == 0


def test_further_results_are_allowed() -> None:
    def step(params: Any, state: Any, x: Any) -> Any:
        return params + x, state, params.sum(), {"extra": x * 2}

    trained = train(step, np.zeros(3, np.float32), (), [StepInput(0, 1, (np.ones(3, np.float32),))], MACHINE)
    np.testing.assert_array_equal(trained.params, [1, 1, 1])


def test_what_cannot_be_captured_names_its_line() -> None:
    def step(params: Any, state: Any, x: Any) -> Any:
        return np.sinh(params), state, params.sum()

    with pytest.raises(CaptureError, match=r"test_training\.py:\d+:\d+.*sinh"):
        train(step, np.zeros(3, np.float32), (), [StepInput(0, 1, (1.0,))], MACHINE)
