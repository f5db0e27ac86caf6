"""Graphs written by hand, without capture."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.graph import Graph, HostScalar, Location, Node, ScalarEntry


class Builder:
    """Collects nodes; every method returns the new node's index."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: dict[str, int] = {}
        self.scalars: list[ScalarEntry] = []

    def add(self, op: str, *inputs: int, shape: tuple[int, ...], dtype: str = "float32", **attrs: Any) -> int:
        where = Location("user.py", len(self.nodes) + 1, 1, "step")
        self.nodes.append(Node(op, inputs, shape, dtype, attrs, where))
        return len(self.nodes) - 1

    def input(self, path: str, shape: tuple[int, ...], dtype: str = "float32") -> int:
        self.inputs[path] = self.add("input", shape=shape, dtype=dtype, path=path)
        return self.inputs[path]

    def scalar(self, expression: HostScalar, dtype: str = "float32") -> int:
        self.scalars.append(ScalarEntry(expression, dtype))
        return self.add("scalar", shape=(), dtype=dtype, index=len(self.scalars) - 1)

    def matmul(self, a: int, b: int, transpose_a: bool = False, transpose_b: bool = False) -> int:
        """Float operands are rounded to bfloat16 first."""
        shapes = []
        operands = []
        for source, flag in ((a, transpose_a), (b, transpose_b)):
            node = self.nodes[source]
            if node.dtype == "float32":
                source = self.add("to_bfloat16", source, shape=node.shape, dtype="bfloat16")
            operands.append(source)
            shapes.append(node.shape[::-1] if flag else node.shape)
        return self.add(
            "matmul", *operands, shape=(shapes[0][0], shapes[1][1]),
            dtype="int32" if self.nodes[a].dtype == "int8" else "float32",
            transpose_a=transpose_a, transpose_b=transpose_b,
        )  # fmt: skip

    def graph(self, **outputs: int) -> Graph:
        return Graph(tuple(self.nodes), self.inputs, outputs, tuple(self.scalars))


def layer_step(batch: int = 5, inputs: int = 40, outputs: int = 7) -> Graph:
    """One tanh layer with a squared loss, its gradients and an update: forward, both transposes."""
    g = Builder()
    x, target = g.input("x", (batch, inputs)), g.input("target", (batch, outputs))
    w, b = g.input("w", (inputs, outputs)), g.input("b", (outputs,))
    rate = g.scalar(HostScalar("arg", ("lr",)))
    one = g.add("constant", shape=(), value=np.array(1.0, np.float32))
    out = (batch, outputs)
    z = g.add("add", g.matmul(x, w), b, shape=out)
    y = g.add("tanh", z, shape=out)
    error = g.add("subtract", y, target, shape=out)
    square = g.add("multiply", error, error, shape=out)
    loss = g.add("reduce_sum", square, shape=(), axes=(0, 1), keepdims=False)
    slope = g.add("subtract", one, g.add("multiply", y, y, shape=out), shape=out)
    dz = g.add("multiply", error, slope, shape=out)
    dw = g.matmul(x, dz, transpose_a=True)
    dx = g.matmul(dz, w, transpose_b=True)
    db = g.add("reduce_sum", dz, shape=(outputs,), axes=(0,), keepdims=False)
    wide = g.add("broadcast_to", rate, shape=(inputs, outputs))
    step = g.add("multiply", wide, dw, shape=(inputs, outputs))
    new_w = g.add("subtract", w, step, shape=(inputs, outputs))
    return g.graph(loss=loss, w=new_w, db=db, dx=dx)


def layer_inputs(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs of the graph's shapes, all float32."""
    rng = np.random.default_rng(seed)
    return {
        path: rng.standard_normal(graph.nodes[index].shape).astype(np.float32)
        for path, index in graph.inputs.items()
    }
