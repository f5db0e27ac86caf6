"""Reductions in the stated order: along an axis from its first element, the lowest axis first."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from simulator.reference import vector
from simulator.reference.operands import (
    BOOL,
    FLOAT32,
    INT32,
    Array,
    canonical,
    convert,
    require_machine_dtype,
    truth,
)
from simulator.reference.refusal import refuse

Axis = int | tuple[int, ...] | None
_Step = Callable[[Array, Array], Array]


def _axes(x: Array, axis: Axis) -> tuple[int, ...]:
    """The axes to reduce, counted from 0, ascending."""
    if axis is None or (not x.ndim and axis in (0, -1)):  # NumPy takes these for a scalar too
        return tuple(range(x.ndim))
    listed = axis if isinstance(axis, tuple) else (axis,)
    positive = []
    for one in listed:
        if isinstance(one, bool) or not isinstance(one, int | np.integer):
            refuse(f"axis={axis!r}; allowed: integers, a tuple of them or None")
        if not -x.ndim <= one < x.ndim:
            raise np.exceptions.AxisError(int(one), x.ndim)
        positive.append(int(one) % x.ndim)
    if len(set(positive)) != len(positive):
        raise ValueError("duplicate value in 'axis'")
    return tuple(sorted(positive))


def _fold(step: _Step, x: Array, axis: Axis, keepdims: bool) -> Array:
    axes = _axes(x, axis)
    for one in axes:
        if x.shape[one] == 0:
            refuse("a reduction over no elements")
        slices = np.moveaxis(x, one, 0)
        s = np.array(slices[0])
        for i in range(1, len(slices)):
            s = step(s, slices[i])
        x = np.expand_dims(np.asarray(s), one)
    return np.array(x) if keepdims else np.array(np.squeeze(x, axes))


def _typed(x: Array, dtype: DTypeLike | None, name: str) -> Array:
    if dtype is not None:
        x = convert(x, require_machine_dtype(dtype))
    if x.dtype not in (FLOAT32, INT32):
        require_machine_dtype(x.dtype)
        refuse(f"{name} of {x.dtype}; write .astype(np.float32) first")
    return x


def reduce_sum(
    x: Array,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
) -> Array:
    """``np.sum``.

    Raises:
        CaptureError: no elements, or a sum that NumPy gives as int64.
    """
    x = _typed(x, dtype, "sum")
    if x.dtype == INT32 and dtype is None:
        refuse(
            "a sum of int32 is int64 in NumPy; write dtype=np.int32 or .astype(np.float32) first"
        )
    # The canonical NaN can wait until the end: a NaN stays one through every addition.
    return canonical(_fold(np.add, x, axis, keepdims))


def reduce_max(x: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """``np.max``; of bools it is ``np.any``."""
    if x.dtype == BOOL:
        return reduce_any(x, axis, None, keepdims)
    return _fold(vector.maximum, _typed(x, None, "max"), axis, keepdims)


def reduce_min(x: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """``np.min``; of bools it is ``np.all``."""
    if x.dtype == BOOL:
        return reduce_all(x, axis, None, keepdims)
    return _fold(vector.minimum, _typed(x, None, "min"), axis, keepdims)


def reduce_any(x: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """``np.any``: whether one of them is not 0; a NaN is not 0."""
    require_machine_dtype(x.dtype)
    return _fold(np.logical_or, truth(x), axis, keepdims)


def reduce_all(x: Array, axis: Axis = None, out: None = None, keepdims: bool = False) -> Array:
    """``np.all``: whether none of them is 0; a NaN is not 0."""
    require_machine_dtype(x.dtype)
    return _fold(np.logical_and, truth(x), axis, keepdims)


def mean(
    x: Array,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    out: None = None,
    keepdims: bool = False,
) -> Array:
    """``np.mean``: the sum, then divided by the count."""
    x = _typed(x, dtype, "mean")
    if x.dtype != FLOAT32:
        refuse(f"mean of {x.dtype}; write .astype(np.float32) first")
    total = reduce_sum(x, axis, None, None, keepdims)
    return vector.divide(total, np.asarray(np.float32(_count(x, axis))))


def _count(x: Array, axis: Axis) -> int:
    return math.prod(x.shape[one] for one in _axes(x, axis))


def variance(
    x: Array,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    out: None = None,
    ddof: int = 0,
    keepdims: bool = False,
) -> Array:
    """``np.var``: mean, difference, product with itself, sum, division by the count less ddof.

    Raises:
        CaptureError: the divisor is not positive, or no mean is taken of the type.
    """
    average = mean(x, axis, dtype, None, True)
    difference = vector.subtract(convert(x, FLOAT32), average)
    total = reduce_sum(vector.multiply(difference, difference), axis, None, None, keepdims)
    freedom = _count(x, axis) - ddof
    if freedom <= 0:
        refuse(f"a variance with ddof={ddof} of {freedom + ddof} elements")
    return vector.divide(total, np.asarray(np.float32(freedom)))


def deviation(
    x: Array,
    axis: Axis = None,
    dtype: DTypeLike | None = None,
    out: None = None,
    ddof: int = 0,
    keepdims: bool = False,
) -> Array:
    """``np.std``: the square root of the variance."""
    return vector.sqrt(variance(x, axis, dtype, None, ddof, keepdims))


# The reductions spelled as methods of ufuncs; their axis is 0 where none is given.
def ufunc_reduction(ufunc: np.ufunc) -> Callable[..., Array] | None:
    """``ufunc.reduce``, or None where the machine has no such reduction."""
    named: dict[np.ufunc, Callable[..., Array]] = {
        np.add: reduce_sum,
        np.maximum: reduce_max,
        np.minimum: reduce_min,
        np.logical_or: reduce_any,
        np.logical_and: reduce_all,
    }
    return named.get(ufunc)
