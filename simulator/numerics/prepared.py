"""Functions of the vector unit and reductions with their checks and look-ups done once.

A graph is run many times, and a look-up costs more than a short operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from simulator.errors import ProgramError
from simulator.numerics import encode, fallback
from simulator.numerics.broadcasting import broadcast_rows
from simulator.numerics.call import Call
from simulator.numerics.core import Native, active
from simulator.numerics.signatures import (
    STORAGE,
    Array,
    Shape,
    elementwise_dtype,
    reduction_dtype,
)
from simulator.numerics.vector_program import encode_function

Kernel = Callable[..., Array]


def prepare_elementwise(
    name: str, dtypes: Sequence[str], shapes: Sequence[Shape], shape: Shape | None = None
) -> Kernel:
    """The function of operands of these types and shapes, whose result has ``shape``.

    Raises:
        ProgramError: as for ``elementwise``.
    """
    return _elementwise(active(), name, tuple(dtypes), tuple(shapes), shape)


@lru_cache(maxsize=4096)
def _elementwise(
    native: Native | None,
    name: str,
    dtypes: tuple[str, ...],
    shapes: tuple[Shape, ...],
    shape: Shape | None,
) -> Kernel:
    result_type = STORAGE[elementwise_dtype(name, dtypes)]
    try:
        natural = np.broadcast_shapes(*shapes)
        shape = natural if shape is None else shape
        if np.broadcast_shapes(natural, shape) != shape:
            raise ValueError
    except ValueError:
        raise ProgramError(f"{name}: shapes {list(shapes)} do not broadcast to {shape}") from None
    if native is None:
        return _numpy_elementwise(name, natural, shape)
    if math.prod(shape) == 0:
        return lambda *operands: np.empty(shape, result_type)
    return _native_elementwise(native, name, dtypes, shapes, shape)


def _numpy_elementwise(name: str, natural: Shape, shape: Shape) -> Kernel:
    def run(*operands: Array) -> Array:
        with np.errstate(all="ignore"):
            result = fallback.elementwise(name, *operands)
        return result if natural == shape else np.broadcast_to(result, shape).copy()

    return run


def _native_elementwise(
    native: Native, name: str, dtypes: tuple[str, ...], shapes: tuple[Shape, ...], shape: Shape
) -> Kernel:
    """A vector program of one function."""
    result_type = STORAGE[elementwise_dtype(name, dtypes)]
    read = shapes if broadcast_rows(shapes, shape) is not None else (shape,) * len(shapes)
    operands = [(STORAGE[dtype].itemsize, s) for dtype, s in zip(dtypes, read, strict=True)]
    function = native.function(name, dtypes[-1])
    call = Call(native, [encode_function(function, operands, shape, result_type.itemsize)])

    def run(*given: Array) -> Array:
        out = np.empty(shape, result_type)
        if read is not shapes:  # they vary along more than rows and columns
            given = tuple(np.broadcast_to(x, shape) for x in given)
        call(*(np.ascontiguousarray(x) for x in given), out)
        return out

    return run


def prepare_reduce(
    name: str, dtype: str, shape: Shape, axes: Sequence[int], keepdims: bool = False
) -> Kernel:
    """The reduction of arrays of this type and shape.

    Raises:
        ProgramError: as for ``reduce``.
    """
    return _reduction(active(), name, dtype, shape, tuple(axes), keepdims)


@lru_cache(maxsize=4096)
def _reduction(
    native: Native | None,
    name: str,
    dtype: str,
    shape: Shape,
    axes: tuple[int, ...],
    keepdims: bool,
) -> Kernel:
    reduction_dtype(name, dtype)
    ordered = sorted(axes)
    if len(set(ordered)) != len(ordered) or any(not 0 <= axis < len(shape) for axis in ordered):
        raise ProgramError(f"{name}: axes {tuple(axes)} of an array of {len(shape)} axes")
    if any(shape[axis] == 0 for axis in ordered):
        raise ProgramError(f"{name} over no elements: shape {shape}, axes {tuple(axes)}")
    kept = tuple(1 if axis in ordered else length for axis, length in enumerate(shape))
    final = kept if keepdims else tuple(n for axis, n in enumerate(shape) if axis not in ordered)

    def one_axis(x: Array, axis: int) -> Array:
        if native is None:
            with np.errstate(all="ignore"):
                return fallback.reduce(name, x, axis)
        out = np.empty((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
        outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        if out.size:
            function = native.reduction(name, dtype)
            call = Call(native, [encode.reduce(function, 0, 1, outer, x.shape[axis], inner)])
            call(np.ascontiguousarray(x), out)
        return out

    def run(x: Array) -> Array:
        for axis in ordered:
            x = one_axis(x, axis)
        if not ordered:
            x = fallback.canonical(x).copy()
        return x.reshape(final)

    return run
