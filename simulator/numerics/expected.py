"""What float64 NumPy makes of one operation, and how far the machine may be from it.

Written apart from the kernels: plain NumPy on the operands as float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.numerics.protocols import NodeLike
from simulator.numerics.signatures import Array

Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_U32, _U64 = 2.0**-24, 2.0**-53  # half an ulp of 1: what one rounding does
_TINY = 2.0**-149  # the smallest float32
# From here on a float32 sum rounds to infinity.
_LIMIT = 2.0**128 - 2.0**103
_MANTISSA = {"float32": 23, "bfloat16": 7}
# A float64's exponent, in place; those of the smallest and the largest normal float32.
_EXPONENT, _LOWEST, _HIGHEST = 0x7FF << 52, (1023 - 126) << 52, (1023 + 127) << 52

# Half an ulp is one correct rounding; a table function's stated error is against the correctly
# rounded result, which is itself half an ulp from the true one.
_HALF_ULPS: Mapping[str, float] = {
    **{name: 0.5 for name in ("add", "subtract", "multiply", "divide", "sqrt", "to_bfloat16")},
    **{"to_float32": 0.5, "exp": 2.5, "log": 2.5, "tanh": 3.5},
}


def _where(condition: Float64, x: Float64, y: Float64) -> Float64:
    return np.where(condition != 0.0, x, y)


# Written out here once more: what checks the kernels shares none of their tables.
_ELEMENTWISE: Mapping[str, Callable[..., Array]] = {
    "copy": lambda x: x,
    "negative": np.negative,
    "absolute": np.absolute,
    "sign": np.sign,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_not": np.logical_not,
    "where": _where,
    "to_bfloat16": lambda x: x,
    "to_float32": lambda x: x,
    "to_int32": lambda x: np.clip(np.trunc(np.nan_to_num(x, nan=0.0)), -(2.0**31), 2.0**31 - 1),
    "to_bool": lambda x: x != 0,
}
_REDUCTIONS: Mapping[str, Callable[..., Array]] = {
    "reduce_sum": np.sum,
    "reduce_max": np.max,
    "reduce_min": np.min,
}


@dataclass(frozen=True)
class Expected:
    """A float64 ``value`` with the machine's greatest distance from it, per element.

    ``may_overflow`` marks the sums of many terms whose float32 partial sums may overflow, whatever
    the result; None for operations that round once, which overflow when their result does.
    """

    value: Float64
    bound: Float64
    may_overflow: Bools | None = None


def gamma(n: int, u: float = _U32) -> float:
    """The relative error of ``n`` roundings of unit ``u`` in a chain: n u / (1 - n u)."""
    return n * u / (1.0 - n * u)


def expected(node: NodeLike, operands: Sequence[Array], rows: int, dataflow: str) -> Expected:
    """What an operation of these machine values gives in float64, and its bound."""
    wide = [_to_float64(operand) for operand in operands]
    if node.op == "matmul":
        a = wide[0].T if node.attrs["transpose_a"] else wide[0]
        b = wide[1].T if node.attrs["transpose_b"] else wide[1]
        return _matmul(a, b, node.dtype, rows, dataflow)
    if node.op in _REDUCTIONS:
        return _reduction(node, wide[0])
    if node.op in _ELEMENTWISE:
        value = np.asarray(_ELEMENTWISE[node.op](*wide), np.float64)
        if node.dtype == "int32":
            return _exact(_wrapped(value))
        ulps = _HALF_ULPS.get(node.op, 0.0)
        if ulps == 0.0:
            return _exact(value)
        bound = ulps * _ulp(value, _MANTISSA[node.dtype]) + 4 * _U64 * np.abs(value)
        return Expected(value, bound)
    return _exact(_moved(node, wide))


def _to_float64(value: Array) -> Float64:
    if value.dtype == np.uint16:
        value = (value.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return value.astype(np.float64)


def _exact(value: Float64) -> Expected:
    return Expected(value, np.zeros(value.shape))


def _wrapped(value: Float64) -> Float64:
    """Integers (below 2^53) modulo 2^32, as int32."""
    return value.astype(np.int64).astype(np.int32).astype(np.float64)


def _ulp(value: Float64, mantissa: int) -> Float64:
    """The spacing of the type's numbers around ``value``, gradual underflow included."""
    # From the exponent's bits: np.frexp and np.ldexp take five times as long.
    exponent = np.clip(value.view(np.int64) & _EXPONENT, _LOWEST, _HIGHEST)
    spacing: Float64 = (exponent - (mantissa << 52)).view(np.float64)
    return spacing


def _matmul(a: Float64, b: Float64, dtype: str, rows: int, dataflow: str) -> Expected:
    """The bound is gamma(n) |A||B| + n 2^-149 of n roundings; float64's own error is added."""
    k = a.shape[1]
    value = a @ b
    if dtype == "int32":
        return _exact(_wrapped(value))
    # Only what is finite can overflow; infinities and NaNs among the operands give the same class
    # in any order.
    magnitude = np.abs(np.where(np.isfinite(a), a, 0.0)) @ np.abs(np.where(np.isfinite(b), b, 0.0))
    roundings = k + (0 if dataflow == "os" else -(-k // rows))
    bound = (gamma(roundings) + gamma(k, _U64)) * magnitude + roundings * _TINY
    return Expected(value, bound, magnitude * (1.0 + gamma(roundings)) >= _LIMIT)


def _reduction(node: NodeLike, x: Float64) -> Expected:
    axes = tuple(node.attrs["axes"])
    keepdims = bool(node.attrs["keepdims"])
    value = np.asarray(_REDUCTIONS[node.op](x, axis=axes, keepdims=keepdims), np.float64)
    if node.dtype == "int32":
        return _exact(_wrapped(value))
    if node.op != "reduce_sum":
        return _exact(value)
    # An element passes n - 1 additions along each axis. Additions do not underflow.
    additions = sum(x.shape[axis] - 1 for axis in axes)
    finite = np.abs(np.where(np.isfinite(x), x, 0.0))
    magnitude = np.asarray(np.sum(finite, axis=axes, keepdims=keepdims), np.float64)
    bound = (gamma(additions) + gamma(additions, _U64)) * magnitude
    return Expected(value, bound, magnitude * (1.0 + gamma(additions)) >= _LIMIT)


def _moved(node: NodeLike, operands: Sequence[Float64]) -> Float64:
    """Operations that move elements."""
    x = operands[0]
    if node.op == "transpose":
        return np.transpose(x, node.attrs["axes"])
    if node.op == "reshape":
        return np.reshape(x, node.shape)
    if node.op == "broadcast_to":
        return np.broadcast_to(x, node.shape)
    if node.op == "concatenate":
        return np.concatenate(list(operands), node.attrs["axis"])
    key = tuple(slice(start, stop, step) for start, stop, step in node.attrs["key"])
    if node.op == "slice":
        return x[key]
    updated = np.array(x)
    updated[key] = operands[1]
    return updated
