"""Machines and small hand-made graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.graph import Graph, HostScalar, Node, ScalarEntry
from simulator.machines.loader import load_machine
from simulator.machines.simt import SimtMachine

Load = Callable[..., SimtMachine]


@pytest.fixture(scope="session")
def load() -> Load:
    """Loads a SIMT preset with overrides."""

    def load_simt(name: str, *overrides: str) -> SimtMachine:
        machine = load_machine(name, overrides)
        assert isinstance(machine, SimtMachine)
        return machine

    return load_simt


class GraphBuilder:
    """Adds nodes and remembers inputs, outputs and carried tensors."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: dict[str, int] = {}
        self.outputs: dict[str, int] = {}
        self.carried: dict[str, str] = {}

    def add(self, op: str, *inputs: int, shape: tuple[int, ...], dtype: str = "float32", **attrs: Any) -> int:
        self.nodes.append(Node(op, inputs, shape, dtype, attrs))
        return len(self.nodes) - 1

    def input(self, path: str, *shape: int, dtype: str = "float32") -> int:
        self.inputs[path] = self.add("input", shape=shape, dtype=dtype, path=path)
        return self.inputs[path]

    def scalar(self) -> int:
        return self.add("scalar", shape=(), index=0)

    def cast(self, source: int) -> int:
        return self.add("to_bfloat16", source, shape=self.nodes[source].shape, dtype="bfloat16")

    def like(self, op: str, *inputs: int) -> int:
        """An element-by-element node of the last operand's shape."""
        return self.add(op, *inputs, shape=self.nodes[inputs[-1]].shape)

    def matmul(self, a: int, b: int, ta: bool = False, tb: bool = False) -> int:
        rows = self.nodes[a].shape[1 if ta else 0]
        cols = self.nodes[b].shape[0 if tb else 1]
        return self.add("matmul", a, b, shape=(rows, cols), transpose_a=ta, transpose_b=tb)

    def output(self, path: str, node: int, takes_place_of: str = "") -> None:
        self.outputs[path] = node
        if takes_place_of:
            self.carried[path] = takes_place_of

    def graph(self) -> Graph:
        scalars = (ScalarEntry(HostScalar("const", (0.5,)), "float32"),)
        resident = frozenset(self.carried.values())
        return Graph(tuple(self.nodes), self.inputs, self.outputs, scalars, self.carried, resident)


@pytest.fixture
def builder() -> GraphBuilder:
    return GraphBuilder()


@pytest.fixture(scope="session")
def training_step() -> Graph:
    """A two-layer network with tanh, quadratic loss and momentum: 5 GEMMs."""
    g = GraphBuilder()
    x, y, c = g.input("x", 32, 64), g.input("y", 32, 10), g.scalar()
    w = [g.input("w0", 64, 128), g.input("w1", 128, 10)]
    xb, wb = g.cast(x), [g.cast(w[0]), g.cast(w[1])]
    h = g.like("tanh", g.matmul(xb, wb[0]))
    hb = g.cast(h)
    d = g.like("subtract", g.matmul(hb, wb[1]), y)
    db = g.cast(d)
    dh = g.matmul(db, wb[1], tb=True)
    slope = g.like("subtract", c, g.like("multiply", h, h))
    dz = g.cast(g.like("multiply", dh, slope))
    for i, gradient in enumerate((g.matmul(xb, dz, ta=True), g.matmul(hb, db, ta=True))):
        v = g.input(f"v{i}", *g.nodes[gradient].shape)
        velocity = g.like("subtract", g.like("multiply", c, v), g.like("multiply", c, gradient))
        g.output(f"new_v{i}", velocity, f"v{i}")
        g.output(f"new_w{i}", g.like("add", w[i], velocity), f"w{i}")
    squares = g.like("multiply", d, d)
    g.output("loss", g.add("reduce_sum", squares, shape=(), axes=(0, 1), keepdims=False))
    return g.graph()
