"""Graphs executed node by node."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.errors import ProgramError
from simulator.graph import Graph, HostScalar, Node
from simulator.numerics import core, kernels
from simulator.numerics.execute import Plan, execute
from tests.unit.numerics.graphs import Builder, layer_inputs, layer_step
from tests.unit.numerics.vectors import BACKENDS, assert_bits, floats


def by_hand(inputs: dict[str, np.ndarray], rate: float, rows: int, dataflow: str) -> dict[str, np.ndarray]:
    """What ``layer_step`` computes, as calls of kernels."""
    half, e = kernels.to_bfloat16, kernels.elementwise
    settings = {"rows": rows, "dataflow": dataflow}
    x, w, target, b = (inputs[path] for path in ("x", "w", "target", "b"))
    y = e("tanh", e("add", kernels.gemm(half(x), half(w), **settings), b))
    error = e("subtract", y, target)
    slope = e("subtract", np.asarray(np.float32(1.0)), e("multiply", y, y))
    dz = e("multiply", error, slope)
    dw = kernels.gemm(half(x), half(dz), transpose_a=True, **settings)
    return {
        "loss": kernels.reduce("reduce_sum", e("multiply", error, error), (0, 1)),
        "w": e("subtract", w, e("multiply", np.asarray(np.float32(rate)), dw)),
        "db": kernels.reduce("reduce_sum", dz, (0,)),
        "dx": kernels.gemm(half(dz), half(w), transpose_b=True, **settings),
    }


@pytest.fixture(params=BACKENDS)
def backend(request):
    with core.forced(request.param):
        yield request.param


@pytest.mark.parametrize(("rows", "dataflow"), [(8, "ws"), (8, "is"), (8, "os"), (128, "ws")])
def test_a_step_equals_its_kernels(backend, rows, dataflow):
    graph = layer_step()
    plan = Plan(graph, rows=rows, dataflow=dataflow)
    for seed, rate in enumerate((0.1, 0.3)):
        inputs = layer_inputs(graph, seed)
        outputs = plan.run(inputs, {"lr": rate}).outputs
        want = by_hand(inputs, rate, rows, dataflow)
        assert outputs.keys() == want.keys()
        for path, value in want.items():
            assert_bits(outputs[path], value)


def test_rows_and_dataflow_change_bits():
    graph = layer_step(batch=64)
    inputs = layer_inputs(graph)
    results = [
        execute(graph, inputs, {"lr": 0.1}, rows=rows, dataflow=dataflow).outputs["w"]
        for rows, dataflow in ((8, "ws"), (16, "ws"), (8, "os"), (8, "is"))
    ]
    assert not np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
    assert_bits(results[3], results[0])


def test_values_are_kept_on_request_and_only_then():
    graph = layer_step()
    inputs = layer_inputs(graph)
    plan = Plan(graph, rows=8, dataflow="ws")
    assert all(value is None for value in plan.run(inputs, {"lr": 0.1}).values)
    everything = plan.run(inputs, {"lr": 0.1}, keep="all")
    for index, (node, value) in enumerate(zip(graph.nodes, everything.values, strict=True)):
        assert value is not None, index
        assert (value.shape, value.dtype) == (node.shape, plan_storage(node))
    some = plan.run(inputs, {"lr": 0.1}, keep=[9, 3])
    assert [index for index, value in enumerate(some.values) if value is not None] == [3, 9]
    assert_bits(some.values[9], everything.values[9])
    for path, value in everything.outputs.items():
        assert_bits(some.outputs[path], value)


def plan_storage(node: Node) -> np.dtype:
    return {"float32": np.dtype("f4"), "bfloat16": np.dtype("u2")}[node.dtype]


def test_inputs_are_made_canonical_and_left_alone():
    g = Builder()
    graph = g.graph(y=g.add("transpose", g.input("x", (1, 3)), shape=(3, 1), axes=(1, 0)))
    x = floats(np.array([[0xFFC00001, 0x3F800000, 0x7F800001]], np.uint32))
    before = x.view(np.uint32).tolist()
    outputs = execute(graph, {"x": x}, {}, rows=8, dataflow="ws").outputs
    assert outputs["y"].view(np.uint32).ravel().tolist() == [0x7FC00000, 0x3F800000, 0x7FC00000]
    assert x.view(np.uint32).tolist() == before


def test_constants_and_host_scalars_are_canonical_and_rounded_once():
    g = Builder()
    constant = g.add("constant", shape=(1,), value=floats(np.array([0xFFC12345], np.uint32)))
    root = HostScalar("sqrt", (HostScalar("arg", ("t",)),))
    graph = g.graph(
        nan=g.add("copy", constant, shape=(1,)),
        root=g.add("copy", g.scalar(root), shape=()),
        count=g.add("copy", g.scalar(HostScalar("arg", ("t",)), "int32"), shape=(), dtype="int32"),
        infinite=g.add("copy", g.scalar(HostScalar("const", (1e300,))), shape=()),
    )
    outputs = execute(graph, {}, {"t": 2}, rows=8, dataflow="ws").outputs
    assert outputs["nan"].view(np.uint32).tolist() == [0x7FC00000]
    assert_bits(outputs["root"], np.asarray(np.float32(2**0.5)))
    assert_bits(outputs["count"], np.asarray(np.int32(2)))
    assert outputs["infinite"] == np.inf


def test_outputs_share_no_memory():
    g = Builder()
    x = g.input("x", (4, 6))
    doubled = g.add("add", x, x, shape=(4, 6))
    view = g.add("reshape", doubled, shape=(24,))
    part = g.add("slice", doubled, shape=(2, 3), key=((0, 4, 2), (1, 4, 1)))
    graph = g.graph(x=x, a=doubled, b=doubled, c=view, d=part)
    value = np.ones((4, 6), np.float32)
    execution = execute(graph, {"x": value}, {}, rows=8, dataflow="ws")
    arrays = [value, *execution.outputs.values()]
    for i, first in enumerate(arrays):
        assert first.flags.c_contiguous and first.flags.writeable
        assert not any(np.shares_memory(first, second) for second in arrays[i + 1 :])


def test_movements_and_broadcasts(backend):
    g = Builder()
    x, y = g.input("x", (2, 3)), g.input("y", (3,))
    wide = g.add("broadcast_to", g.add("broadcast_to", y, shape=(1, 3)), shape=(2, 3))
    row = g.add("slice", x, shape=(1, 3), key=((1, 2, 1), (0, 3, 1)))
    graph = g.graph(
        sum=g.add("add", wide, wide, shape=(2, 3)),
        joined=g.add("concatenate", x, row, shape=(3, 3), axis=0),
        updated=g.add("update", x, row, shape=(2, 3), key=((0, 1, 1), (0, 3, 1))),
        steps=g.add("slice", x, shape=(2, 2), key=((0, 2, 1), (0, 3, 2))),
        turned=g.add("subtract", g.add("transpose", x, shape=(3, 2), axes=(1, 0)),
                     g.add("reshape", y, shape=(3, 1)), shape=(3, 2)),
    )  # fmt: skip
    inputs = {"x": np.arange(6, dtype=np.float32).reshape(2, 3), "y": np.array([1, 2, 4], np.float32)}
    run = Plan(graph, rows=8, dataflow="ws").run(inputs, {}, keep="all")
    a, b = inputs["x"], inputs["y"]
    assert_bits(run.outputs["sum"], np.broadcast_to(b + b, (2, 3)))
    assert_bits(run.outputs["joined"], np.concatenate([a, a[1:]]))
    assert_bits(run.outputs["updated"], np.stack([a[1], a[1]]))
    assert_bits(run.outputs["steps"], a[:, ::2])
    assert_bits(run.outputs["turned"], a.T - b[:, None])
    assert run.values[wide].shape == (2, 3)


def test_int8_and_integers(backend):
    g = Builder()
    a, b = g.input("a", (3, 4), "int8"), g.input("b", (5, 4), "int8")
    product = g.matmul(a, b, transpose_b=True)
    label = g.input("label", (3, 1), "int32")
    classes = g.add("constant", shape=(5,), dtype="int32", value=np.arange(5, dtype=np.int32))
    hot = g.add("equal", label, classes, shape=(3, 5), dtype="bool")
    graph = g.graph(product=product, hot=g.add("to_float32", hot, shape=(3, 5)))
    rng = np.random.default_rng(1)
    inputs = {
        "a": rng.integers(-9, 9, (3, 4)).astype(np.int8),
        "b": rng.integers(-9, 9, (5, 4)).astype(np.int8),
    }
    inputs["label"] = np.array([[4], [0], [2]], np.int32)
    outputs = execute(graph, inputs, {}, rows=8, dataflow="os").outputs
    assert_bits(outputs["product"], (inputs["a"].astype(np.int32) @ inputs["b"].astype(np.int32).T))
    assert_bits(outputs["hot"], np.eye(5, dtype=np.float32)[[4, 0, 2]])


def test_unneeded_operations_are_not_computed(monkeypatch):
    g = Builder()
    x = g.input("x", (2,))
    g.add("exp", x, shape=(2,))
    graph = g.graph(y=g.add("copy", x, shape=(2,)))
    plan = Plan(graph, rows=8, dataflow="ws")
    assert [step.index for step in plan._schedule(frozenset())] == [2]
    assert [step.index for step in plan._schedule(frozenset({1}))] == [1, 2]


def test_known_canonical_inputs_are_not_searched(monkeypatch):
    g = Builder()
    graph = g.graph(y=g.add("negative", g.input("x", (2,)), shape=(2,)))
    plan = Plan(graph, rows=8, dataflow="ws")
    searched = []
    monkeypatch.setattr(kernels, "canonical", lambda x: searched.append(x) or x)
    plan.run({"x": np.zeros(2, np.float32)}, {}, canonical=["x"])
    assert not searched
    plan.run({"x": np.zeros(2, np.float32)}, {})
    assert len(searched) == 1


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "input 'x' is missing"),
        ({"x": np.zeros(3, np.float32)}, r"input 'x' is float32 \(3,\), expected float32 \(2,\)"),
        ({"x": np.zeros(2)}, "input 'x' is float64"),
    ],
)
def test_wrong_inputs_are_named(inputs, message):
    g = Builder()
    graph = g.graph(y=g.add("copy", g.input("x", (2,)), shape=(2,)))
    with pytest.raises(ProgramError, match=message):
        execute(graph, inputs, {}, rows=8, dataflow="ws")


@pytest.mark.parametrize(
    "node",
    [
        Node("add", (0, 0), (3,), "float32"),
        Node("add", (0, 0), (2,), "int32"),
        Node("add", (0,), (2,), "float32"),
        Node("add", (0, 7), (2,), "float32"),
        Node("cube", (0,), (2,), "float32"),
        Node("reduce_sum", (0,), (2,), "float32", {"axes": (0,), "keepdims": False}),
        Node("reduce_sum", (0,), (), "float32", {"axes": (1,), "keepdims": False}),
        Node("matmul", (0, 0), (2, 2), "float32", {"transpose_a": False, "transpose_b": False}),
        Node("reshape", (0,), (3,), "float32"),
        Node("transpose", (0,), (2,), "float32", {"axes": (1, 0)}),
        Node("transpose", (0,), (2,), "float32"),
        Node("slice", (0,), (2,), "float32", {"key": ((0, 1, 1),)}),
        Node("update", (0, 0), (2,), "float32", {"key": ((0, 1, 1),)}),
        Node("constant", (), (2,), "float32", {"value": np.zeros(3, np.float32)}),
    ],
    ids=lambda node: f"{node.op}-{node.dtype}-{node.shape}",
)
def test_wrong_nodes_are_named_with_their_source(node):
    source = Node("input", (), (2,), "float32", {"path": "x"})
    graph = Graph((source, node), {"x": 0}, {"y": 1})
    with pytest.raises(ProgramError, match=r"^<unknown>:0:0: \w+ \(node 1\): "):
        Plan(graph, rows=8, dataflow="ws")


def test_an_unknown_machine_is_refused():
    graph = layer_step()
    for rows, dataflow in ((0, "ws"), (8, "rs")):
        with pytest.raises(ProgramError, match="no array"):
            Plan(graph, rows=rows, dataflow=dataflow)
