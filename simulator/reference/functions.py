"""NumPy's functions as operations of the machine, on plain arrays whose NaNs are canonical.

A parameter that a signature here does not have is refused, never ignored. ``out`` stands in some
for the sake of the signature: the caller takes it away and stores the result itself.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from simulator.reference import reduction, ufuncs, vector
from simulator.reference.einsum import einsum, tensordot
from simulator.reference.matrix import matmul
from simulator.reference.operands import (
    BOOL,
    FLOAT32,
    INT32,
    Array,
    Operand,
    as_operand,
    at,
    common_dtype,
    convert,
    require_machine_dtype,
)
from simulator.reference.refusal import refuse


@dataclass(frozen=True)
class Handler:
    """A NumPy function as the machine does it; if computed, a 0-d result is a scalar."""

    function: Callable[..., Any]
    computed: bool

    @cached_property
    def signature(self) -> inspect.Signature:
        """The accepted parameters."""
        return inspect.signature(self.function)


def _same_type(*values: Any) -> tuple[Array, ...]:
    operands = tuple(as_operand(value) for value in values)
    common = require_machine_dtype(common_dtype(*operands))
    return tuple(at(operand, common) for operand in operands)


def where(condition: Any, x: Any, y: Any, /) -> Array:
    """``np.where`` with three arguments."""
    chosen = at(as_operand(condition), BOOL)
    return np.asarray(vector.where(chosen, *_same_type(x, y)))


def clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: None = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Array:
    """``np.clip``: maximum with the lower bound, then minimum with the upper."""
    low = a_min if a_min is not None else min
    high = a_max if a_max is not None else max
    x, *bounds = _same_type(a, *(bound for bound in (low, high) if bound is not None))
    if x.dtype not in (FLOAT32, INT32):
        refuse(f"np.clip of {x.dtype}")
    if low is not None:
        x = vector.maximum(x, bounds[0])
    return np.array(x if high is None else vector.minimum(x, bounds[-1]))


def outer(a: Any, b: Any, out: None = None) -> Array:
    """``np.outer``: products of the vector unit, no matmul."""
    x, y = _arrays("np.outer", a, b)
    return ufuncs.call(np.multiply, (x.reshape(-1, 1), y.reshape(1, -1)), {})


def dot(a: Any, b: Any, out: None = None) -> Array:
    """``np.dot``: a matmul; with a 0-d array a multiplication."""
    x, y = _arrays("np.dot", a, b)
    if 0 in (x.ndim, y.ndim):
        return ufuncs.call(np.multiply, (x, y), {})
    return matmul(x, y)


def vdot(a: Any, b: Any, /) -> Array:
    """``np.vdot``: a matmul of all elements."""
    x, y = _arrays("np.vdot", a, b)
    return matmul(x.reshape(-1), y.reshape(-1))


def inner(a: Any, b: Any, /) -> Array:
    """``np.inner``: a matmul with the second operand transposed."""
    x, y = _arrays("np.inner", a, b)
    return dot(x, y.T if y.ndim == 2 else y)


def _arrays(name: str, *values: Any) -> list[Array]:
    operands = [as_operand(value) for value in values]
    arrays = [operand for operand in operands if isinstance(operand, np.ndarray)]
    if len(arrays) < len(operands):
        refuse(f"{name} of a Python number, which NumPy makes float64; write *")
    return arrays


def concatenate(
    arrays: Any, /, axis: int | None = 0, out: None = None, dtype: DTypeLike | None = None
) -> Array:
    """``np.concatenate``."""
    return np.concatenate(_parts(arrays, dtype), axis=axis)


def stack(
    arrays: Any, axis: int = 0, out: None = None, *, dtype: DTypeLike | None = None
) -> Array:
    """``np.stack``."""
    return np.stack(_parts(arrays, dtype), axis=axis)


def vstack(tup: Any, *, dtype: DTypeLike | None = None) -> Array:
    """``np.vstack``."""
    return np.vstack(_parts(tup, dtype))


def hstack(tup: Any, *, dtype: DTypeLike | None = None) -> Array:
    """``np.hstack``."""
    return np.hstack(_parts(tup, dtype))


def column_stack(tup: Any) -> Array:
    """``np.column_stack``."""
    return np.column_stack(_parts(tup))


def _parts(arrays: Any, dtype: DTypeLike | None = None) -> tuple[Array, ...]:
    if isinstance(arrays, np.ndarray):
        arrays = list(arrays)
    parts = tuple(as_operand(array) for array in arrays)
    if not all(isinstance(part, np.ndarray) for part in parts):
        refuse("joining numbers with arrays; allowed: arrays")
    if dtype is None:
        return _same_type(*parts)
    return tuple(at(part, require_machine_dtype(dtype)) for part in parts)


def repeat(a: Array, repeats: int, axis: int | None = None) -> Array:
    """``np.repeat``, all elements equally often."""
    if not isinstance(repeats, int | np.integer):
        refuse("np.repeat with a number for each element")
    return np.repeat(a, int(repeats), axis)


def tile(A: Array, reps: Any) -> Array:
    """``np.tile``."""
    return np.tile(A, reps)


def roll(a: Array, shift: int, axis: int | None = None) -> Array:
    """``np.roll`` along one axis, or of all elements."""
    return np.roll(a, int(shift), None if axis is None else int(axis))


def diff(a: Array, n: int = 1, axis: int = -1) -> Array:
    """``np.diff``: one subtraction."""
    if n != 1:
        refuse(f"np.diff with n={n}")
    along = np.moveaxis(a, axis, -1)
    difference = ufuncs.call(np.subtract, (along[..., 1:], along[..., :-1]), {})
    return np.moveaxis(difference, -1, axis)


def broadcast_arrays(*args: Array) -> tuple[Array, ...]:
    """``np.broadcast_arrays``, which nothing can be written to."""
    arrays = _arrays("np.broadcast_arrays", *args)
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    return tuple(np.broadcast_to(array, shape) for array in arrays)


def full_like(
    a: Array,
    fill_value: Any,
    dtype: DTypeLike | None = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Array:
    """``np.full_like``."""
    wanted = require_machine_dtype(a.dtype if dtype is None else dtype)
    result = np.empty(a.shape if shape is None else shape, wanted)
    result[...] = at(as_operand(fill_value), wanted)
    return result


def zeros_like(
    a: Array,
    dtype: DTypeLike | None = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Array:
    """``np.zeros_like``."""
    return full_like(a, 0, dtype, shape=shape)


def ones_like(
    a: Array,
    dtype: DTypeLike | None = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Array:
    """``np.ones_like``."""
    return full_like(a, 1, dtype, shape=shape)


def empty_like(
    prototype: Array,
    /,
    dtype: DTypeLike | None = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> Array:
    """``np.empty_like``: zeros, so that nothing depends on what memory held."""
    return full_like(prototype, 0, dtype, shape=shape)


def astype(x: Array, dtype: DTypeLike, /, *, copy: bool = True) -> Array:
    """``np.astype``: the machine's conversions."""
    result = convert(x, require_machine_dtype(dtype))
    return np.array(result) if copy else result


