"""A graph as operations of the native core, and the values that they read and write.

Reshapes are other names of a value, as every value lies in C order. A reduction over several axes is one
operation per axis. Values that no node stands for are added behind those of the nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.numerics import encode
from simulator.numerics.broadcasting import broadcast_rows
from simulator.numerics.core import Native
from simulator.numerics.protocols import NodeLike
from simulator.numerics.signatures import ELEMENTWISE, REDUCTIONS, SOURCES, STORAGE, Array, Shape

Buffers = Mapping[int, int]  # by value
# From an array and the one that is written: what is copied of the former, and where in the latter.
View = Callable[[Array, Array], tuple[Array, Array]]


@dataclass(frozen=True)
class Value:
    """An array in C order."""

    shape: Shape
    dtype: str

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def item_bytes(self) -> int:
        """Bytes of one element."""
        return STORAGE[self.dtype].itemsize


@dataclass(frozen=True)
class Elementwise:
    """A function of the vector unit, on operands that are read in ``shapes``."""

    function: int
    reads: tuple[int, ...]
    shapes: tuple[Shape, ...]
    writes: int


@dataclass(frozen=True)
class Other:
    """Anything else: ``records`` are its words, given the buffers of values."""

    records: Callable[[Buffers], list[encode.Words]]
    reads: tuple[int, ...]
    writes: int
    heavy: bool = False  # a matrix multiplication


Operation = Elementwise | Other


class Lowering:
    """Operations in an order in which they can run; filled node by node.

    ``roots`` are, by node, the value that holds it.
    """

    def __init__(self, nodes: Sequence[NodeLike], native: Native, rows: int, dataflow: str) -> None:
        self._nodes, self._native = nodes, native
        self._tile = 0 if dataflow == "os" else rows
        self.values = [Value(node.shape, node.dtype) for node in nodes]
        self.roots = list(range(len(nodes)))
        self.zeros: set[int] = set()  # values that are 0
        self.operations: list[Operation] = []

    def lower(self, needed: Collection[int]) -> None:
        """Adds the operations of these nodes."""
        for index, node in enumerate(self._nodes):
            if node.op == "reshape":
                self.roots[index] = self.roots[node.inputs[0]]
            elif index in needed and node.op not in SOURCES and self.values[index].size:
                self._lower(index, node)

    def copy(self, value: int, shape: Shape) -> int:
        """Adds a copy of a value: a new value."""
        copied = self._new(shape, self.values[value].dtype)
        if self.values[copied].size:
            self._move(copied, [(value, shape, _into(...))])
        return copied

    def _new(self, shape: Shape, dtype: str) -> int:
        self.values.append(Value(shape, dtype))
        return len(self.values) - 1

    def _lower(self, index: int, node: NodeLike) -> None:
        if node.op in ELEMENTWISE:
            self._elementwise(index, node)
        elif node.op in REDUCTIONS:
            self._reduce(index, node)
        elif node.op == "matmul":
            self._matmul(index, node)
        elif node.op in ("transpose", "slice", "broadcast_to"):
            self._move(index, [self._part(node.inputs[0], _view(node))])
        elif node.op == "update":
            base, part = node.inputs
            self._move(index, [self._part(base, _into(...)), self._part(part, _into(_region(node)))])
        else:
            self._concatenate(index, node)

    def _part(self, source: int, view: View) -> tuple[int, Shape, View]:
        return self.roots[source], self._nodes[source].shape, view

    def _elementwise(self, index: int, node: NodeLike) -> None:
        # A broadcast operand is read as it was before.
        sources = [_before_broadcast(self._nodes, source) for source in node.inputs]
        reads = [self.roots[source] for source in sources]
        shapes = [self._nodes[source].shape for source in sources]
        if broadcast_rows(shapes, node.shape) is None:  # more than rows and columns
            for i, shape in enumerate(shapes):
                if shape != node.shape:
                    reads[i], shapes[i] = self._broadcast(reads[i], shape, node.shape), node.shape
        function = self._native.function(node.op, self._nodes[node.inputs[-1]].dtype)
        self.operations.append(Elementwise(function, tuple(reads), tuple(shapes), index))

    def _broadcast(self, value: int, shape: Shape, to: Shape) -> int:
        wide = self._new(to, self.values[value].dtype)
        self._move(wide, [(value, shape, lambda x, out: (np.broadcast_to(x, to), out))])
        return wide

    def _reduce(self, index: int, node: NodeLike) -> None:
        source, axes = self.roots[node.inputs[0]], sorted(node.attrs["axes"])
        shape = list(self._nodes[node.inputs[0]].shape)
        if not axes:  # nothing to combine
            self._move(index, [(source, node.shape, _into(...))])
        function = self._native.reduction(node.op, node.dtype)
        for axis in axes:
            outer, n, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
            shape[axis] = 1
            target = index if axis == axes[-1] else self._new(tuple(shape), node.dtype)
            self._reduce_axis(function, source, target, (outer, n, inner))
            source = target

    def _reduce_axis(self, function: int, source: int, target: int, lengths: tuple[int, int, int]) -> None:
        def records(buffers: Buffers) -> list[encode.Words]:
            return [encode.reduce(function, buffers[source], buffers[target], *lengths)]

        self.operations.append(Other(records, (source,), target))

    def _matmul(self, index: int, node: NodeLike) -> None:
        a, b = (self.roots[source] for source in node.inputs)
        transpose_a, transpose_b = bool(node.attrs["transpose_a"]), bool(node.attrs["transpose_b"])
        (m, n), stored = node.shape, self._nodes[node.inputs[0]].shape
        k = stored[0] if transpose_a else stored[1]
        if k == 0:
            zero = self._new((), node.dtype)
            self.zeros.add(zero)
            self._move(index, [(zero, (), lambda x, out: (np.broadcast_to(x, out.shape), out))])
            return
        integers = node.dtype == "int32"
        product = encode.Product(m, n, k, transpose_a, transpose_b, min(self._tile, k), integers)

        def records(buffers: Buffers) -> list[encode.Words]:
            return [encode.multiply(buffers[a], buffers[b], buffers[index], product)]

        self.operations.append(Other(records, (a, b), index, heavy=True))

    def _concatenate(self, index: int, node: NodeLike) -> None:
        axis, start, parts = node.attrs["axis"] % len(node.shape), 0, []
        for source in node.inputs:
            end = start + self._nodes[source].shape[axis]
            if self._nodes[source].shape[axis]:
                parts.append(self._part(source, _into((*[slice(None)] * axis, slice(start, end)))))
            start = end
        self._move(index, parts)

    def _move(self, target: int, parts: Sequence[tuple[int, Shape, View]]) -> None:
        """Copies into one value, from values read in the given shapes."""
        out = _memory(self.values[target].shape, self.values[target].dtype)
        moves = []
        for value, shape, view in parts:
            x = _memory(shape, self.values[value].dtype)
            source, into = view(x, out)
            if source.size:
                moves.append((value, encode.Move.between(x, source, out, into)))

        def records(buffers: Buffers) -> list[encode.Words]:
            return [encode.move(buffers[value], buffers[target], moved) for value, moved in moves]

        self.operations.append(Other(records, tuple(value for value, _, _ in parts), target))


def _memory(shape: Shape, dtype: str) -> Array:
    """An array whose strides are read and whose elements are not."""
    return np.empty(shape, STORAGE[dtype])


def _before_broadcast(nodes: Sequence[NodeLike], source: int) -> int:
    while nodes[source].op == "broadcast_to":
        source = nodes[source].inputs[0]
    return source


def _region(node: NodeLike) -> Any:
    """The key of a slice or an update; an array without axes stays one."""
    return (*(slice(*part) for part in node.attrs["key"]), ...)


def _view(node: NodeLike) -> View:
    """The view that a node is of what it reads, written to a whole array."""
    if node.op == "transpose":
        return lambda x, out: (x.transpose(node.attrs["axes"]), out)
    if node.op == "slice":
        return lambda x, out: (x[_region(node)], out)
    return lambda x, out: (np.broadcast_to(x, node.shape), out)


def _into(key: Any) -> View:
    """A whole array, written to a part of another."""
    return lambda x, out: (x, out[key])
