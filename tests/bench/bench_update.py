"""Optimizer updates, one pass over memory made from the captured function, against NumPy's operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.api.step import build_step
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from tests.bench.harness import Row, Side
from tests.bench.threads import COUNTS, isa, on_threads
from workloads.optimizers import BY_NAME

BENCH = "fused update against NumPy"
SIZES = (669_706, 16_777_216)  # of 784-512-512-10, and of one layer of 4096
OPTIMIZERS = ("sgd", "momentum", "rmsprop", "adam")


def rows(quick: bool) -> list[Row]:
    """Every optimizer on a small and a large tensor."""
    sizes = (1000,) if quick else SIZES
    return [
        _row(optimizer, size, threads) for size in sizes for optimizer in OPTIMIZERS for threads in COUNTS
    ]


def _row(optimizer: str, size: int, threads: int) -> Row:
    ours, rival = _sides(optimizer, size)
    return Row(
        BENCH,
        f"{optimizer}, {size:,} parameters",
        Side(isa(), on_threads(threads, ours)),
        Side("NumPy", on_threads(threads, rival)),
        unit="updates",
        threads=threads,
    )


def _sides(name: str, size: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """An update of one tensor that goes on from its own results."""
    optimizer = BY_NAME[name]()
    rng = np.random.default_rng(0)
    w, g = (rng.standard_normal(size).astype(np.float32) for _ in range(2))

    def update(w: Any, state: Any, g: Any, lr: Any, t: Any) -> Any:
        return optimizer.update(w, g, state, lr, t)

    machine = load_machine("tpu_v2")
    assert isinstance(machine, SystolicMachine)
    step = build_step(update, (w, optimizer.init(w), g, 0.01, 1), machine)
    kept = {"ours": (w, optimizer.init(w)), "rival": (w, optimizer.init(w))}
    counts = {"ours": 0, "rival": 0}

    def ours() -> None:
        counts["ours"] += 1
        follows = counts["ours"] > 1
        execution, numbers = step.execute(
            (*kept["ours"], g, 0.01, counts["ours"]), follows=follows, consume=follows
        )
        kept["ours"] = step.result(execution, numbers)

    def rival() -> None:
        counts["rival"] += 1
        kept["rival"] = update(*kept["rival"], g, 0.01, counts["rival"])

    return ours, rival