def copy(a: Array, order: str = "K") -> Array:
    """``np.copy``."""
    return np.array(a)


def _shape(a: Operand) -> tuple[int, ...]:
    return np.shape(a)


def _reshape(a: Array, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Array:
    _require_c(order)
    return np.array(np.reshape(a, shape)) if copy else np.reshape(a, shape)


def _ravel(a: Array, order: str = "C") -> Array:
    _require_c(order)
    return np.ravel(a)


def _require_c(order: str) -> None:
    if order != "C":
        refuse(f"order={order!r}; allowed: 'C'")


def _result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    return np.result_type(*arrays_and_dtypes)


def _broadcast_to(array: Array, shape: Any) -> Array:
    return np.broadcast_to(array, shape)


def _ndim(a: Operand) -> int:
    return np.ndim(a)


def _size(a: Operand, axis: int | None = None) -> int:
    return np.size(a, axis)


def _atleast(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*arys: Array) -> Any:
        return function(*_arrays("np.atleast", *arys))

    return apply


COMPUTED: dict[Callable[..., Any], Callable[..., Any]] = {
    np.sum: reduction.reduce_sum,
    np.max: reduction.reduce_max,
    np.amax: reduction.reduce_max,
    np.min: reduction.reduce_min,
    np.amin: reduction.reduce_min,
    np.mean: reduction.mean,
    np.clip: clip,
    np.outer: outer,
    np.any: reduction.reduce_any,
    np.all: reduction.reduce_all,
    np.var: reduction.variance,
    np.std: reduction.deviation,
    np.dot: dot,
    np.vdot: vdot,
    np.inner: inner,
    np.einsum: einsum,
    np.tensordot: tensordot,
}
# These give arrays, also 0-d; those of one argument or of data movement alone are NumPy's own.
MOVED: dict[Callable[..., Any], Callable[..., Any]] = {
    np.where: where,
    np.concatenate: concatenate,
    np.stack: stack,
    np.vstack: vstack,
    np.hstack: hstack,
    np.column_stack: column_stack,
    np.repeat: repeat,
    np.tile: tile,
    np.roll: roll,
    np.diff: diff,
    np.broadcast_arrays: broadcast_arrays,
    np.result_type: _result_type,
    np.full_like: full_like,
    np.zeros_like: zeros_like,
    np.ones_like: ones_like,
    np.empty_like: empty_like,
    np.astype: astype,
    np.copy: copy,
    np.shape: _shape,
    np.ndim: _ndim,
    np.size: _size,
    np.reshape: _reshape,
    np.ravel: _ravel,
    np.broadcast_to: _broadcast_to,
    np.atleast_1d: _atleast(np.atleast_1d),
    np.atleast_2d: _atleast(np.atleast_2d),
    np.atleast_3d: _atleast(np.atleast_3d),
    **{
        function: function
        for function in (
            np.transpose,
            np.matrix_transpose,
            np.swapaxes,
            np.moveaxis,
            np.expand_dims,
            np.squeeze,
            np.split,
            np.array_split,
        )
    },
}
HANDLERS: dict[Any, Handler] = {
    **{function: Handler(ours, True) for function, ours in COMPUTED.items()},
    **{function: Handler(ours, False) for function, ours in MOVED.items()},
}
