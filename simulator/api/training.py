"""A training run on a simulated machine: every value to the bit, every cycle counted, and checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simulator.api.checks import CheckPlan, Checks
from simulator.api.step import Function, Step, build_step, shape_key
from simulator.graph import Array
from simulator.machines.systolic import SystolicMachine
from simulator.reference import differences

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class StepInput:
    """What one step is given besides parameters and state: the ``arguments`` that follow them."""

    epoch: int
    samples: int
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Evaluation:
    """A function of (params, x) and the samples whose labels its largest output should name.

    Shapes: x (samples, features), labels (samples,) of integers.
    """

    predict: Function
    x: Array
    labels: Array


@dataclass
class Timed:
    """A step of one shape and how often it ran."""

    step: Step
    count: int = 0

    @property
    def cycles(self) -> int:
        """Cycles of all its executions: timing does not depend on data, so it is timed once."""
        return self.count * self.step.trace.cycles


@dataclass
class Epoch:
    """The mean loss over an epoch's samples and the accuracy after it."""

    epoch: int
    loss: float
    accuracy: float | None = None


@dataclass
class Training:
    """What a run gave. Cycles are those of the core's clock."""

    machine: SystolicMachine
    params: Any
    state: Any
    checks: Checks
    steps: int = 0
    epochs: list[Epoch] = field(default_factory=list)
    timed: list[Timed] = field(default_factory=list)  # training, by shape; the first is the full batch's
    evaluated: list[Timed] = field(default_factory=list)
    weights: int = 0
    weights_different: int | None = None  # None: no step was emulated
    steps_checked: int = 0
    interrupted: bool = False

    @property
    def cycles(self) -> int:
        """Cycles of all training steps."""
        return sum(timed.cycles for timed in self.timed)

    @property
    def evaluation_cycles(self) -> int:
        """Cycles of all evaluations, apart from training."""
        return sum(timed.cycles for timed in self.evaluated)

    @property
    def energy_pj(self) -> float:
        """Energy of all training steps."""
        return sum(timed.count * timed.step.energy.energy_pj for timed in self.timed)

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates of all training steps."""
        return sum(timed.count * timed.step.metrics.macs for timed in self.timed)

    @property
    def utilization(self) -> float:
        """Useful multiply-accumulates over what the array could do in the training's cycles."""
        unit = self.machine.matrix_unit
        return self.macs / (unit.rows * unit.cols * self.cycles) if self.cycles else 0.0

    @property
    def loss(self) -> float | None:
        """Mean loss of the last epoch."""
        return self.epochs[-1].loss if self.epochs else None

    @property
    def accuracy(self) -> float | None:
        """Accuracy after the last epoch."""
        return self.epochs[-1].accuracy if self.epochs else None


class _Shapes:
    """Steps by the shapes of their arguments."""

    def __init__(self, build: Callable[[tuple[Any, ...]], Step]) -> None:
        self._build = build
        self.timed: dict[Any, Timed] = {}

    def at(self, arguments: tuple[Any, ...], varying: tuple[Any, ...]) -> Timed:
        """The step of these arguments, of which only the varying ones change their shapes in a run."""
        key = shape_key(varying)
        if key not in self.timed:
            self.timed[key] = Timed(self._build(arguments))
        return self.timed[key]


def _with_last(items: Iterable[StepInput]) -> Iterator[tuple[StepInput, bool]]:
    iterator = iter(items)
    held = next(iterator, None)
    while held is not None:
        following = next(iterator, None)
        yield held, following is None
        held = following


