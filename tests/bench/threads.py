"""Both sides of a comparison on the same number of threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from threadpoolctl import threadpool_limits

from simulator.numerics import core

COUNTS = (1, 2)


def on_threads(count: int, run: Callable[[], Any]) -> Callable[[], None]:
    """``run`` with so many threads in the native core and in NumPy's BLAS."""

    def limited() -> None:
        with core.forced(core.active_name(), count), threadpool_limits(count, user_api="blas"):
            run()

    return limited


def isa() -> str:
    """What computes on our side."""
    return core.active_name()
