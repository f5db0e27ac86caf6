"""Views and copies: functions that show the elements of one array in another way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from simulator.capture import build
from simulator.capture.arrays import TracedArray
from simulator.capture.build import Shape
from simulator.capture.operands import node_of, operand
from simulator.capture.recorder import current, fail
from simulator.capture.standin import implements


def as_array(value: Any) -> TracedArray:
    """An argument as an array of the step."""
    if isinstance(value, TracedArray):
        return value
    recorder = current()
    return TracedArray(recorder, node_of(recorder, value))


def _reshaped(a: Any, shape: Shape) -> TracedArray:
    x = as_array(a)
    node = build.reshape(current(), x.read(), shape)
    if x.is_scalar and not shape:
        return x
    return x.view(node)


def _transposed(a: Any, axes: Sequence[int]) -> TracedArray:
    x = as_array(a)
    return x if x.is_scalar else x.view(build.transpose(current(), x.read(), axes))


@implements(np.reshape)
def reshape(
    a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None
) -> TracedArray:
    if order != "C":
        fail(f"order='{order}' is not supported")
    shape = newshape if shape is None else shape
    items = [int(shape)] if isinstance(shape, int | np.integer) else [int(n) for n in shape]
    known = build.size(tuple(int(n) for n in items if n != -1))
    items = [a.size // max(known, 1) if n == -1 else int(n) for n in items]
    if build.size(tuple(items)) != a.size:
        fail(f"an array of shape {a.shape} cannot be reshaped to {shape}")
    made = _reshaped(a, tuple(items))
    return made.copy() if copy else made


@implements(np.ravel)
def _ravel(a: Any, order: str = "C") -> TracedArray:
    return reshape(a, (a.size,), order)


@implements(np.squeeze)
def _squeeze(a: Any, axis: Any = None) -> TracedArray:
    shape: Shape = a.shape
    if axis is None:
        axes = [i for i, length in enumerate(shape) if length == 1]
    else:
        axes = list(normalize_axis_tuple(axis, len(shape)))
    if any(shape[i] != 1 for i in axes):
        fail(f"squeeze of an axis that is longer than 1 in shape {shape}")
    return _reshaped(a, tuple(n for i, n in enumerate(shape) if i not in axes))


@implements(np.expand_dims)
def expand_dims(a: Any, axis: Any) -> TracedArray:
    axis = axis if isinstance(axis, tuple | list) else (axis,)
    axes = normalize_axis_tuple(axis, len(axis) + len(a.shape))
    lengths = iter(a.shape)
    shape = (1 if i in axes else next(lengths) for i in range(len(axes) + len(a.shape)))
    return _reshaped(a, tuple(shape))


@implements(np.transpose)
def _transpose(a: Any, axes: Any = None) -> TracedArray:
    ndim = len(a.shape)
    if axes is None:
        return _transposed(a, range(ndim)[::-1])
    normalised = normalize_axis_tuple(axes, ndim)
    if len(normalised) != ndim:
        fail(f"axes {axes} do not fit an array of shape {a.shape}")
    return _transposed(a, normalised)


@implements(np.matrix_transpose)
def _matrix_transpose(x: Any, /) -> TracedArray:
    return _swapaxes(x, -1, -2)


@implements(np.swapaxes)
def _swapaxes(a: Any, axis1: int, axis2: int) -> TracedArray:
    ndim = len(a.shape)
    axes = list(range(ndim))
    i, j = normalize_axis_index(axis1, ndim), normalize_axis_index(axis2, ndim)
    axes[i], axes[j] = axes[j], axes[i]
    return _transposed(a, axes)


@implements(np.moveaxis)
def _moveaxis(a: Any, source: Any, destination: Any) -> TracedArray:
    ndim = len(a.shape)
    sources = normalize_axis_tuple(source, ndim)
    destinations = normalize_axis_tuple(destination, ndim)
    axes = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        axes.insert(place, axis)
    return _transposed(a, axes)


@implements(np.broadcast_to)
def _broadcast_to(array: Any, shape: Any) -> TracedArray:
    wanted = (int(shape),) if isinstance(shape, int | np.integer) else tuple(map(int, shape))
    x = as_array(array)
    return x.view(build.broadcast_to(current(), x.read(), wanted))


@implements(np.broadcast_arrays)
def _broadcast_arrays(*args: Any) -> tuple[TracedArray, ...]:
    shape = build.broadcast(*(np.shape(array) for array in args))
    return tuple(_broadcast_to(array, shape) for array in args)


@implements(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    made = [x if len(x.shape) >= 1 else _reshaped(x, (1,)) for x in map(as_array, arys)]
    return made[0] if len(made) == 1 else tuple(made)


@implements(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    made = [
        x if len(x.shape) >= 2 else _reshaped(x, (1, *x.shape) if x.shape else (1, 1))
        for x in map(as_array, arys)
    ]
    return made[0] if len(made) == 1 else tuple(made)


@implements(np.copy)
def _copy(a: Any, order: str = "K") -> TracedArray:
    return TracedArray(current(), a.read())


@implements(np.copyto)
def _copyto(dst: Any, src: Any, casting: str = "same_kind") -> None:
    if not isinstance(dst, TracedArray):
        fail(
            "an array of the step is copied into an ndarray that is not part of the step",
            "start from np.zeros_like or np.full_like of an argument",
        )
    have = operand(src).dtype
    if not isinstance(have, type) and not np.can_cast(have, dst.dtype, casting):  # type: ignore[arg-type]
        fail(f"{have} cannot be copied into {dst.dtype}", "use astype")
    dst[...] = src


@implements(np.shape)
def _shape(a: Any) -> Shape:
    return tuple(getattr(a, "shape", ()))


@implements(np.ndim)
def _ndim(a: Any) -> int:
    return len(_shape(a))


@implements(np.size)
def _size(a: Any, axis: int | None = None) -> int:
    return build.size(_shape(a)) if axis is None else _shape(a)[axis]
