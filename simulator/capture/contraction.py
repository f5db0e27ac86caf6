"""Products of matrices: @, dot, and the einsum and tensordot that are one matmul or a reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from simulator.capture import build
from simulator.capture.arrays import TracedArray
from simulator.capture.build import Shape, size
from simulator.capture.operands import Operand, operand, place
from simulator.capture.recorder import Recorder, current, fail
from simulator.capture.results import call_options, deliver
from simulator.capture.standin import UFUNCS, implements
from simulator.capture.ufuncs import machine_loop, resolve

_ELEMENTWISE_HINT = "write np.sum(a * b, axis=...), which is rounded to float32 instead of bfloat16"


def _typed(recorder: Recorder, a: Any, b: Any, dtype: Any) -> tuple[int, int]:
    """Two operands in the type of their product: both float32, or both int8."""
    operands = [operand(a), operand(b)]
    types = [given.dtype for given in operands]
    if dtype is not None and np.dtype(dtype) == np.int32 and types == [np.int8, np.int8]:
        return place(recorder, operands[0], "int8"), place(recorder, operands[1], "int8")
    name = machine_loop(np.matmul, operands, resolve(np.matmul, tuple(types), dtype))
    if name != "float32":
        hint = "write np.matmul(a, b, dtype=np.int32)"
        if name == "int32":
            hint = "the machine multiplies float32, or int8 with " + hint.removeprefix("write ")
        fail(f"a matrix multiplication of {_both(operands)} gives {name}", hint)
    return place(recorder, operands[0], name), place(recorder, operands[1], name)


def _both(operands: Sequence[Operand]) -> str:
    return " and ".join(str(given) for given in operands)


def product(recorder: Recorder, a: int, b: int) -> int:
    """``a @ b`` for up to two axes each, or more of `a`, which are flattened into rows."""
    have_a, have_b = recorder.nodes[a].shape, recorder.nodes[b].shape
    if not have_a or not have_b:
        fail("@ of an array without axes", "write *")
    if len(have_b) > 2:
        fail(
            f"a matrix multiplication of shapes {have_a} and {have_b} is many small ones",
            "the second array may have two axes at most; loop over the first axis",
        )
    rows, depth = have_a[:-1], have_a[-1]
    columns = have_b[1:]
    if depth != have_b[0]:
        fail(f"arrays of shapes {have_a} and {have_b} cannot be multiplied with @")
    if len(have_a) != 2:
        a = build.reshape(recorder, a, (size(rows), depth))
    if len(have_b) != 2:
        b = build.reshape(recorder, b, (depth, 1))
    return build.reshape(recorder, build.matmul(recorder, a, b), rows + columns)


def _matmul(inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> TracedArray:
    out, dtype, casting = call_options(np.matmul, kwargs)
    recorder = current()
    a, b = _typed(recorder, inputs[0], inputs[1], dtype)
    return deliver(recorder, product(recorder, a, b), out, inputs, casting)


UFUNCS[np.matmul, "__call__"] = _matmul


@implements(np.dot)
def _dot(a: Any, b: Any, out: Any = None) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return _scaled(a, b, out)
    return _matmul((a, b), {"out": out})


def _scaled(a: Any, b: Any, out: Any = None) -> Any:
    for factor in (a, b):
        if isinstance(operand(factor).dtype, type):
            fail("NumPy makes a float64 or int64 array of a Python number here", "write *")
    return np.multiply(a, b, out=out)


@implements(np.vdot)
def _vdot(a: Any, b: Any, /) -> TracedArray:
    return _matmul((np.ravel(a), np.ravel(b)), {})


@implements(np.inner)
def _inner(a: Any, b: Any, /) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return _scaled(a, b)
    return _matmul((a, np.transpose(b) if np.ndim(b) == 2 else b), {})


class _Side(NamedTuple):
    """An operand of a contraction as a matrix: free labels by contracted ones, or transposed."""

    free: str
    transposed: bool


def _side(labels: str, contracted: set[str], order: str) -> _Side | None:
    """How to see an operand as a matrix without moving elements, if that can be done."""
    free = "".join(label for label in labels if label not in contracted)
    if labels == free + order:
        return _Side(free, False)
    return _Side(free, True) if labels == order + free else None


def _contract(a: Any, b: Any, labels_a: str, labels_b: str, result: str, what: str) -> TracedArray:
    """A contraction that is one matmul of reshaped, perhaps transposed operands."""
    contracted = set(labels_a) & set(labels_b)
    order = "".join(label for label in labels_a if label in contracted)
    if (
        not contracted
        or contracted & set(result)
        or set(labels_a + labels_b) - contracted != set(result)
    ):
        fail(f"{what} is not one matrix multiplication", _ELEMENTWISE_HINT)
    side_a, side_b = _side(labels_a, contracted, order), _side(labels_b, contracted, order)
    if side_a is None or side_b is None:
        fail(f"{what} is not one matrix multiplication", "transpose and reshape, then use @")
    recorder = current()
    left, right = _typed(recorder, a, b, None)
    shape_a, shape_b = recorder.nodes[left].shape, recorder.nodes[right].shape
    lengths = dict(zip(labels_a, shape_a, strict=True))
    for label, length in zip(labels_b, shape_b, strict=True):
        if lengths.setdefault(label, length) != length:
            fail(f"{what} of shapes {shape_a} and {shape_b}: '{label}' has two lengths")
    sides = [(left, side_a), (right, side_b)]
    if result == side_b.free + side_a.free:
        sides.reverse()
    elif result != side_a.free + side_b.free:
        fail(f"{what} is not one matrix multiplication", "transpose and reshape, then use @")
    depth = size(tuple(lengths[label] for label in order))
    first = _matrix(recorder, *sides[0], depth, rows=True)
    second = _matrix(recorder, *sides[1], depth, rows=False)
    node = build.matmul(recorder, first, second)
    shape = tuple(lengths[label] for label in result)
    node = build.reshape(recorder, node, shape)
    return deliver(recorder, node, None)


def _matrix(recorder: Recorder, node: int, side: _Side, depth: int, rows: bool) -> int:
    """The operand with its free labels as rows (first factor) or columns (second factor)."""
    free = recorder.nodes[node].size // depth
    stored: Shape = (depth, free) if side.transposed else (free, depth)
    node = build.reshape(recorder, node, stored)
    return node if side.transposed != rows else build.transpose(recorder, node, (1, 0))


@implements(np.einsum)
def _einsum(subscripts: Any, /, *operands: Any, out: Any = None, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str) or "." in subscripts:
        fail("np.einsum is supported with letters only", "write it with @ and np.sum")
    inputs, arrow, result = subscripts.replace(" ", "").partition("->")
    labels = inputs.split(",")
    if not arrow:
        joined = inputs.replace(",", "")
        result = "".join(sorted(label for label in set(joined) if joined.count(label) == 1))
    what = f"np.einsum('{inputs}->{result}')"
    for given, array in zip(labels, operands, strict=True):
        if len(set(given)) != len(given) or len(given) != np.ndim(array):
            fail(f"{what} with an array of shape {np.shape(array)} is not supported")
    if len(operands) == 1:
        made = _einsum_one(operands[0], labels[0], result, what)
    elif len(operands) == 2:
        made = _contract(operands[0], operands[1], labels[0], labels[1], result, what)
    else:
        fail(f"{what} is not one matrix multiplication", "take two arrays at a time")
    return made if out is None else deliver(current(), made.read(), out, operands)


def _einsum_one(array: Any, labels: str, result: str, what: str) -> Any:
    if not set(result) <= set(labels) or len(set(result)) != len(result):
        fail(f"{what} is not supported")
    kept = [label for label in labels if label in result]
    axes = tuple(axis for axis, label in enumerate(labels) if label not in result)
    reduced = np.sum(array, axis=axes) if axes else array
    if "".join(kept) == result:
        return reduced
    return np.transpose(reduced, [kept.index(label) for label in result])


@implements(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> TracedArray:
    ndim_a, ndim_b = np.ndim(a), np.ndim(b)
    if isinstance(axes, int | np.integer):
        pairs = [(ndim_a - int(axes) + i, i) for i in range(int(axes))]
    else:
        first, second = ((x,) if isinstance(x, int) else tuple(x) for x in axes)
        pairs = [
            (normalize_axis_index(i, ndim_a), normalize_axis_index(j, ndim_b))
            for i, j in zip(first, second, strict=True)
        ]
    labels_a = [chr(ord("a") + i) for i in range(ndim_a)]
    labels_b = [chr(ord("A") + i) for i in range(ndim_b)]
    for i, j in pairs:
        labels_b[j] = labels_a[i]
    shared = set(labels_a) & set(labels_b)
    result = [label for label in labels_a + labels_b if label not in shared]
    what = f"np.tensordot over {len(pairs)} axes"
    made = _contract(a, b, "".join(labels_a), "".join(labels_b), "".join(result), what)
    return made if result else TracedArray(current(), made.read())
