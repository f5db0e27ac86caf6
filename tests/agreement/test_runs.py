"""``pulsetrain run``: whatever is trained, on whatever machine, no weight differs and every check passes.

Each choice that the command offers is varied with the others at their defaults, on three machines with the
three dataflows; then many choices at once; then optimizers of a user's own.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.command import call, without_report
from workloads import datasets, optimizers

Options = dict[str, Any]

DATA = "synthetic:samples=70,features=5,classes=3"
DEFAULTS: Options = {"dataset": DATA, "hidden": "6", "batch": "32", "epochs": 2, "against": "none"}

MINE = """
inherit = "edge_8x8"
name = "mine"
[matrix_unit]
rows = 4
dataflow = "os"
pe_latency_cycles = 2
[unified_buffer]
capacity_bytes = 2048
[accumulators]
lines = 16
"""
PLACES: dict[str, Options] = {
    "edge_8x8": {"machine": "edge_8x8"},
    "tpu_v2": {"machine": "tpu_v2", "dataflow": "is"},
    "mine": {"machine": "mine.toml"},
}

VARIED: dict[str, Options] = {
    "defaults": {},
    **{f"optimizer {name}": {"optimizer": name} for name in optimizers.BY_NAME},
    "loss quadratic": {"loss": "quadratic"},
    "loss cross-entropy": {"loss": "cross_entropy"},
    "sigmoid outputs, cross-entropy": {"loss": "cross_entropy", "output": "sigmoid"},
    **{
        f"{name} outputs, quadratic": {"loss": "quadratic", "output": name, "lr": 0.001}
        for name in ("sigmoid", "tanh", "relu", "linear")
    },
    **{f"activation {name}": {"activation": name} for name in ("sigmoid", "tanh", "relu")},
    **{f"initializer {name}": {"init": name} for name in ("normal", "scaled_normal", "he")},
    **{f"batch {size}": {"batch": str(size)} for size in (1, 7, 32, "full")},
    "batch beyond the samples": {"batch": "1000"},
    "no hidden layer": {"hidden": ""},
    "deep": {"hidden": "7,4,9,3"},
    "wider than a line": {"hidden": "37"},
    "one unit": {"hidden": "1"},
    "residual": {"hidden": "6,6,6", "residual": True},
    "dropout": {"dropout": 0.7},
    "dropout and residual": {"hidden": "9,9", "residual": True, "dropout": 0.5},
    "l2": {"l2": 0.01},
    "another seed": {"seed": 2**40 + 1},
    "another learning rate": {"lr": 0.05},
    "step schedule": {"schedule": "step:every=2,factor=0.5"},
    "exponential schedule": {"schedule": "exponential:every=3,rate=0.5"},
    "cosine schedule": {"schedule": "cosine:final=0.1"},
    "warm-up": {"schedule": "constant:warmup=3"},
    "warm-up and cosine": {"schedule": "cosine:warmup=2"},
    "every third step emulated": {"batch": "5", "check": "3"},
    "last step emulated": {"batch": "5", "check": "final"},
    "against a GPU": {"against": "v100"},
}


def as_arguments(options: Options) -> list[str]:
    arguments = []
    for name, value in options.items():
        arguments += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return arguments


def expected_checked(check: str, steps: int) -> int:
    """How many of the steps the emulation repeats."""
    if check == "final":
        return 1
    every = 1 if check == "all" else int(check)
    return len({*range(0, steps, every), steps - 1})


def check_run(options: Options) -> dict[str, Any]:
    """Run the command; everything that must hold of any run. Returns what it printed."""
    outcome = call("run", *as_arguments(options), "--json", "--out", "report")
    assert outcome.code == 0, (outcome.err, options)
    result = outcome.json
    data = datasets.load(options["dataset"], options.get("seed", 0))
    samples = len(data.train_x)
    batch = samples if options["batch"] == "full" else min(int(options["batch"]), samples)
    per_epoch = math.ceil(samples / batch)
    assert result["weights_different"] == 0
    assert result["passed"]
    assert [check["name"] for check in result["checks"]] == ["emulation", "float64", "program"]
    for check in result["checks"]:
        assert check["passed"] and check["values"] > 0 and check["differences"] == 0
    assert result["steps"] == per_epoch * options["epochs"]
    assert result["steps_checked"] == expected_checked(options.get("check", "all"), result["steps"])
    hidden = [int(width) for width in options["hidden"].split(",")] if options["hidden"] else []
    widths = [data.features, *hidden, data.classes]
    assert result["weights"] == sum((a + 1) * b for a, b in pairwise(widths))
    # The ragged last batch of every epoch is trained, as a step of its own shape.
    executions = {
        phase["name"]: phase["executions"] for phase in result["phases"] if phase["kind"] == "training"
    }
    ragged = samples % batch
    expected = {f"training step, batch {batch}": (samples // batch) * options["epochs"]}
    if ragged:
        expected[f"training step, batch {ragged}"] = options["epochs"]
    assert executions == expected
    assert math.isfinite(result["loss"])
    assert 0.0 <= result["accuracy"] <= 1.0
    assert result["cycles"] > 0
    return result


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the user's files, and no time spent on figures."""
    monkeypatch.chdir(tmp_path)
    without_report(monkeypatch)
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


