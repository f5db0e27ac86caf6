"""Makes nodes with their shapes and types, and leaves out those that would change nothing.

Everything here takes and gives indices of nodes; broadcasting follows NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from simulator.capture.recorder import Recorder, fail

Shape = tuple[int, ...]
Key = tuple[tuple[int, int, int], ...]  # per axis (start, stop, step)

MACHINE_TYPES = ("float32", "int32", "int8", "bool")

_COMPARISONS = ("equal", "not_equal", "less", "less_equal")
_TO_BOOL = (*_COMPARISONS, "logical_and", "logical_or", "logical_not", "to_bool")
_RESULT = {"to_bfloat16": "bfloat16", "to_float32": "float32", "to_int32": "int32"} | dict.fromkeys(
    _TO_BOOL, "bool"
)
_CASTS = {
    ("int32", "float32"): ("to_float32",),
    ("int8", "float32"): ("to_float32",),
    ("bool", "float32"): ("to_float32",),
    ("float32", "int32"): ("to_int32",),
    ("int8", "int32"): ("to_int32",),
    ("bool", "int32"): ("to_int32",),
    ("float32", "bool"): ("to_bool",),
    ("int32", "bool"): ("to_bool",),
    ("int8", "bool"): ("to_int32", "to_bool"),
}


def broadcast(*shapes: Shape) -> Shape:
    """The shape that the shapes broadcast to."""
    distinct = set(shapes) - {()}
    if len(distinct) <= 1:
        return distinct.pop() if distinct else ()
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        fail(f"shapes {' and '.join(map(str, shapes))} do not fit each other")


def elementwise(recorder: Recorder, op: str, *inputs: int) -> int:
    """One function of the vector unit."""
    nodes = [recorder.nodes[index] for index in inputs]
    shape = broadcast(*(node.shape for node in nodes))
    dtype = _RESULT.get(op) or nodes[-1].dtype  # the last: `where` starts with its condition
    return recorder.emit(op, inputs, shape, dtype)


def cast(recorder: Recorder, index: int, dtype: str) -> int:
    """A value converted to another type; a transpose comes after, where a matmul can take it."""
    node = recorder.nodes[index]
    have = node.dtype
    if have == dtype:
        return index
    if node.op == "transpose":
        return transpose(recorder, cast(recorder, node.inputs[0], dtype), node.attrs["axes"])
    if (have, dtype) not in _CASTS:
        fail(f"the machine cannot convert {have} to {dtype}")
    for op in _CASTS[have, dtype]:
        index = elementwise(recorder, op, index)
    return index


def reshape(recorder: Recorder, index: int, shape: Shape) -> int:
    """A view in C order; `shape` has no -1 and the same number of elements."""
    node = recorder.nodes[index]
    if node.op == "reshape" and node.shape != shape:
        return reshape(recorder, node.inputs[0], shape)
    return index if node.shape == shape else recorder.emit("reshape", (index,), shape, node.dtype)


def transpose(recorder: Recorder, index: int, axes: Sequence[int]) -> int:
    """A view with permuted axes."""
    node = recorder.nodes[index]
    axes = tuple(axes)
    if axes == tuple(range(len(node.shape))):
        return index
    if node.op == "transpose":
        inner = node.attrs["axes"]
        return transpose(recorder, node.inputs[0], [inner[axis] for axis in axes])
    shape = tuple(node.shape[axis] for axis in axes)
    return recorder.emit("transpose", (index,), shape, node.dtype, axes=axes)


def broadcast_to(recorder: Recorder, index: int, shape: Shape) -> int:
    """A view that repeats elements."""
    node = recorder.nodes[index]
    if node.shape == shape:
        return index
    if broadcast(node.shape, shape) != shape:
        fail(f"an array of shape {node.shape} does not fit {shape}")
    return recorder.emit("broadcast_to", (index,), shape, node.dtype)


def region_shape(key: Key) -> Shape:
    """The shape of the region that a slice's key selects."""
    return tuple(len(range(*bounds)) for bounds in key)


def take(recorder: Recorder, index: int, key: Key) -> int:
    """The region of an array that `key` selects."""
    node = recorder.nodes[index]
    shape = region_shape(key)
    if shape == node.shape:
        return index
    return recorder.emit("slice", (index,), shape, node.dtype, key=key)


def update(recorder: Recorder, index: int, key: Key, value: int) -> int:
    """The array with `value`, of the region's shape and the array's type, written into a region."""
    node = recorder.nodes[index]
    if region_shape(key) == node.shape:
        return value
    if 0 in region_shape(key):
        return index
    return recorder.emit("update", (index, value), node.shape, node.dtype, key=key)


def reduce(recorder: Recorder, op: str, index: int, axes: Shape, keepdims: bool) -> int:
    """A reduction; `axes` are sorted and not negative."""
    node = recorder.nodes[index]
    if not axes:
        return index
    kept = [1 if axis in axes else length for axis, length in enumerate(node.shape)]
    shape = tuple(n for axis, n in enumerate(kept) if keepdims or axis not in axes)
    return recorder.emit(op, (index,), shape, node.dtype, axes=axes, keepdims=keepdims)


def concatenate(recorder: Recorder, indices: Sequence[int], axis: int) -> int:
    """Arrays of one type joined along an axis that is not negative."""
    nodes = [recorder.nodes[index] for index in indices]
    first = nodes[0].shape
    for node in nodes:
        if len(node.shape) != len(first) or any(
            a != b for i, (a, b) in enumerate(zip(node.shape, first, strict=True)) if i != axis
        ):
            shapes = ", ".join(str(node.shape) for node in nodes)
            fail(f"arrays of shapes {shapes} cannot be joined along axis {axis}")
    indices = [index for index in indices if recorder.nodes[index].size]
    if len(indices) == 1:
        return indices[0]
    length = sum(node.shape[axis] for node in nodes)
    shape = (*first[:axis], length, *first[axis + 1 :])
    return recorder.emit("concatenate", tuple(indices), shape, nodes[0].dtype, axis=axis)


def matmul(recorder: Recorder, a: int, b: int) -> int:
    """The product of two matrices, both float32 (rounded to bfloat16 here) or both int8."""
    a, transpose_a = _stored(recorder, a)
    b, transpose_b = _stored(recorder, b)
    m, k = recorder.nodes[a].shape[:: -1 if transpose_a else 1]
    k_b, n = recorder.nodes[b].shape[:: -1 if transpose_b else 1]
    if k != k_b:
        fail(f"matrices of shapes {(m, k)} and {(k_b, n)} cannot be multiplied")
    dtype = "float32" if recorder.nodes[a].dtype == "bfloat16" else "int32"
    flags = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    return recorder.emit("matmul", (a, b), (m, n), dtype, **flags)


def _stored(recorder: Recorder, index: int) -> tuple[int, bool]:
    """An operand of a matmul as it is stored, and whether that is transposed.

    Rounding commutes with a transpose, so x and x.T share one bfloat16 copy.
    """
    node = recorder.nodes[index]
    transposed = node.op == "transpose"
    if transposed:
        index = node.inputs[0]
    if node.dtype == "float32":
        index = elementwise(recorder, "to_bfloat16", index)
    return index, transposed


def size(shape: Shape) -> int:
    """Number of elements."""
    return math.prod(shape)