def train(
    train_step: Function,
    params: Any,
    state: Any,
    steps: Iterable[StepInput],
    machine: SystolicMachine,
    *,
    evaluation: Evaluation | None = None,
    check: CheckPlan | None = None,
    engine: str = "event",
    progress: Callable[[StepInput, float], None] | None = None,
) -> Training:
    """Trains on the simulated machine.

    ``train_step(params, state, *arguments) -> (params, state, loss, ...)`` is plain NumPy. With ``check``
    the first step of every shape and the last step are also compared with float64 and interpreted from
    their compiled Programs (in the first one a state of zeros may hide an error of the compiler's),
    and the steps that it chooses are emulated: when every step is, the emulation goes its own way from the
    first parameters on, otherwise each starts from the machine's own state.

    Raises:
        CaptureError, CompileError, DeadlockError: the function or the machine does not allow it.
    """
    shapes = _Shapes(
        lambda arguments: build_step(train_step, arguments, machine, engine=engine, name="train")
    )
    checks = Checks()
    run = Training(machine, params, state, checks)
    expected: Any = (params, state) if check is not None and check.every == 1 else None
    epoch_loss, epoch_samples, epoch = 0.0, 0, 0
    predictor = _Predictor(evaluation, machine, engine, run) if evaluation is not None else None

    def close_epoch() -> None:
        if epoch_samples:
            run.epochs.append(Epoch(epoch, epoch_loss / epoch_samples))
            if predictor is not None:
                run.epochs[-1].accuracy = predictor.accuracy(run.params)

    try:
        for item, last in _with_last(steps):
            if item.epoch != epoch:
                close_epoch()
                epoch_loss, epoch_samples, epoch = 0.0, 0, item.epoch
            arguments = (run.params, run.state, *item.arguments)
            timed = shapes.at(arguments, item.arguments)
            wanted = check is not None and (timed.count == 0 or last or check.wants(run.steps, last))
            # The first parameters are the caller's; later ones are this loop's, and a check reads them again.
            follows = run.steps > 0
            execution, numbers = timed.step.execute(
                arguments, follows=follows, consume=follows and not wanted
            )
            result = timed.step.result(execution, numbers)
            if check is not None:
                if timed.count == 0 or last:
                    checks.bound(timed.step, arguments)
                    checks.interpret(timed.step, arguments)
                if check.wants(run.steps, last):
                    start = arguments if expected is None else (*expected, *item.arguments)
                    emulated = checks.emulate(timed.step, start, result)
                    run.steps_checked += 1
                    found = differences(emulated[0], result[0]).different
                    run.weights_different = max(run.weights_different or 0, found)
                    if expected is not None:
                        expected = (emulated[0], emulated[1])
            run.params, run.state = result[0], result[1]
            loss = float(result[2])
            timed.count += 1
            run.steps += 1
            epoch_loss += loss * item.samples
            epoch_samples += item.samples
            if progress is not None:
                progress(item, loss)
        close_epoch()
        if check is not None and predictor is not None:
            predictor.check(run.params, checks)
    except KeyboardInterrupt:
        run.interrupted = True
    run.timed = list(shapes.timed.values())
    run.timed = [timed for timed in run.timed if timed.count]
    run.weights = count_elements(run.params)
    return run


class _Predictor:
    """Accuracy computed on the machine, batch by batch, the ragged last one included."""

    def __init__(self, evaluation: Evaluation, machine: SystolicMachine, engine: str, run: Training) -> None:
        self._evaluation, self._run = evaluation, run
        self._shapes = _Shapes(
            lambda arguments: build_step(
                evaluation.predict, arguments, machine, carry=(), resident=(0,), name="predict", engine=engine
            )
        )

    def _batches(self) -> Iterator[tuple[Array, Array]]:
        x, labels = self._evaluation.x, self._evaluation.labels
        for start in range(0, len(x), EVALUATION_BATCH):
            yield x[start : start + EVALUATION_BATCH], labels[start : start + EVALUATION_BATCH]

    def accuracy(self, params: Any) -> float:
        right = 0
        for x, labels in self._batches():
            timed = self._shapes.at((params, x), (x,))
            execution, numbers = timed.step.execute((params, x))
            outputs = timed.step.result(execution, numbers)
            right += int(np.sum(np.argmax(outputs, axis=1) == labels))
            timed.count += 1
        self._run.evaluated = list(self._shapes.timed.values())
        return right / len(self._evaluation.x)

    def check(self, params: Any, checks: Checks) -> None:
        """The first batch of every shape, against everything."""
        seen: set[int] = set()
        for x, _ in self._batches():
            step = self._shapes.at((params, x), (x,)).step
            if len(x) in seen:
                continue
            seen.add(len(x))
            execution, numbers = step.execute((params, x))
            checks.emulate(step, (params, x), step.result(execution, numbers))
            checks.bound(step, (params, x))
            checks.interpret(step, (params, x))


def count_elements(tree: Any) -> int:
    """Numbers in all arrays of a tree."""
    if isinstance(tree, dict):
        return sum(count_elements(item) for item in tree.values())
    if isinstance(tree, Sequence) and not isinstance(tree, str):
        return sum(count_elements(item) for item in tree)
    return int(getattr(tree, "size", 0))
