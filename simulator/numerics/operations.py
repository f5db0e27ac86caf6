"""From a node of a graph to the kernel that computes it, with its types and shapes checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from simulator.errors import ProgramError
from simulator.numerics import kernels, prepared
from simulator.numerics.protocols import NodeLike
from simulator.numerics.signatures import (
    ELEMENTWISE,
    REDUCTIONS,
    SOURCES,
    STORAGE,
    Array,
    Shape,
    elementwise_dtype,
    reduction_dtype,
)

Kernel = Callable[..., Array]
Prepared = tuple[tuple[int, ...], Kernel | None]


def prepare(nodes: Sequence[NodeLike], index: int, rows: int, dataflow: str) -> Prepared:
    """Which values node ``index`` reads and its kernel, None for sources.

    Raises:
        ProgramError: inputs, type or shape do not fit the operation; names the operation and its
            source.
    """
    node = nodes[index]
    try:
        if any(not 0 <= source < index for source in node.inputs):
            raise ProgramError(f"reads nodes {node.inputs}, which do not all come before it")
        return _prepare(nodes, node, rows, dataflow)
    except (ProgramError, ValueError, KeyError) as error:
        raise ProgramError(f"{node.where}: {node.op} (node {index}): {error}") from error


def _prepare(nodes: Sequence[NodeLike], node: NodeLike, rows: int, dataflow: str) -> Prepared:
    dtypes = [nodes[source].dtype for source in node.inputs]
    shapes = [nodes[source].shape for source in node.inputs]
    if node.op in SOURCES:
        if node.op == "constant":
            value = np.asarray(node.attrs["value"])
            if value.dtype != STORAGE[node.dtype] or value.shape != node.shape:
                raise ProgramError(f"{value.dtype} {value.shape}, but the node says {_type(node)}")
        return (), None
    if node.op in ELEMENTWISE:
        _expect(node, elementwise_dtype(node.op, dtypes), np.broadcast_shapes(*shapes))
        # The kernels broadcast: a broadcast operand is read as it was before.
        reads = tuple(_before_broadcast(nodes, source) for source in node.inputs)
        before = [nodes[source].shape for source in reads]
        return reads, prepared.prepare_elementwise(node.op, dtypes, before, node.shape)
    if node.op in REDUCTIONS:
        (shape,), axes, keepdims = shapes, node.attrs["axes"], node.attrs["keepdims"]
        kernel = prepared.prepare_reduce(node.op, dtypes[0], shape, axes, keepdims)
        kept = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
        squeezed = tuple(n for axis, n in enumerate(shape) if axis not in axes)
        _expect(node, reduction_dtype(node.op, dtypes[0]), kept if keepdims else squeezed)
        return node.inputs, kernel
    if node.op == "matmul":
        return node.inputs, _matmul(node, dtypes, shapes, rows, dataflow)
    kernel = _movement(node)
    if len(set(dtypes)) != 1:
        raise ProgramError(f"takes operands of one type, not {', '.join(dtypes)}")
    # Tried on arrays of one element's memory: NumPy itself says whether the shapes fit.
    tried = kernel(*(np.broadcast_to(np.zeros((), STORAGE[dtypes[0]]), shape) for shape in shapes))
    _expect(node, dtypes[0], tried.shape)
    return node.inputs, kernel


def _before_broadcast(nodes: Sequence[NodeLike], source: int) -> int:
    while nodes[source].op == "broadcast_to":
        source = nodes[source].inputs[0]
    return source


def _expect(node: NodeLike, dtype: str, shape: Shape) -> None:
    if (node.dtype, node.shape) != (dtype, shape):
        raise ProgramError(f"gives {dtype} {shape}, but the node says {_type(node)}")


def _matmul(
    node: NodeLike, dtypes: Sequence[str], shapes: Sequence[Shape], rows: int, dataflow: str
) -> Callable[..., Array]:
    transposes = {name: bool(node.attrs[name]) for name in ("transpose_a", "transpose_b")}
    if [len(shape) for shape in shapes] != [2, 2]:
        raise ProgramError(f"takes two operands of two axes, not {shapes}")
    (m, k), (k_of_b, n) = (
        shape[::-1] if flag else shape for shape, flag in zip(shapes, transposes.values(), strict=True)
    )
    if k != k_of_b or dtypes not in (["bfloat16"] * 2, ["int8"] * 2):
        raise ProgramError(f"operands {dtypes[0]} {(m, k)} and {dtypes[1]} {(k_of_b, n)}")
    _expect(node, "int32" if dtypes[0] == "int8" else "float32", (m, n))
    if dtypes[0] == "int8":
        return lambda a, b: kernels.gemm_int8(a, b, **transposes)
    return lambda a, b: kernels.gemm(a, b, **transposes, rows=rows, dataflow=dataflow)


def _type(node: NodeLike) -> str:
    return f"{node.dtype} {node.shape}"


def _movement(node: NodeLike) -> Kernel:
    """Operations that move elements and compute nothing: NumPy views and copies."""
    shape, attrs = node.shape, node.attrs
    if node.op == "transpose":
        return lambda x: x.transpose(attrs["axes"])
    if node.op == "reshape":
        return lambda x: x.reshape(shape)
    if node.op == "broadcast_to":
        return lambda x: np.broadcast_to(x, shape)
    if node.op == "concatenate":
        return lambda *parts: np.concatenate(parts, attrs["axis"])
    if node.op not in ("slice", "update"):
        raise ProgramError("no such operation")
    key = tuple(slice(*part) for part in attrs["key"])
    if node.op == "slice":
        return lambda x: x[key]

    def update(x: Array, part: Array) -> Array:
        result = x.copy()
        result[key] = part
        return result

    return update
