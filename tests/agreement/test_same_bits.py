"""Training steps give the same bits on every instruction set, in NumPy, and on any number of threads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulator.api.step import build_step
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from simulator.numerics import core
from workloads import train as workload
from workloads.mlp import MLP, dropout_masks, init_state, make_train_step
from workloads.optimizers import BY_NAME

NATIVE = core.available()[:-1]
SETTINGS = [(name, threads) for name in NATIVE for threads in (1, 2, 3)]
# Large enough for threads to share every kind of work, with ragged blocks, chunks and tiles everywhere.
BATCH, INPUTS, HIDDEN, CLASSES = 131, 150, (203, 203), 10
STEPS = 3


class Case(NamedTuple):
    """A network with its training, on an array."""

    optimizer: str
    network: dict[str, Any]
    dataflow: str
    rows: int


CASES = [
    Case("sgd", {}, "ws", 128),
    Case("momentum", {"activation": "tanh", "loss": "quadratic"}, "ws", 8),
    Case("momentum_ema", {"activation": "sigmoid"}, "is", 16),
    Case("nesterov", {"loss": "quadratic", "output": "linear"}, "os", 8),
    Case("adagrad", {"l2": 1e-3}, "ws", 64),
    Case("rmsprop", {"output": "sigmoid"}, "os", 128),
    Case("rmsprop_momentum", {"residual": True}, "is", 128),
    Case("adam", {"dropout": 0.8, "residual": True}, "ws", 128),
    Case("adamw", {"activation": "sigmoid", "loss": "quadratic", "output": "tanh", "l2": 1e-3}, "os", 32),
]


def machine(dataflow: str, rows: int) -> SystolicMachine:
    sides = [f"{field}={rows}" for field in ("matrix_unit.rows", "matrix_unit.cols", "vector_unit.lanes")]
    loaded = load_machine("tpu_v2", [f"matrix_unit.dataflow={dataflow}", *sides])
    assert isinstance(loaded, SystolicMachine)
    return loaded


def arrays(tree: Any) -> Iterator[np.ndarray]:
    """All arrays of a tree, in order."""
    if isinstance(tree, np.ndarray):
        yield tree
    elif isinstance(tree, dict | list | tuple):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from arrays(part)


def digest(results: Any) -> str:
    found = hashlib.sha256()
    for array in arrays(results):
        found.update(f"{array.dtype} {array.shape}".encode() + array.tobytes())
    return found.hexdigest()


def training(case: Case) -> str:
    """A hash of everything that every step of a short training gives."""
    config, optimizer = MLP((INPUTS, *HIDDEN, CLASSES), **case.network), BY_NAME[case.optimizer]()
    params = workload.initial_params(config, "he", 1)
    state = init_state(optimizer, params)
    rng = np.random.default_rng(2)
    train_step, steps = make_train_step(config, optimizer), {}
    results = []
    for t in range(1, STEPS + 1):
        batch = BATCH if t < STEPS else BATCH // 4
        x = rng.standard_normal((batch, INPUTS)).astype(np.float32)
        y = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, batch)]
        arguments = (params, state, x, y, dropout_masks(config, batch, 3, t), 0.01 / t, t)
        if batch not in steps:
            steps[batch] = build_step(train_step, arguments, machine(case.dataflow, case.rows))
        execution, numbers = steps[batch].execute(arguments, follows=t > 1, consume=t > 1)
        params, state, loss = steps[batch].result(execution, numbers)
        results.append(digest((params, state, loss)))
    assert np.isfinite(loss)
    return " ".join(results)


def integers() -> str:
    """int8 products of every storage, with the conversions around them."""
    rng = np.random.default_rng(4)
    a, b = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((211, 301), (301, 190)))

    def products(a: Any, b: Any) -> Any:
        c = np.matmul(a, b, dtype=np.int32)
        gram = np.matmul(a, a.T, dtype=np.int32)
        scaled = np.maximum(c.astype(np.float32) * 0.01, 0.0)
        return c, gram, scaled, np.matmul(a.T, a, dtype=np.int32), np.max(c, axis=0)

    step = build_step(products, (a, b), machine("ws", 128), carry=())
    execution, numbers = step.execute((a, b))
    return digest(step.result(execution, numbers))


RUNS: dict[str, Callable[[], str]] = {
    **{f"{case.optimizer}, {case.dataflow}": partial(training, case) for case in CASES},
    "int8": integers,
}


@cache
def in_numpy(name: str) -> str:
    with core.forced(core.NUMPY):
        return RUNS[name]()


@pytest.mark.parametrize(("isa", "threads"), SETTINGS)
@pytest.mark.parametrize("name", RUNS)
def test_all_results_are_those_of_numpy(name: str, isa: str, threads: int) -> None:
    with core.forced(isa, threads):
        assert core.backend() == f"native ({isa})" and core.threads() == threads
        assert RUNS[name]() == in_numpy(name)


def test_every_instruction_set_of_this_machine_is_forced() -> None:
    assert {isa for isa, _ in SETTINGS} == set(NATIVE) and "baseline" in NATIVE


def test_one_changed_bit_changes_the_hash() -> None:
    x = np.ones((3, 4), np.float32)
    y = x.copy()
    y[2, 3] = np.nextafter(y[2, 3], np.float32(2))
    assert digest(x) != digest(y) != digest([x])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux lists them")
def test_threads_do_share() -> None:
    """Without this the settings could all be one thread."""
    before = len(list(Path("/proc/self/task").iterdir()))
    with core.forced(NATIVE[0], before + 3):
        RUNS["sgd, ws"]()
    assert len(list(Path("/proc/self/task").iterdir())) >= before + 2
