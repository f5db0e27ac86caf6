"""Graph to steps over whole tensors: one method per operation, in the graph's own order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from simulator.compiler import views
from simulator.compiler.steps import Elementwise, Source, Steps, Value
from simulator.compiler.tensors import choose_geometry, matrix_shape
from simulator.errors import CompileError
from simulator.graph import ELEMENTWISE, REDUCTIONS, Array, Graph, Node
from simulator.isa import Function
from simulator.machines.systolic import SystolicMachine

ZERO = "constant.zero"

_FUNCTIONS = {
    "negative": Function.NEGATIVE,
    "absolute": Function.ABSOLUTE,
    "sign": Function.SIGN,
    "sqrt": Function.SQRT,
    "exp": Function.EXP,
    "log": Function.LOG,
    "tanh": Function.TANH,
    "add": Function.ADD,
    "subtract": Function.SUBTRACT,
    "multiply": Function.MULTIPLY,
    "divide": Function.DIVIDE,
    "maximum": Function.MAXIMUM,
    "minimum": Function.MINIMUM,
    "equal": Function.EQUAL,
    "not_equal": Function.NOT_EQUAL,
    "less": Function.LESS,
    "less_equal": Function.LESS_EQUAL,
    "where": Function.SELECT,
    # bool is 0.0 or 1.0
    "logical_and": Function.MINIMUM,
    "logical_or": Function.MAXIMUM,
    "logical_not": Function.EQUAL,
    "to_bool": Function.NOT_EQUAL,
    "to_bfloat16": Function.TO_BFLOAT16,
}
_AGAINST_ZERO = ("logical_not", "to_bool")
_NO_INTEGER = ("multiply", "divide", "sqrt", "exp", "log", "tanh")
_CONVERSIONS = {
    ("int32", "float32"): Function.FLOAT32_FROM_INT32,
    ("int8", "float32"): Function.FLOAT32_FROM_INT8,
    ("float32", "int32"): Function.INT32_FROM_FLOAT32,
    ("bool", "int32"): Function.INT32_FROM_FLOAT32,
    ("int8", "int32"): Function.INT32_FROM_INT8,
}
_REDUCE = {
    "reduce_sum": (Function.REDUCE_SUM, Function.ADD),
    "reduce_max": (Function.REDUCE_MAX, Function.MAXIMUM),
    "reduce_min": (Function.REDUCE_MIN, Function.MINIMUM),
}


class Lowerer:
    """Lowers a graph for machines of one dataflow. ``value[node]`` is the tensor of a node's value."""

    def __init__(self, graph: Graph, machine: SystolicMachine) -> None:
        self.graph = graph
        self.dataflow = machine.matrix_unit.dataflow
        self.low = Steps(choose_geometry(machine))
        self.value: dict[int, Value] = {}
        self.inputs: dict[str, Value] = {}
        self.constants: dict[str, tuple[Value, Array]] = {}
        self.scalars: Value | None = None
        self._turned: dict[int, Value] = {}
        self._fused = self._choose_fused()

    def run(self) -> Steps:
        """Lowers every node that an output needs."""
        graph = self.graph
        if graph.scalars:
            self.scalars = self.low.tensor("scalars", (len(graph.scalars), 1), "float32")
        path_of = {node: path for path, node in graph.inputs.items()}
        fused_matmuls = set(self._fused.values())
        for index, node in enumerate(graph.nodes):
            if 0 in node.shape:
                raise CompileError(f"{node.where}: {node.op} of shape {node.shape} has no elements")
            if node.op == "input":
                tensor = self.low.tensor(path_of[index], node.shape, node.dtype)
                self.value[index] = self.inputs[path_of[index]] = tensor
            elif node.op == "constant":
                tensor = self.low.tensor(f"constant.{len(self.constants)}", node.shape, node.dtype)
                self.value[index] = tensor
                self.constants[tensor.name] = (tensor, node.attrs["value"])
            elif node.op != "scalar" and index not in fused_matmuls:
                self._lower(index, node)
        return self.low

    def own_copy(self, node: int) -> Value:
        """The node's value in a tensor that is not an input's, a constant's or another result's."""
        source = self.source(node)
        wanted = self.graph.nodes[node]
        self.low.begin("copy", f"copy {wanted.shape} to a result", wanted.where)
        out = self.low.tensor(f"%{node}.result", wanted.shape, wanted.dtype)
        if source.replicate or source.row is not None:
            function = Function.COPY
            self.low.elementwise(function, out, [source], item=out.item)
        else:
            self.low.copy_rows(out, 0, source.tensor, 0, out.rows)
        return out

    def source(self, node: int, columns: int = 1) -> Source:
        """A node as operand of a result whose last dimension is ``columns``."""
        described = self.graph.nodes[node]
        if described.op == "scalar":
            assert self.scalars is not None
            return Source(self.scalars, replicate=True, row=described.attrs["index"])
        tensor = self.value[node]
        return Source(tensor, replicate=tensor.cols == 1 and columns > 1)

    # -- operations ------------------------------------------------------------------------------------------

    def _choose_fused(self) -> dict[int, int]:
        """Elementwise nodes that read a matmul's accumulators directly, and that matmul.

        The matmul must be used by that node alone and have its shape; it is then lowered where that node
        stands.
        """
        graph, uses = self.graph, self.graph.uses()
        outputs = set(graph.outputs.values())
        fused: dict[int, int] = {}
        for index in graph.matmuls():
            if index in outputs or len(uses[index]) != 1 or self.dataflow == "is":
                continue
            user = graph.nodes[uses[index][0]]
            reads = user.op in ELEMENTWISE and user.op not in ("copy", "to_float32", "to_int32")
            if reads and user.shape == graph.nodes[index].shape and uses[index][0] not in fused:
                fused[uses[index][0]] = index
        return fused

    def _lower(self, index: int, node: Node) -> None:
        if node.op == "matmul":
            self._matmul(index, self._copy_epilogue(index))
        elif node.op in ELEMENTWISE:
            self._elementwise(index, node)
        elif node.op in REDUCTIONS:
            self._begin(node)
            self.value[index] = self._reduce(index, node)
        else:
            self._begin(node)
            self.value[index] = self._view(index, node)

    def _begin(self, node: Node, macs: int = 0, label: str = "") -> None:
        shape = "x".join(map(str, node.shape)) or "scalar"
        where = f" in {node.where.function}" if node.where.function else ""
        self.low.begin(node.op, f"{node.op} {label or shape}{where}", node.where, macs)

    def _new(self, index: int) -> Value:
        node = self.graph.nodes[index]
        return self.low.tensor(f"%{index}", node.shape, node.dtype)

    # -- matmul ----------------------------------------------------------------------------------------------

    def _copy_epilogue(self, index: int) -> Elementwise:
        out = self.value[index] = self._new(index)
        return Elementwise(Function.COPY, out, [None], item=2)

    def _operand(self, node: int, transpose: bool) -> Value:
        """A matmul's operand as it must lie in memory; its transpose is made once and shared."""
        tensor = self.value[node]
        if not transpose:
            return tensor
        if tensor.number not in self._turned:
            self._turned[tensor.number] = views.transposed(self.low, tensor)
        return self._turned[tensor.number]

    def _matmul(self, index: int, epilogue: Elementwise) -> None:
        node = self.graph.nodes[index]
        a, b = node.inputs
        turn_a, turn_b = node.attrs["transpose_a"], node.attrs["transpose_b"]
        m, k, n = self.graph.matmul_mkn(index)
        self._begin(node, m * k * n, f"{m}x{k}x{n}")
        integer = node.dtype == "int32"
        if self.dataflow == "os":
            left, right = self._operand(a, not turn_a), self._operand(b, turn_b)
            self.low.matmul(left, right, epilogue, integer=integer, output_stationary=True)
        elif self.dataflow == "ws":
            left, right = self._operand(a, turn_a), self._operand(b, turn_b)
            self.low.matmul(left, right, epilogue, integer=integer, output_stationary=False)
        else:  # input-stationary: C^T = B^T A^T with a tile of A^T held, then the transpose of the result
            left, right = self._operand(b, not turn_b), self._operand(a, not turn_a)
            turned = self.low.tensor(f"%{index}.T", (n, m), node.dtype)
            copy = Elementwise(Function.COPY, turned, [None], item=2)
            self.low.matmul(left, right, copy, integer=integer, output_stationary=False)
            self.low.transpose_rows(self.value[index], turned)

    # -- element by element ----------------------------------------------------------------------------------

    def _elementwise(self, index: int, node: Node) -> None:
        first = self.graph.nodes[node.inputs[0]]
        if node.op == "copy" or (node.op, first.dtype) == ("to_float32", "bool"):
            self.value[index] = self._alias(node.inputs[0], node)
            return
        function, integer = self._function(node)
        if index in self._fused:
            matmul = self._fused[index]
            out = self.value[index] = self._new(index)
            reads = [None if source == matmul else self.source(source, out.cols) for source in node.inputs]
            self._matmul(matmul, Elementwise(function, out, [*reads, *self._zero(node)], integer))
            return
        self._begin(node)
        out = self._new(index)
        columns = out.cols
        sources = [self.source(source, columns) for source in node.inputs]
        self.low.elementwise(function, out, [*sources, *self._zero(node)], integer=integer)
        self.value[index] = out

    def _function(self, node: Node) -> tuple[Function, bool]:
        """The vector unit's function, and whether it works on int32."""
        types = [self.graph.nodes[source].dtype for source in node.inputs]
        if node.op in ("to_float32", "to_int32"):
            conversion = _CONVERSIONS.get((types[0], node.dtype))
            if conversion is None:
                raise CompileError(f"{node.where}: the vector unit cannot convert {types[0]} to {node.dtype}")
            return conversion, False
        integer = types[-1] == "int32"
        if "int8" in types or (integer and node.op in _NO_INTEGER):
            raise CompileError(f"{node.where}: the vector unit has no {node.op} on {types[-1]}")
        return _FUNCTIONS[node.op], integer

    def _zero(self, node: Node) -> list[Source]:
        if node.op not in _AGAINST_ZERO:
            return []
        if ZERO not in self.constants:
            tensor = self.low.tensor(ZERO, (1, 1), "float32")
            self.constants[ZERO] = (tensor, np.zeros((1, 1), np.float32))
        return [Source(self.constants[ZERO][0], replicate=True, row=0)]

    def _alias(self, source: int, node: Node) -> Value:
        """The same blocks under another shape (their rows and columns are the same)."""
        if self.graph.nodes[source].op == "scalar":
            out = self.low.tensor("%scalar", node.shape, node.dtype)
            self._begin(node)
            self.low.elementwise(Function.COPY, out, [self.source(source)], item=2)
            return out
        return _seen_as(self.value[source], node.shape, node.dtype)

    # -- reductions ------------------------------------------------------------------------------------------

    def _reduce(self, index: int, node: Node) -> Value:
        """One axis after the other, the lowest first; every axis is kept at length 1 until the end."""
        current = self.value[node.inputs[0]]
        shape = list(self.graph.nodes[node.inputs[0]].shape)
        integer = node.dtype == "int32"
        for axis in node.attrs["axes"]:
            if shape[axis] == 1:
                continue
            current = self._reduce_axis(current, tuple(shape), axis, node.op, integer)
            shape[axis] = 1
        source = _seen_as(current, tuple(shape), node.dtype)
        return self._reshaped(source, node.shape)

    def _reduce_axis(
        self, source: Value, shape: tuple[int, ...], axis: int, op: str, integer: bool
    ) -> Value:
        reducing, pairwise = _REDUCE[op]
        low = self.low
        if axis == len(shape) - 1:
            turned = views.transposed(low, source)
            line = low.tensor("reduced", (1, turned.cols), source.dtype)
            low.reduce_rows(reducing, line, 0, turned, 0, turned.rows, integer=integer)
            return views.transposed(low, line)
        outer, count, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 : -1])
        out = low.tensor("reduced", (outer * inner, source.cols), source.dtype)
        if inner == 1:
            for row in range(outer):
                low.reduce_rows(reducing, out, row, source, row * count, count, integer=integer)
            return out
        # Rows of one sum lie ``inner`` apart: whole groups of rows are combined, one after the other.
        for row in range(outer):
            chain = low.tensor("chain", (inner, source.cols), source.dtype)
            low.copy_rows(chain, 0, source, row * count * inner, inner)
            for position in range(1, count):
                following = low.tensor("chain", (inner, source.cols), source.dtype)
                addend = low.tensor("rows", (inner, source.cols), source.dtype)
                low.copy_rows(addend, 0, source, (row * count + position) * inner, inner)
                low.elementwise(pairwise, following, [Source(chain), Source(addend)], integer=integer)
                chain = following
            low.copy_rows(out, row * inner, chain, 0, inner)
        return out

    # -- views -----------------------------------------------------------------------------------------------

    def _reshaped(self, source: Value, shape: tuple[int, ...]) -> Value:
        rows, cols = matrix_shape(shape)
        if (rows, cols) != (source.rows, source.cols):
            source = views.reshape(self.low, source, cols)
        return _seen_as(source, shape, source.dtype)

    def _view(self, index: int, node: Node) -> Value:
        handlers: dict[str, Callable[[Node], Value]] = {
            "transpose": self._transpose,
            "reshape": lambda node: self._reshaped(self._held(node.inputs[0]), node.shape),
            "slice": self._slice,
            "broadcast_to": self._broadcast_to,
            "concatenate": self._concatenate,
            "update": self._update,
        }
        out = handlers[node.op](node)
        return _seen_as(out, node.shape, node.dtype)

    def _held(self, node: int) -> Value:
        """A node as a tensor; a scalar of the table becomes one."""
        if self.graph.nodes[node].op == "scalar":
            return self._alias(node, self.graph.nodes[node])
        return self.value[node]

    def _transpose(self, node: Node) -> Value:
        source = self._held(node.inputs[0])
        shape = self.graph.nodes[node.inputs[0]].shape
        axes = tuple(node.attrs["axes"])
        if axes == tuple(range(len(axes))):
            return source
        if axes == (1, 0):
            return self._operand(node.inputs[0], True)
        return views.transpose_axes(self.low, source, shape, axes)

    def _slice(self, node: Node) -> Value:
        source = self._held(node.inputs[0])
        shape = self.graph.nodes[node.inputs[0]].shape
        key = [tuple(part) for part in node.attrs["key"]]
        if all(part == (0, size, 1) for part, size in zip(key, shape, strict=True)):
            return source
        return views.slice_tensor(self.low, source, shape, key)

    def _broadcast_to(self, node: Node) -> Value:
        out = self.low.tensor("broadcast", node.shape, node.dtype)
        self.low.elementwise(Function.COPY, out, [self.source(node.inputs[0], out.cols)], item=out.item)
        return out

    def _concatenate(self, node: Node) -> Value:
        parts = [self._held(source) for source in node.inputs]
        return views.concatenate(self.low, parts, node.shape, node.attrs["axis"])

    def _update(self, node: Node) -> Value:
        base = self._held(node.inputs[0])
        shape = node.shape or (1,)
        key = [tuple(part) for part in node.attrs["key"]] or [(0, 1, 1)]
        counts = tuple(len(range(*part)) for part in key)
        value = self.low.tensor("value", counts, node.dtype)
        source = self.source(node.inputs[1], value.cols)
        self.low.elementwise(Function.COPY, value, [source], item=value.item)
        return views.write_slice(self.low, base, shape, key, value, counts[-1])


def _seen_as(tensor: Value, shape: tuple[int, ...], dtype: str) -> Value:
    if tensor.shape == shape and tensor.dtype == dtype:
        return tensor
    seen = replace(tensor, shape=shape, dtype=dtype)
    assert (seen.rows, seen.cols) == (tensor.rows, tensor.cols), (tensor.shape, shape)
    return seen
