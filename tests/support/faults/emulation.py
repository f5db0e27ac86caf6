"""Faults of the emulation: it is not the machine's arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.reference import matrix, operands, reduction, ufuncs
from tests.support.faults.base import DIRECTED, EMULATION, Fault, Patch, Seed


def emulated(ufunc: np.ufunc, function: Callable[..., Any]) -> Seed:
    """One ufunc."""
    return lambda patch: patch.setitem(ufuncs._ELEMENTWISE, ufunc, ((operands.FLOAT32,), function))


def emulate_k_reversed(patch: Patch) -> None:
    chains = matrix.fma_chains
    patch.setattr(matrix, "fma_chains", lambda a, b: chains(a[:, ::-1], b[:, ::-1]))


def emulate_truncation(patch: Patch) -> None:
    def wrong(x: np.ndarray) -> np.ndarray:
        return np.asarray((x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32))

    patch.setattr(matrix, "to_bfloat16", wrong)


def emulate_unfused(patch: Patch) -> None:
    def wrong(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        s = np.zeros((a.shape[0], a.shape[2], b.shape[2]), np.float32)
        for k in range(a.shape[1]):
            s = (a[:, k, :, None] * b[:, k, None, :]).astype(np.float32) + s
        return s

    patch.setattr(matrix, "fma_chains", wrong)


def emulate_fold_reversed(patch: Patch) -> None:
    fold = reduction._fold

    def wrong(step: Any, x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
        return fold(step, np.flip(x, reduction._axes(x, axis)), axis, keepdims)

    patch.setattr(reduction, "_fold", wrong)


def emulate_other_array(patch: Patch) -> None:
    """The K-tile is twice the array's height."""
    multiply = matrix.matmul_bfloat16
    patch.setattr(matrix, "matmul_bfloat16", lambda a, b, on: multiply(a, b, replace(on, rows=2 * on.rows)))


def emulate_late_rounding(patch: Patch) -> None:
    """A host scalar is chopped to float32."""
    round_once = operands._host_scalar

    def wrong(value: Any, dtype: Any) -> np.ndarray:
        nearest = round_once(value, dtype)
        above = dtype == operands.FLOAT32 and abs(float(nearest)) > abs(value)
        return np.asarray(np.nextafter(nearest, np.float32(0))) if above else nearest

    patch.setattr(operands, "_host_scalar", wrong)


FAULTS = {
    "k reversed": Fault(emulate_k_reversed, EMULATION),
    "bfloat16 truncated": Fault(emulate_truncation, EMULATION, weights=True),
    "products rounded before the addition": Fault(emulate_unfused, EMULATION, DIRECTED),
    "sums from the last to the first": Fault(emulate_fold_reversed, EMULATION, weights=True),
    "another array's order": Fault(emulate_other_array, EMULATION),
    "host scalars chopped": Fault(emulate_late_rounding, EMULATION, weights=True),
    "division by a reciprocal": Fault(
        emulated(np.divide, lambda a, b: a * (np.float32(1) / b)), EMULATION, weights=True
    ),
    "NumPy's square root in float64": Fault(
        emulated(np.sqrt, lambda x: np.nextafter(np.sqrt(x), np.float32(np.inf))), EMULATION, weights=True
    ),
}
