"""Whole epochs: the simulated machine's values and cycles against training in NumPy float32, and in PyTorch.

Both sides take the same shuffled batches from ``workloads``, sum the losses, and start from the same
parameters. Ours is what ``pulsetrain run`` calls, checks off, with capture, compilation and timing inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from simulator.api.training import StepInput, train
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from tests.bench import torch_training
from tests.bench.harness import Row, Side
from tests.bench.threads import COUNTS, isa, on_threads
from workloads import schedules
from workloads import train as workload
from workloads.datasets import Dataset
from workloads.mlp import MLP, init_state, make_train_step
from workloads.optimizers import BY_NAME

BENCH = "exact epoch against NumPy float32"
TORCH_BENCH = "exact epoch against PyTorch float32, where it is installed"
MLP_WIDTHS, MLP_BATCH, MLP_SAMPLES = (784, 512, 512, 10), 128, 60_000
WIDE_WIDTHS, WIDE_BATCH, WIDE_SAMPLES = (4096,) * 5, 512, 1024
AIMS = {"sgd": 1.0, "adam": 0.8}
WIDE_AIM = 1.1
SEED = 0


def rows(quick: bool) -> list[Row]:
    """The network of the aims with two optimizers, and a wide one."""
    if quick:
        return [_row((20, 12, 10), 8, 64, "sgd", 1, AIMS["sgd"])]
    found = [
        _row(MLP_WIDTHS, MLP_BATCH, MLP_SAMPLES, optimizer, threads, aim)
        for optimizer, aim in AIMS.items()
        for threads in COUNTS
    ]
    for threads in COUNTS:
        found.append(_row(WIDE_WIDTHS, WIDE_BATCH, WIDE_SAMPLES, "sgd", threads, WIDE_AIM))
    if torch_training.installed():
        for threads in COUNTS:
            found += [_torch_row(MLP_WIDTHS, MLP_BATCH, MLP_SAMPLES, name, threads) for name in AIMS]
            found.append(_torch_row(WIDE_WIDTHS, WIDE_BATCH, WIDE_SAMPLES, "sgd", threads))
    return found


def _row(
    widths: tuple[int, ...], batch: int, samples: int, optimizer: str, threads: int, aim: float
) -> Row:
    ours, rival = _sides(widths, batch, samples, optimizer)
    steps = workload.steps_per_epoch(samples, batch)
    return Row(
        BENCH,
        _case(widths, batch, samples, optimizer),
        Side(isa(), on_threads(threads, ours), steps),
        Side("NumPy", on_threads(threads, rival), steps),
        unit="steps",
        threads=threads,
        aim_ratio=aim,
    )


def _torch_row(widths: tuple[int, ...], batch: int, samples: int, optimizer: str, threads: int) -> Row:
    ours, _ = _sides(widths, batch, samples, optimizer)
    steps = workload.steps_per_epoch(samples, batch)

    def rival() -> None:
        torch_training.train(widths, optimizer, _batches(widths, batch, samples), threads)

    return Row(
        TORCH_BENCH,
        _case(widths, batch, samples, optimizer),
        Side(isa(), on_threads(threads, ours), steps),
        Side("PyTorch", rival, steps),
        unit="steps",
        threads=threads,
    )


def _case(widths: tuple[int, ...], batch: int, samples: int, optimizer: str) -> str:
    return f"{'-'.join(map(str, widths))} x{batch}, {samples:,} samples, {optimizer}"


@cache
def _data(features: int, classes: int, samples: int) -> Dataset:
    rng = np.random.default_rng(SEED)
    x = rng.random((samples, features), np.float32)
    labels = rng.integers(0, classes, samples)
    return Dataset(x, labels, x[:1], labels[:1], classes, "random", "drawn here")


def _batches(widths: tuple[int, ...], batch: int, samples: int) -> Iterator[workload.Step]:
    """One epoch, shuffled alike for everyone."""
    schedule = schedules.parse("constant", 0.001, workload.steps_per_epoch(samples, batch))
    data = _data(widths[0], widths[-1], samples)
    return workload.steps(MLP(widths), data, 1, batch, schedule, SEED)


def _sides(
    widths: tuple[int, ...], batch: int, samples: int, optimizer_name: str
) -> tuple[Callable[[], None], Callable[[], None]]:
    """One epoch on the machine, and one in NumPy."""
    config, optimizer = MLP(widths), BY_NAME[optimizer_name]()
    machine = load_machine("tpu_v2")
    assert isinstance(machine, SystolicMachine)
    train_step = make_train_step(config, optimizer)

    def inputs() -> Iterator[StepInput]:
        for step in _batches(widths, batch, samples):
            yield StepInput(step.epoch, len(step.x), (step.x, step.y, step.masks, step.lr, step.t))

    def ours() -> None:
        params = workload.initial_params(config, "he", SEED)
        run = train(train_step, params, init_state(optimizer, params), inputs(), machine, engine="fast")
        assert run.cycles > 0

    def rival() -> None:
        params = workload.initial_params(config, "he", SEED)
        state, total = init_state(optimizer, params), 0.0
        for step in _batches(widths, batch, samples):
            params, state, loss = train_step(params, state, *step[2:])
            total += float(loss) * len(step.x)

    return ours, rival
