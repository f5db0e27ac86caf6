"""The float64 check: quiet on the machine's own values, loud on wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.errors import CheckError
from simulator.graph import ELEMENTWISE, Graph
from simulator.numerics import kernels
from simulator.numerics.bounds import check_float64, require
from simulator.numerics.execute import execute
from tests.unit.numerics.graphs import Builder, layer_inputs, layer_step
from tests.unit.numerics.vectors import DIRECTED, floats, pairs, random_bits


def run(graph: Graph, inputs, rows=8, dataflow="ws"):
    return list(execute(graph, inputs, {"lr": 0.1}, rows=rows, dataflow=dataflow, keep="all").values)


def find(graph: Graph, op: str, which: int = 0) -> int:
    return [index for index, node in enumerate(graph.nodes) if node.op == op][which]


@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
@pytest.mark.parametrize("rows", [1, 8, 128])
def test_a_step_is_within_its_bounds_and_uses_them(rows, dataflow):
    graph = layer_step(batch=32, inputs=300, outputs=20)
    reports = check_float64(graph, run(graph, layer_inputs(graph), rows, dataflow), rows, dataflow)
    require(reports)
    operations = [i for i, node in enumerate(graph.nodes) if node.op not in ("input", "constant", "scalar")]
    assert [report.index for report in reports] == operations
    assert all(report.violations == report.undecided == 0 for report in reports)
    worst = {report.op: report.worst for report in reports}
    # Not vacuous: single roundings come close to half a unit, sums to a share of their bound.
    assert worst["multiply"] > 0.9 and worst["to_bfloat16"] > 0.9 and worst["tanh"] > 0.1
    assert worst["matmul"] > 0.002 and worst["reduce_sum"] > 0.001
    assert all(report.worst <= 1.0 for report in reports)
    assert reports[0].elements == 32 * 300 and reports[0].where == "user.py:7:1"


def test_every_function_on_all_special_pairs():
    left, right = (floats(bits.copy()) for bits in pairs(DIRECTED))
    many = floats(random_bits(len(left), seed=1))
    unary = [name for name, count in ELEMENTWISE.items() if count == 1 and name not in ("logical_not",)]
    binary = [name for name, count in ELEMENTWISE.items() if count == 2 and not name.startswith("logical")]
    for x, y in ((left, right), (many, right)):
        g = Builder()
        a, b = g.input("a", x.shape), g.input("b", x.shape)
        for name in unary:
            if name != "to_float32":
                g.add(name, a, shape=x.shape, dtype=result_type(name))
        for name in binary:
            g.add(name, a, b, shape=x.shape, dtype=result_type(name))
        half = find(g.graph(), "to_bfloat16")
        g.add("to_float32", half, shape=x.shape)
        flags = find(g.graph(), "less")
        g.add("where", flags, a, b, shape=x.shape)
        g.add("logical_and", flags, flags, shape=x.shape, dtype="bool")
        graph = g.graph()
        reports = check_float64(graph, run(graph, {"a": x, "b": y}), 8, "ws")
        assert len(reports) == len(unary) + len(binary) + 2
        require(reports)


def result_type(name: str) -> str:
    if name in ("equal", "not_equal", "less", "less_equal"):
        return "bool"
    return name[3:] if name.startswith("to_") else "float32"


@pytest.mark.parametrize("name", ["reduce_sum", "reduce_max", "reduce_min"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_reductions_of_wild_values(name, axes):
    x = floats(random_bits(4000, seed=2)).reshape(40, 100)
    x[:, ::3] = np.random.default_rng(3).standard_normal((40, 34)).astype(np.float32)
    g = Builder()
    shape = tuple(n for axis, n in enumerate(x.shape) if axis not in axes)
    g.add(name, g.input("x", x.shape), shape=shape, axes=axes, keepdims=False)
    require(check_float64(g.graph(), run(g.graph(), {"x": x}), 8, "ws"))


def product(a: np.ndarray, b: np.ndarray) -> tuple[Graph, dict[str, np.ndarray]]:
    g = Builder()
    g.matmul(g.input("a", a.shape), g.input("b", b.shape))
    return g.graph(), {"a": a, "b": b}


def test_products_of_infinities_nans_and_overflow():
    rng = np.random.default_rng(4)
    a, b = (rng.standard_normal((12, 12)).astype(np.float32) for _ in range(2))
    a[0, 0], a[1, 1], a[2, 2], b[3, 3] = np.inf, -np.inf, np.nan, np.inf
    a[4] *= np.float32(2.0**100)
    b[:, 5] *= np.float32(2.0**100)
    a[6] *= np.float32(2.0**-100)
    b[:, 7] *= np.float32(2.0**-60)
    graph, inputs = product(a, b)
    values = run(graph, inputs)
    (report,) = [r for r in check_float64(graph, values, 8, "ws") if r.op == "matmul"]
    assert report.violations == 0
    assert report.undecided == 1  # the overflowing one; what an infinity makes is decided
    assert not np.isfinite(values[-1][4, 5])


def test_an_overflow_that_cannot_happen_is_a_violation():
    graph, inputs = product(np.ones((2, 3), np.float32), np.ones((3, 2), np.float32))
    values = run(graph, inputs)
    values[-1] = values[-1].copy()
    values[-1][1, 0] = np.inf
    with pytest.raises(CheckError, match=r"^user.py:5:1: matmul \(node 4\): 1 of 4 elements .* at \[1, 0\]"):
        require(check_float64(graph, values, 8, "ws"))


def test_values_that_were_not_kept_are_not_checked():
    graph = layer_step()
    values = run(graph, layer_inputs(graph))
    index = find(graph, "tanh")
    values[index] = None
    checked = {report.index for report in check_float64(graph, values, 8, "ws")}
    assert index not in checked and index + 1 not in checked and index - 1 in checked


# Faults: each replaces one node's value by what a wrong machine would give.
def transposed(graph, values):
    index = find(graph, "matmul", 1)
    x, dz = (values[source] for source in graph.nodes[index].inputs)
    turned = np.ascontiguousarray(dz[::-1])
    values[index] = kernels.gemm(x, turned, transpose_a=True, rows=8, dataflow="ws")


def unrounded_operands(graph, values):
    index = find(graph, "matmul")
    x, w = (graph.nodes[source].inputs[0] for source in graph.nodes[index].inputs)
    values[index] = values[x] @ values[w]


def truncated_operands(graph, values):
    index = find(graph, "to_bfloat16")
    source = values[graph.nodes[index].inputs[0]]
    values[index] = (source.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def bfloat16_accumulator(graph, values):
    index = find(graph, "matmul")
    values[index] = kernels.from_bfloat16(kernels.to_bfloat16(values[index]))


def a_missing_tile(graph, values):
    index = find(graph, "matmul")
    a, b = (values[source] for source in graph.nodes[index].inputs)
    values[index] = kernels.gemm(a[:, :-8], b[:-8], rows=8, dataflow="ws")


def one_unit_off(op):
    def fault(graph, values):
        index = find(graph, op)
        values[index] = np.nextafter(values[index], np.float32(np.inf))

    fault.__name__ = f"one_unit_off_{op}"
    return fault


def five_units_off(graph, values):
    index = find(graph, "tanh")
    values[index] = (values[index].view(np.int32) + 5).view(np.float32)


def a_dropped_row(graph, values):
    index = find(graph, "reduce_sum", 1)
    values[index] = kernels.reduce("reduce_sum", values[graph.nodes[index].inputs[0]][1:], (0,))


def a_nan(graph, values):
    index = find(graph, "add")
    values[index] = values[index].copy()
    values[index][0, 0] = np.nan


def a_wrong_shape(graph, values):
    index = find(graph, "add")
    values[index] = values[index].T


@pytest.mark.parametrize(
    "fault",
    [
        transposed, unrounded_operands, truncated_operands, bfloat16_accumulator, a_missing_tile,
        one_unit_off("add"), one_unit_off("multiply"), five_units_off, a_dropped_row, a_nan, a_wrong_shape,
    ],
    ids=lambda fault: fault.__name__,
)  # fmt: skip
def test_faults_are_caught(fault):
    graph = layer_step(batch=6, inputs=100, outputs=5)
    values = run(graph, layer_inputs(graph))
    require(check_float64(graph, values, 8, "ws"))
    fault(graph, values)
    with pytest.raises(CheckError, match=r"^user.py:\d+:1: \w+ \(node \d+\)"):
        require(check_float64(graph, values, 8, "ws"))


def test_wrong_movements_are_caught():
    g = Builder()
    x = g.input("x", (4, 4))
    g.add("transpose", x, shape=(4, 4), axes=(1, 0))
    graph = g.graph()
    values = run(graph, {"x": np.arange(16, dtype=np.float32).reshape(4, 4)})
    require(check_float64(graph, values, 8, "ws"))
    values[1] = values[0]
    with pytest.raises(CheckError, match="transpose"):
        require(check_float64(graph, values, 8, "ws"))


def test_overflow_is_judged_by_rounding():
    g = Builder()
    x = g.input("x", (3,))
    g.add("add", x, x, shape=(3,))
    graph = g.graph()
    values = run(graph, {"x": np.array([2.0**127, -(2.0**127), 1.0], np.float32)})
    require(check_float64(graph, values, 8, "ws"))
    for wrong in ([np.finfo(np.float32).max, -np.inf, 2.0], [np.inf, np.inf, 2.0], [np.inf, -np.inf, np.inf]):
        values[1] = np.array(wrong, np.float32)
        with pytest.raises(CheckError, match="add"):
            require(check_float64(graph, values, 8, "ws"))
