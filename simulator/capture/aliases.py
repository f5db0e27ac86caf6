"""Which arguments share their memory, so that writing one of them in place changes another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.array_utils import byte_bounds

from simulator.graph import Array

_WORK = 10_000  # candidates that NumPy may try before two arrays count as sharing memory


def shared_memory(arrays: Mapping[str, Array]) -> dict[str, str]:
    """For each array by path that shares memory with another: the path of such another one."""
    spans = sorted((*byte_bounds(array), path) for path, array in arrays.items())
    found: dict[str, str] = {}
    for i, (_, end, path) in enumerate(spans):
        for start, _, other in spans[i + 1 :]:
            if start >= end:
                break
            if _overlap(arrays[path], arrays[other]):
                found.setdefault(path, other)
                found.setdefault(other, path)
    return found


def _overlap(a: Array, b: Array) -> bool:
    try:
        return np.shares_memory(a, b, max_work=_WORK)  # type: ignore[arg-type]  # the stubs know 0 and -1
    except np.exceptions.TooHardError:
        return True


def shared_message(path: str, other: str) -> str:
    """What is wrong with writing the argument at a path."""
    return (
        f"argument '{path}' is written in place, but it shares its memory with argument "
        f"'{other}', which NumPy would change too"
    )
