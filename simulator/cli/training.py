"""The training of ``pulsetrain run``: on the machine and, beside it, in plain NumPy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from simulator.cli.options import Workload, one_line

if TYPE_CHECKING:
    from simulator.api.checks import CheckPlan
    from simulator.api.training import StepInput, Training
    from simulator.machines.systolic import SystolicMachine
    from workloads.datasets import Dataset
    from workloads.schedules import Schedule
    from workloads.train import History


def train_both(
    machine: SystolicMachine,
    workload: Workload,
    data: Dataset,
    epochs: int,
    plan: CheckPlan,
    engine: str,
) -> tuple[Training, History]:
    """Trains on the machine, and the same network in plain NumPy on a thread of its own.

    Both compute in libraries, outside of Python's lock, and share the threads that the numerics may use.
    After an interrupt NumPy has as many epochs as the machine has finished, but at least one.
    """
    from workloads import schedules, train
    from workloads.train import History

    with one_line():
        steps = train.steps_per_epoch(len(data.train_x), workload.batch) * epochs
        schedule = schedules.parse(workload.schedule, workload.lr, steps)
    wanted = epochs

    def in_numpy() -> History:
        import numpy as np

        with np.errstate(all="ignore"):  # a run that diverges shows it in its curve
            return train.train_numpy(
                workload.config,
                workload.optimizer,
                data,
                epochs,
                workload.batch,
                schedule,
                workload.seed,
                workload.initializer,
                stop=lambda done: done >= wanted,
            )

    with _shared_threads(), ThreadPoolExecutor(1) as beside:
        history = beside.submit(in_numpy)
        try:
            run = _on_machine(machine, workload, data, epochs, schedule, plan, engine)
            if run.interrupted:
                wanted = max(1, len(run.epochs)) if run.steps else 0
            losses, accuracies, *rest = history.result()
            return run, History(losses[:wanted], accuracies[:wanted], *rest)
        finally:
            wanted = 0


@contextmanager
def _shared_threads() -> Iterator[None]:
    """Half of the threads for the numerics, half for NumPy's BLAS. More than there are cores would keep each
    other from working, as they spin while they wait.
    """
    from threadpoolctl import threadpool_limits

    from simulator.numerics import core

    share = max(1, core.threads() // 2)
    with core.forced(core.active_name(), max(1, core.threads() - share)), threadpool_limits(share, "blas"):
        yield


def _on_machine(
    machine: SystolicMachine,
    workload: Workload,
    data: Dataset,
    epochs: int,
    schedule: Schedule,
    plan: CheckPlan,
    engine: str,
) -> Training:
    from tqdm import tqdm

    from simulator.api.training import Evaluation, StepInput
    from simulator.api.training import train as train_on_machine
    from workloads import mlp, train

    params = train.initial_params(workload.config, workload.initializer, workload.seed)
    steps = train.steps_per_epoch(len(data.train_x), workload.batch) * epochs
    inputs = (
        StepInput(step.epoch, len(step.x), (step.x, step.y, step.masks, step.lr, step.t))
        for step in train.steps(workload.config, data, epochs, workload.batch, schedule, workload.seed)
    )
    with tqdm(total=steps, unit="step", file=sys.stderr, disable=None, leave=False) as bar:

        def progress(item: StepInput, loss: float) -> None:
            bar.set_postfix_str(f"epoch {item.epoch + 1}, loss {loss:.4f}", refresh=False)
            bar.update()

        return train_on_machine(
            mlp.make_train_step(workload.config, workload.optimizer),
            params,
            mlp.init_state(workload.optimizer, params),
            inputs,
            machine,
            evaluation=Evaluation(mlp.make_predict(workload.config), data.test_x, data.test_y),
            check=plan,
            engine=engine,
            progress=progress,
        )