def test_batches_are_ragged() -> None:
    samples = len(datasets.load(DATA, 0).train_x)
    assert samples % 32 and samples % 7 == 0 and samples > 32


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("choice", VARIED)
def test_every_choice(choice: str, place: str) -> None:
    check_run(DEFAULTS | PLACES[place] | VARIED[choice])


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
@pytest.mark.parametrize("machine", ["edge_8x8", "tpu_v2"])
def test_digits(machine: str, dataflow: str) -> None:
    options = {"dataset": "digits", "hidden": "16", "epochs": 1, "machine": machine, "dataflow": dataflow}
    result = check_run(DEFAULTS | options)
    assert result["accuracy"] > 0.2
    first, last = (curve["loss"][-1] for curve in result["curves"])
    assert first == pytest.approx(last, rel=0.1)  # bfloat16 against float32


# -- many choices at once ------------------------------------------------------------------------------------


def power_of_two(rng: np.random.Generator, highest: int) -> int:
    return int(2 ** rng.integers(0, highest + 1))


def random_machine(rng: np.random.Generator) -> str:
    """A machine file whose buffer holds from six tiles (then much is spilled) to all."""
    rows, cols, lanes = (power_of_two(rng, 4) for _ in range(3))
    tile = 4 * max(rows, cols, lanes) ** 2
    pe, horizontal, vertical = rng.integers(1, 4, 3)
    dataflow = rng.choice(["ws", "os", "is"])
    lines = max(rng.choice([2, 6, 32, 500]), rows if dataflow == "os" else 2)
    return f"""
inherit = "edge_8x8"
name = "random"
[matrix_unit]
rows = {rows}
cols = {cols}
dataflow = "{dataflow}"
weight_buffers = {rng.integers(1, 3)}
overlap = {str(rng.random() < 0.7).lower()}
pe_latency_cycles = {pe}
horizontal_hop_cycles = {horizontal}
vertical_hop_cycles = {vertical}
[vector_unit]
lanes = {lanes}
[unified_buffer]
capacity_bytes = {int(tile * rng.choice([6, 9, 20, 200]))}
read_latency_cycles = {rng.integers(1, 4)}
[accumulators]
lines = {lines}
adder_latency_cycles = {rng.integers(1, 6)}
[weight_fifo]
depth_tiles = {rng.integers(1, 5)}
[sequencer]
queue_depth = {rng.choice([1, 2, 16])}
[hbm]
bytes_per_cycle = "{rng.integers(1, 100)}/{rng.integers(1, 9)}"
latency_cycles = {rng.integers(0, 50)}
"""


def random_options(rng: np.random.Generator) -> Options:
    """Choices that go together."""
    samples, features, classes = rng.integers(30, 90), rng.integers(1, 21), rng.integers(2, 12)
    hidden = rng.integers(1, 20, rng.integers(0, 4)).tolist()
    loss, output = (
        ("cross_entropy", "softmax"),
        ("cross_entropy", "sigmoid"),
        ("quadratic", "sigmoid"),
        ("quadratic", "linear"),
    )[rng.integers(4)]
    options: Options = {
        "loss": loss,
        "output": output,
        "dataset": f"synthetic:samples={samples},features={features},classes={classes}",
        "epochs": int(rng.integers(1, 3)),
        "batch": rng.choice(["1", "3", "8", "13", "32", "full"]),
        "activation": rng.choice(["sigmoid", "tanh", "relu"]),
        # Linear outputs of weights that are not scaled to their layer would diverge.
        "init": rng.choice(["normal", "scaled_normal", "he"][output == "linear" :]),
        "optimizer": rng.choice(list(optimizers.BY_NAME)),
        "seed": int(rng.integers(0, 1000)),
        "lr": float(rng.choice([0.001, 0.01])),
        "schedule": rng.choice(["constant", "step:every=2", "exponential:warmup=1", "cosine:warmup=1"]),
        "check": rng.choice(["all", "all", "4", "final"]),
        "against": rng.choice(["none", "none", "h100"]),
    }
    if hidden and rng.random() < 0.3:
        hidden.append(hidden[-1])
        options["residual"] = True
    if rng.random() < 0.3:
        options["dropout"] = 0.8
    if rng.random() < 0.3:
        options["l2"] = 0.003
    return options | {"hidden": ",".join(map(str, hidden))}


