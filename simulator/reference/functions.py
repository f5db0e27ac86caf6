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

from simulator.reference import reduction, vector
from simulator.reference.einsum import einsum
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


def where(condition: Array, x: Any, y: Any, /) -> Array:
    """``np.where`` with three arguments and a condition of bools."""
    if not isinstance(condition, np.ndarray) or condition.dtype != BOOL:
        refuse("np.where with a condition that is no array of bool; write c != 0")
    return vector.where(condition, *_same_type(x, y))


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
    """``np.outer``: float32 products of the vector unit, no matmul."""
    x, y = _same_type(*_arrays("np.outer", a, b))
    if x.dtype != FLOAT32:
        refuse(f"np.outer of {x.dtype}")
    return vector.multiply(x.reshape(-1, 1), y.reshape(1, -1))


def dot(a: Any, b: Any, out: None = None) -> Array:
    """``np.dot``: a matmul. NumPy's product with a 0-d array is refused: it turns -0 into +0."""
    x, y = _arrays("np.dot", a, b)
    return matmul(x, y)


def _arrays(name: str, *values: Any) -> list[Array]:
    operands = [as_operand(value) for value in values]
    arrays = [operand for operand in operands if isinstance(operand, np.ndarray)]
    if len(arrays) < len(operands):
        refuse(f"{name} of a Python number, which NumPy makes float64; write *")
    return arrays


def concatenate(arrays: Any, /, axis: int | None = 0, out: None = None) -> Array:
    """``np.concatenate``."""
    return np.concatenate(_parts(arrays), axis=axis)


def stack(arrays: Any, axis: int = 0, out: None = None) -> Array:
    """``np.stack``."""
    return np.stack(_parts(arrays), axis=axis)


def vstack(tup: Any) -> Array:
    """``np.vstack``."""
    return np.vstack(_parts(tup))


def hstack(tup: Any) -> Array:
    """``np.hstack``."""
    return np.hstack(_parts(tup))


def _parts(arrays: Any) -> tuple[Array, ...]:
    if isinstance(arrays, np.ndarray):
        arrays = list(arrays)
    if not all(isinstance(as_operand(array), np.ndarray) for array in arrays):
        refuse("joining numbers with arrays; allowed: arrays")
    return _same_type(*arrays)


def full_like(a: Array, fill_value: Any, dtype: DTypeLike | None = None) -> Array:
    """``np.full_like``."""
    wanted = require_machine_dtype(a.dtype if dtype is None else dtype)
    result = np.empty_like(a, dtype=wanted)
    result[...] = at(as_operand(fill_value), wanted)
    return result


def zeros_like(a: Array, dtype: DTypeLike | None = None) -> Array:
    """``np.zeros_like``."""
    return np.zeros_like(a, dtype=require_machine_dtype(a.dtype if dtype is None else dtype))


def ones_like(a: Array, dtype: DTypeLike | None = None) -> Array:
    """``np.ones_like``."""
    return np.ones_like(a, dtype=require_machine_dtype(a.dtype if dtype is None else dtype))


def empty_like(prototype: Array, /, dtype: DTypeLike | None = None) -> Array:
    """``np.empty_like``: zeros, so that nothing depends on what memory held."""
    return zeros_like(prototype, dtype)


def astype(x: Array, dtype: DTypeLike, /, *, copy: bool = True) -> Array:
    """``np.astype``: the machine's conversions."""
    result = convert(x, require_machine_dtype(dtype))
    return np.array(result) if copy else result


def copy(a: Array) -> Array:
    """``np.copy``."""
    return np.array(a)


def _shape(a: Operand) -> tuple[int, ...]:
    return np.shape(a)


def _reshape(a: Array, /, shape: Any) -> Array:
    return np.reshape(a, shape)


def _ravel(a: Array) -> Array:
    return np.ravel(a)


def _broadcast_to(array: Array, shape: Any) -> Array:
    return np.broadcast_to(array, shape)


def _ndim(a: Operand) -> int:
    return np.ndim(a)


def _size(a: Operand, axis: int | None = None) -> int:
    return np.size(a, axis)


def _atleast(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(array: Array, /) -> Any:
        return function(array)

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
    np.dot: dot,
    np.einsum: einsum,
}
# These give arrays, also 0-d; those of one argument or of data movement alone are NumPy's own.
MOVED: dict[Callable[..., Any], Callable[..., Any]] = {
    np.where: where,
    np.concatenate: concatenate,
    np.stack: stack,
    np.vstack: vstack,
    np.hstack: hstack,
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
        )
    },
}
HANDLERS: dict[Any, Handler] = {
    **{function: Handler(ours, True) for function, ours in COMPUTED.items()},
    **{function: Handler(ours, False) for function, ours in MOVED.items()},
}
