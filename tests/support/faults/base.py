"""What a seeded fault is, and the run in which it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

Patch = pytest.MonkeyPatch
Seed = Callable[[Patch], None]

EMULATION, FLOAT64, PROGRAM = "emulation", "float64", "program"  # names of the checks

# K is longer than the array, a layer is square, the last batch is ragged, the learning rate changes.
BASE = (
    *("run", "--machine", "edge_8x8", "--dataset", "synthetic:samples=40,features=20,classes=3"),
    *("--hidden", "12,12", "--epochs", "2", "--batch", "20", "--schedule", "cosine", "--against", "none"),
    *("--json", "--out", "report"),
)

OWN = """
from typing import NamedTuple

import numpy as np


class in_place:
    def init(w):
        return {"v": np.zeros_like(w)}

    def update(w, g, state, lr, t):
        v = state["v"]
        v *= 0.9
        v -= lr * g
        w += v
        return w, state


LEFT = np.array([[-(2.0**63), 2.0**64], [2.0**-100, 2.0**-75], [-(2.0**-100), -(2.0**-100)]], np.float32)
RIGHT = np.array([[2.0**64, 2.0**64], [2.0**-49, 2.0**-75], [2.0**-100, 2.0**-100]], np.float32).T
ZEROS = np.array([-0.0, 0.0, -0.0], np.float32)


class State(NamedTuple):
    left: np.ndarray
    products: np.ndarray
    zeros: np.ndarray
    larger: np.ndarray
    small: np.ndarray
    smaller: np.ndarray


class directed:
    \"\"\"SGD beside numbers on which ordinary training never depends: they overflow, underflow, are -0.\"\"\"

    def init(w):
        small = np.full((1, 4), 3 * 2.0**-127, np.float32)
        return State(LEFT.copy(), LEFT @ RIGHT * 0, ZEROS.copy(), ZEROS * 0, small, small.copy())

    def update(w, g, s, lr, t):
        larger = np.maximum(s.zeros, -s.zeros)
        return w - lr * g, State(s.left, s.left @ RIGHT, s.zeros, larger, s.small, s.small * 0.5)


class gated:
    def init(w):
        return np.zeros_like(w)

    def update(w, g, m, lr, t):
        m = np.where(g > 0, m + g, m - g)
        return w - lr * m, m
"""

DIRECTED = ("--optimizer", "own.py:directed")


@dataclass(frozen=True)
class Fault:
    """A fault, and the run in which it shows."""

    seed: Seed
    found_by: str
    extra: tuple[str, ...] = ()
    backend: str = ""  # of the kernels; by default the best
    weights: bool = False  # whether weights differ too, at the latest at the end of so short a run
