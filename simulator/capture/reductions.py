"""Reductions: sums, extremes, and what is composed of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from simulator.capture import build
from simulator.capture.arrays import TracedArray
from simulator.capture.operands import constant, machine_type, node_of, refuse_type
from simulator.capture.recorder import Recorder, current, fail
from simulator.capture.results import check_out, deliver, single_out
from simulator.capture.standin import UFUNCS, implements

Axis = int | tuple[int, ...] | None
_KEEP: Any = getattr(np, "_NoValue", None)  # NumPy's mark of a keyword that was not given


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None or (not ndim and axis in (0, -1)):  # NumPy takes these for a scalar too
        return tuple(range(ndim))
    return tuple(sorted(normalize_axis_tuple(axis, ndim)))


def _given(keepdims: Any) -> bool:
    return False if keepdims is _KEEP else bool(keepdims)


def _reduce(
    op: str, a: Any, axis: Axis, dtype: Any, out: Any, keepdims: Any, reads: tuple[Any, ...]
) -> TracedArray:
    recorder = current()
    if out is not None:
        check_out(out)
    x = node_of(recorder, a)
    have = recorder.nodes[x]
    if op == "reduce_sum":
        x = build.cast(recorder, x, _sum_type(have.dtype, dtype, out))
    elif dtype is not None:
        x = build.cast(recorder, x, machine_type(dtype, "the result"))
    if recorder.nodes[x].dtype not in ("float32", "int32"):
        hint = "convert with .astype(np.float32) or .astype(np.int32) first"
        fail(f"the machine has no {op} of {recorder.nodes[x].dtype}", hint)
    axes = _axes(axis, len(have.shape))
    node = build.reduce(recorder, op, x, axes, _given(keepdims))
    return deliver(recorder, node, out, reads)


def _sum_type(have: str, dtype: Any, out: Any) -> str:
    """The type in which NumPy sums; by itself it takes int64 for all integers and bools."""
    if dtype is not None:
        return machine_type(dtype, "the sum")
    if out is not None:
        return str(out.dtype)
    if have != "float32":
        hint = "write dtype=np.int32, or .astype(np.float32) before"
        refuse_type("int64", f"NumPy's sum of {have} is int64", hint)
    return have


def _logical(op: str, a: Any, axis: Axis, out: Any, keepdims: Any) -> TracedArray:
    recorder = current()
    truth = build.cast(recorder, node_of(recorder, a), "bool")
    axes = _axes(axis, len(recorder.nodes[truth].shape))
    ones = build.cast(recorder, truth, "float32")
    node = build.reduce(recorder, op, ones, axes, _given(keepdims))
    return deliver(recorder, build.cast(recorder, node, "bool"), out, (a,))


@implements(np.sum)
def _sum(
    a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False
) -> Any:
    return _reduce("reduce_sum", a, axis, dtype, out, keepdims, (a,))


@implements(np.max, np.amax)
def _max(a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    if a.dtype == np.bool_:
        return _any(a, axis, out, keepdims)
    return _reduce("reduce_max", a, axis, None, out, keepdims, (a,))


@implements(np.min, np.amin)
def _min(a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    if a.dtype == np.bool_:
        return _all(a, axis, out, keepdims)
    return _reduce("reduce_min", a, axis, None, out, keepdims, (a,))


@implements(np.any)
def _any(a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    return _logical("reduce_max", a, axis, out, keepdims)


@implements(np.all)
def _all(a: Any, axis: Axis = None, out: Any = None, keepdims: Any = False) -> Any:
    return _logical("reduce_min", a, axis, out, keepdims)


@implements(np.mean)
def _mean(
    a: Any, axis: Axis = None, dtype: Any = None, out: Any = None, keepdims: Any = False
) -> Any:
    if dtype is None and a.dtype != np.float32:
        hint = "write dtype=np.float32, or .astype(np.float32) before"
        refuse_type("float64", f"NumPy's mean of {a.dtype} is float64", hint)
    if dtype is not None and np.dtype(dtype) != np.float32:
        fail(f"a mean in {np.dtype(dtype)} is not supported", "write dtype=np.float32")
    recorder = current()
    total = _reduce("reduce_sum", a, axis, dtype, None, keepdims, (a,))
    node = _divided(recorder, total.read(), _count(a.shape, axis))
    return deliver(recorder, node, out, (a,))


@implements(np.var)
def _var(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: int = 0,
    keepdims: Any = False,
) -> Any:
    return deliver(current(), _variance(a, axis, dtype, ddof, keepdims), out, (a,))


@implements(np.std)
def _std(
    a: Any,
    axis: Axis = None,
    dtype: Any = None,
    out: Any = None,
    ddof: int = 0,
    keepdims: Any = False,
) -> Any:
    recorder = current()
    variance = _variance(a, axis, dtype, ddof, keepdims)
    return deliver(recorder, build.elementwise(recorder, "sqrt", variance), out, (a,))


def _variance(a: Any, axis: Axis, dtype: Any, ddof: int, keepdims: Any) -> int:
    """In NumPy's own order: mean, difference, square, sum, division."""
    recorder = current()
    mean = _mean(a, axis, dtype, None, True)
    x = build.cast(recorder, node_of(recorder, a), "float32")
    difference = build.elementwise(recorder, "subtract", x, mean.read())
    squares = build.elementwise(recorder, "multiply", difference, difference)
    axes = _axes(axis, len(a.shape))
    total = build.reduce(recorder, "reduce_sum", squares, axes, _given(keepdims))
    freedom = _count(a.shape, axis) - ddof
    if freedom <= 0:
        fail(f"a variance with ddof={ddof} of {freedom + ddof} elements")
    return _divided(recorder, total, freedom)


def _count(shape: tuple[int, ...], axis: Axis) -> int:
    return build.size(tuple(shape[i] for i in _axes(axis, len(shape))))


def _divided(recorder: Recorder, node: int, count: int) -> int:
    divisor = recorder.scalar(constant(count), "float32")
    return build.elementwise(recorder, "divide", node, divisor)


def _register(ufunc: np.ufunc, op: str) -> None:
    """Makes ``ufunc.reduce``, whose axis is 0 by itself."""
    keywords = ("axis", "dtype", "keepdims", "out")

    def handle(inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for key, value in kwargs.items():
            if key not in keywords and value not in (None, _KEEP):
                fail(f"np.{ufunc.__name__}.reduce({key}=) is not supported")
        axis, dtype, keepdims = (
            kwargs.get(key, default)
            for key, default in (("axis", 0), ("dtype", None), ("keepdims", False))
        )
        (a,) = inputs
        out = single_out(kwargs.get("out"))
        of_bool = dtype is None and op != "reduce_sum" and a.dtype == np.bool_
        if of_bool or ufunc in (np.logical_or, np.logical_and):
            return _logical(op, a, axis, out, keepdims)
        return _reduce(op, a, axis, dtype, out, keepdims, inputs)

    UFUNCS[ufunc, "reduce"] = handle


_register(np.add, "reduce_sum")
_register(np.maximum, "reduce_max")
_register(np.minimum, "reduce_min")
_register(np.logical_or, "reduce_max")
_register(np.logical_and, "reduce_min")
