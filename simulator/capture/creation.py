"""Functions that make arrays like others, and those that choose between values."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.capture import build
from simulator.capture.arrays import TracedArray
from simulator.capture.build import Shape
from simulator.capture.hostscalar import HostNumber
from simulator.capture.operands import machine_type, operand, place
from simulator.capture.recorder import current, fail
from simulator.capture.results import deliver
from simulator.capture.standin import StandIn, implements


def _filled(a: Any, value: Any, dtype: Any, shape: Any) -> TracedArray:
    recorder = current()
    name = machine_type(a.dtype if dtype is None else dtype, "the result")
    wanted: Shape = a.shape if shape is None else tuple(np.atleast_1d(shape).tolist())
    given = operand(value)
    if given.constant is not None and not given.shape:
        made = np.full(wanted, given.constant, np.dtype(name))
        return TracedArray(recorder, recorder.constant(made))
    return TracedArray(recorder, build.broadcast_to(recorder, place(recorder, given, name), wanted))


@implements(np.zeros_like, np.empty_like)
def _zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
) -> TracedArray:
    return _filled(a, 0, dtype, shape)


@implements(np.ones_like)
def _ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
) -> TracedArray:
    return _filled(a, 1, dtype, shape)


@implements(np.full_like)
def _full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
) -> TracedArray:
    return _filled(a, fill_value, dtype, shape)


@implements(np.astype)
def _astype(x: Any, dtype: Any, /, *, copy: bool = True) -> TracedArray:
    made: TracedArray = x.astype(dtype, copy=copy)
    return made


@implements(np.where)
def _where(condition: Any, *values: Any) -> TracedArray:
    if len(values) != 2:
        fail(
            "np.where(condition) without values gives indices known only at run time",
            "use np.where(condition, a, b)",
        )
    recorder = current()
    chosen = [operand(value) for value in values]
    # NumPy promotes numbers by their kind here; any number of a kind will do.
    kinds = {int: 0, float: 0.0}
    types = [kinds[x.dtype] if isinstance(x.dtype, type) else x.dtype for x in chosen]
    what = f"np.where of {chosen[0]} and {chosen[1]}"
    numbers = all(isinstance(value.dtype, type) for value in chosen)
    hint = (
        "write condition.astype(np.float32), or np.float32(...) for one number" if numbers else ""
    )
    name = machine_type(np.result_type(*types), what, hint)
    if name == "int8":
        fail(f"np.where of {name} is not supported", "convert with .astype(np.float32) first")
    mask = operand(condition)
    if mask.number is not None:
        fail("np.where needs a condition that is an array", "compare it with another number")
    where = place(recorder, mask, "bool")
    placed = [place(recorder, value, name) for value in chosen]
    if name == "bool":  # chosen as the 0.0 or 1.0 that it is on the machine
        placed = [build.cast(recorder, node, "float32") for node in placed]
    node = build.elementwise(recorder, "where", where, *placed)
    return TracedArray(recorder, build.cast(recorder, node, name))


@implements(np.clip)
def _clip(
    a: Any,
    a_min: Any = None,
    a_max: Any = None,
    out: Any = None,
    *,
    min: Any = None,
    max: Any = None,
) -> Any:
    low = min if a_min is None else a_min
    high = max if a_max is None else a_max
    if low is None and high is None:
        fail("np.clip without bounds")
    result = a
    if low is not None:
        result = np.maximum(result, low)
    if high is not None:
        result = np.minimum(result, high)
    if out is None or isinstance(result, HostNumber):
        return result
    return deliver(current(), result.read(), out, (a, low, high))


@implements(np.result_type)
def _result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    return np.result_type(
        *(_type_of(x) if isinstance(x, StandIn) else x for x in arrays_and_dtypes)
    )


def _type_of(stand: StandIn) -> Any:
    """What stands for an array or a number in NumPy's promotion."""
    dtype = stand.operand().dtype
    return {int: 0, float: 0.0}.get(dtype, dtype) if isinstance(dtype, type) else dtype


@implements(np.outer)
def _outer(a: Any, b: Any, out: Any = None) -> Any:
    made: Any = np.ravel(a)[:, None] * np.ravel(b)[None, :]
    return made if out is None else deliver(current(), made.read(), out, (a, b))


@implements(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    if n != 1:
        fail(f"np.diff with n={n} is not supported")
    before = (slice(None),) * (axis % a.ndim)
    return a[(*before, slice(1, None))] - a[(*before, slice(None, -1))]
