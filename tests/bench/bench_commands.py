"""Whole commands in this process: ``run`` against the bare simulated epoch in it, and a large ``step``.

The samples are random bytes in idx files, as many as Fashion-MNIST has. One thread is measured by its
processor time, in which what happens beside it counts too; two by elapsed time.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from simulator.api.checks import CheckPlan
from simulator.api.training import Evaluation, StepInput, train
from simulator.cli.main import main
from simulator.cli.options import Workload
from simulator.cli.training import train_both
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from tests.bench.harness import Row, Side
from tests.bench.threads import COUNTS, isa, on_threads
from workloads import datasets, mlp, optimizers, schedules
from workloads import train as workloads_train

RUN_AIM, STEP_AIM_S = 2.0, 5.0
RUN_BENCH = "run with sampled checks against the bare simulated epoch"
STEP_BENCH = "step, all of it"
EVERY = 100  # steps between two that are checked
COMMAND = "the command"
BATCH, LR, SEED = 128, 0.001, 0
_KEPT = TemporaryDirectory(prefix="pulsetrain-bench-")  # removed when Python ends


def rows(quick: bool) -> list[Row]:
    """An epoch of ``run``: on the machine alone, with NumPy's beside it, and all of the command."""
    hidden, samples, tests = ((16, 16), 256, 64) if quick else ((512, 512), 60_000, 10_000)
    found = []
    for threads in (1,) if quick else COUNTS:
        bare, sides = _sides(hidden, samples, tests)
        for name, ours in sides.items():
            found.append(
                Row(
                    RUN_BENCH,
                    f"784-{'-'.join(map(str, hidden))}-10 x{BATCH}, {samples:,} samples, adam: {name}",
                    Side(isa(), on_threads(threads, ours)),
                    Side("bare epoch", on_threads(threads, bare)),
                    unit="epochs",
                    threads=threads,
                    aim_ratio=RUN_AIM if name == COMMAND else None,
                )
            )
    wide = ("64,64", 8) if quick else (",".join(["4096"] * 7), 512)
    return [*found, _step_row(*wide)]


def _step_row(hidden: str, batch: int) -> Row:
    size = hidden.partition(",")[0]
    arguments = ("--hidden", hidden, "--inputs", size, "--outputs", size, "--batch", str(batch))
    return Row(
        STEP_BENCH,
        f"{hidden.count(',') + 2} x {size}, batch {batch}, on tpu_v2",
        Side("event", lambda: call("step", "--machine", "tpu_v2", *arguments, "--json")),
        unit="steps",
        aim_rate=1 / STEP_AIM_S,
    )


def call(*arguments: str) -> None:
    """A command, which must succeed."""
    with redirect_stdout(io.StringIO()):
        try:
            main(list(arguments))
        except SystemExit as left:
            assert left.code == 0


def _sides(
    hidden: tuple[int, ...], samples: int, tests: int
) -> tuple[Callable[[], None], dict[str, Callable[[], None]]]:
    folder = _folder(samples, tests)
    data = datasets.load(folder)
    network = mlp.MLP((data.features, *hidden, data.classes))
    optimizer = optimizers.Adam()
    machine = load_machine("tpu_v2")
    assert isinstance(machine, SystolicMachine)
    plan = CheckPlan(EVERY)

    def train_on_machine(evaluation: Evaluation | None, check: CheckPlan | None) -> None:
        params = workloads_train.initial_params(network, "he", SEED)
        schedule = schedules.parse("constant", LR, workloads_train.steps_per_epoch(samples, BATCH))
        inputs = (
            StepInput(step.epoch, len(step.x), (step.x, step.y, step.masks, step.lr, step.t))
            for step in workloads_train.steps(network, data, 1, BATCH, schedule, SEED)
        )
        run = train(
            mlp.make_train_step(network, optimizer),
            params,
            mlp.init_state(optimizer, params),
            inputs,
            machine,
            evaluation=evaluation,
            check=check,
            engine="fast",
        )
        assert run.cycles > 0 and (check is None or run.weights_different == 0)

    def bare() -> None:
        train_on_machine(None, None)

    def checked() -> None:
        train_on_machine(Evaluation(mlp.make_predict(network), data.test_x, data.test_y), plan)

    def both() -> None:
        workload = Workload(network, optimizer, LR, "constant", "he", BATCH, SEED, {})
        run, history = train_both(machine, workload, data, 1, plan, "fast")
        assert run.weights_different == 0 and len(history.losses) == 1

    def command() -> None:
        widths = ",".join(map(str, hidden))
        training = ("--hidden", widths, "--batch", str(BATCH), "--epochs", "1", "--engine", "fast")
        checks = ("--check", str(EVERY), "--out", str(Path(folder, "report")))
        call("run", "--dataset", folder, *training, *checks)

    return bare, {"checked and evaluated": checked, "NumPy's beside it": both, COMMAND: command}


@cache
def _folder(samples: int, tests: int) -> str:
    """A folder of idx files."""
    folder = Path(_KEPT.name, f"{samples}-{tests}")
    folder.mkdir()
    rng = np.random.default_rng(SEED)
    for part, count in (("train", samples), ("t10k", tests)):
        images = struct.pack(">I3I", 0x803, count, 28, 28) + rng.bytes(count * 784)
        labels = struct.pack(">2I", 0x801, count) + rng.integers(0, 10, count, np.uint8).tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    return str(folder)
