"""Which indices the machine knows: those whose meaning depends on no value in an array."""

from typing import Any

import numpy as np

from simulator.reference.operands import Array
from simulator.reference.refusal import refuse


def check_index(index: Any) -> None:
    """Refuse an index that is not made of integers, slices, None and Ellipsis.

    Raises:
        CaptureError: it is not.
    """
    for one in index if isinstance(index, tuple) else (index,):
        if isinstance(one, np.ndarray | list):
            refuse("indexing by an array; for p[arange(n), y] write y[:, None] == np.arange(C)")
        plain_integer = isinstance(one, int | np.integer) and not isinstance(one, bool)
        if not (plain_integer or one is None or one is Ellipsis or isinstance(one, slice)):
            refuse(
                f"indexing by {type(one).__name__}; allowed: integers, slices, None and Ellipsis"
            )


def check_mask(mask: Array, target: Array, new: Array) -> None:
    """Refuse ``target[mask] = new`` unless it means ``np.where`` over the mask's axes.

    Raises:
        CaptureError: the indices are no mask, or the number of values depends on the mask's.
        IndexError: the shapes differ, as in NumPy.
    """
    if mask.dtype != np.bool_:
        refuse("assigning at an array of indices; allowed: a mask of bool")
    if mask.shape != target.shape[: mask.ndim]:
        raise IndexError(f"a mask of shape {mask.shape} for an array of shape {target.shape}")
    if new.ndim > target.ndim - mask.ndim:
        refuse("w[mask] = v with as many values as the mask has; write np.where(mask, v, w)")
