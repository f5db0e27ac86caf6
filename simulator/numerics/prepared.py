"""Functions of the vector unit and reductions with their checks and look-ups done once.

A graph is run many times, and a look-up costs more than a short operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from simulator.errors import ProgramError
from simulator.numerics import fallback
from simulator.numerics.broadcasting import Broadcast, broadcast_rows
from simulator.numerics.core import Native, active, address
from simulator.numerics.signatures import (
    STORAGE,
    Array,
    Shape,
    elementwise_dtype,
    reduction_dtype,
)

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
    index = None if native is None else native.function(name, dtypes[-1])
    if native is None or index is None:
        return _numpy_elementwise(name, natural, shape)
    if math.prod(shape) == 0:
        return lambda *operands: np.empty(shape, result_type)
    rows = broadcast_rows(shapes, shape)
    if rows is not None and rows.contiguous:
        return _native_map(native, index, shape, result_type, len(shapes))
    return _native_broadcast(native, index, shape, result_type, rows)


def _numpy_elementwise(name: str, natural: Shape, shape: Shape) -> Kernel:
    def run(*operands: Array) -> Array:
        with np.errstate(all="ignore"):
            result = fallback.elementwise(name, *operands)
        return result if natural == shape else np.broadcast_to(result, shape).copy()

    return run


def _native_map(native: Native, index: int, shape: Shape, dtype: np.dtype[np.generic], count: int) -> Kernel:
    call, size = native.map, math.prod(shape)

    # One function per arity: a step calls many of these, and packing arguments would double their
    # cost.
    def unary(x: Array) -> Array:
        out = np.empty(shape, dtype)
        x = np.ascontiguousarray(x)
        call(index, size, address(x), None, None, address(out))
        return out

    def binary(x: Array, y: Array) -> Array:
        out = np.empty(shape, dtype)
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        call(index, size, address(x), address(y), None, address(out))
        return out

    def ternary(x: Array, y: Array, z: Array) -> Array:
        out = np.empty(shape, dtype)
        x, y, z = np.ascontiguousarray(x), np.ascontiguousarray(y), np.ascontiguousarray(z)
        call(index, size, address(x), address(y), address(z), address(out))
        return out

    return (unary, binary, ternary)[count - 1]


def _native_broadcast(
    native: Native, index: int, shape: Shape, dtype: np.dtype[np.generic], rows: Broadcast | None
) -> Kernel:
    call, size = native.map_broadcast, math.prod(shape)

    def run(*operands: Array) -> Array:
        out = np.empty(shape, dtype)
        if rows is None:  # the operands vary along more than two groups of axes
            held = [np.ascontiguousarray(np.broadcast_to(x, shape)) for x in operands]
            outer, inner, steps = 1, size, ((0, False),) * len(held)
        else:
            held = [np.ascontiguousarray(x) for x in operands]
            outer, inner, steps = rows.outer, rows.inner, rows.steps
        arguments: list[int | None] = []
        for x, step in zip(held, steps, strict=True):
            arguments += (address(x), *step)
        arguments += [None, 0, 0] * (3 - len(held))
        call(index, outer, inner, *arguments, address(out))
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
    index = None if native is None else native.reduction(name, dtype)

    def one_axis(x: Array, axis: int) -> Array:
        if native is None:
            with np.errstate(all="ignore"):
                return fallback.reduce(name, x, axis)
        out = np.empty((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)
        outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        x = np.ascontiguousarray(x)
        if out.size:
            native.reduce(index, outer, x.shape[axis], inner, address(x), address(out))
        return out

    def run(x: Array) -> Array:
        for axis in ordered:
            x = one_axis(x, axis)
        if not ordered:
            x = fallback.canonical(x).copy()
        return x.reshape(final)

    return run