def check_random(seed: int, room: Path) -> None:
    rng = np.random.default_rng(seed)
    (room / "random.toml").write_text(random_machine(rng))
    options = random_options(rng)
    machine = rng.choice(["random.toml", "random.toml", "random.toml", "edge_8x8", "tpu_v2"])
    check_run(DEFAULTS | options | {"machine": machine})


@pytest.mark.parametrize("seed", range(60))
def test_random_choices(seed: int, room: Path) -> None:
    check_random(seed, room)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1400))
def test_more_random_choices(seed: int, room: Path) -> None:
    check_random(seed, room)


# -- a user's own optimizers ---------------------------------------------------------------------------------

OWN = '''
"""Optimizers that nobody planned for."""
from typing import NamedTuple

import numpy as np


class in_place:
    """v <- 0.9 v - lr g;  w <- w + v, all in place, through aliases."""

    def init(w):
        return {"v": np.zeros_like(w)}

    def update(w, g, state, lr, t):
        v = state["v"]
        v *= 0.9
        v -= lr * g
        w += v
        return w, state


class Moments(NamedTuple):
    m: np.ndarray
    v: np.ndarray
    largest: np.ndarray


class amsgrad:
    """Adam that never forgets its largest step, with bias correction."""

    default_lr = 0.01

    def __init__(self, b1=0.9, b2=0.99):
        self.b1, self.b2 = b1, b2

    def init(self, w):
        zero = np.zeros_like(w)
        return Moments(zero, zero.copy(), zero.copy())

    def update(self, w, g, state, lr, t):
        m = self.b1 * state.m + (1 - self.b1) * g
        v = self.b2 * state.v + (1 - self.b2) * g**2
        largest = np.maximum(state.largest, v)
        m_hat = m / (1 - self.b1**t)
        v_hat = largest / (1 - self.b2**t)
        return w - lr * m_hat / (v_hat**0.5 + 1e-6), Moments(m, v, largest)


class delayed:
    """Applies the gradient of two steps ago: the states change places every step."""

    def init(w):
        return [np.zeros_like(w), np.zeros_like(w)]

    def update(w, g, state, lr, t):
        return w - lr * state[0], [state[1], g]


class signs:
    """Lion: the sign of an interpolated momentum, with decay."""

    def init(w):
        return np.zeros_like(w)

    def update(w, g, m, lr, t):
        step = np.sign(0.9 * m + 0.1 * g) + 0.01 * w
        return w - lr * step, np.where(np.abs(g) > 1e-3, 0.99 * m + 0.01 * g, m)


class slices:
    """Writes parts of its state, and keeps the first weights."""

    def init(w):
        return (w.copy(), np.zeros_like(w))

    def update(w, g, state, lr, t):
        first, s = state
        s[...] = 0.5 * s
        s[:1] += np.clip(g[:1], -0.1, 0.1)
        s[1:] -= g[1:] / (1 + t)
        return w - lr * (s + 0.1 * (w - first)), (first, s)
'''


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["in_place", "amsgrad", "delayed", "signs", "slices"])
def test_own_optimizer(name: str, place: str) -> None:
    check_run(DEFAULTS | PLACES[place] | {"optimizer": f"own.py:{name}", "batch": "8"})


# -- the size that the command is meant for ------------------------------------------------------------------


@pytest.mark.slow
def test_the_default_run_learns() -> None:
    result = check_run({"dataset": "digits", "hidden": "128", "batch": "32", "epochs": 20})
    assert result["accuracy"] >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", optimizers.BY_NAME)
def test_every_optimizer_learns_digits(name: str) -> None:
    result = check_run({"dataset": "digits", "hidden": "64", "batch": "32", "epochs": 10, "optimizer": name})
    assert result["accuracy"] >= 0.9
