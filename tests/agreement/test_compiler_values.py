"""What the compiled Program leaves off chip is what the whole-operation kernels compute, bit for bit.

Functions nobody planned for, on machines from ample to starved, in program order and in the Trace's order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulator.capture import capture
from simulator.compiler import compile_graph
from simulator.interpreter import compare_outputs, run_program
from simulator.machines.systolic import SystolicMachine
from simulator.metrics import measure
from simulator.numerics.execute import Plan
from simulator.systolic import simulate
from simulator.validate import validate
from tests.support.machines import small_machine

F = np.float32
MACHINES = {
    "square": {},
    "tiny buffer": {"capacity_bytes": 0, "lines": 16, "unified_buffer": {"capacity_bytes": 6 * 4 * 64}},
    "wide": {"rows": 4, "cols": 16, "lanes": 8},
    "one column": {"rows": 2, "cols": 1, "lanes": 16, "dataflow": "os", "depth_tiles": 1},
    "one row": {"rows": 1, "cols": 4, "lanes": 1, "dataflow": "is", "weight_buffers": 1, "queue_depth": 1},
    "output-stationary": {"dataflow": "os", "pe_latency_cycles": 3},
    "input-stationary": {"dataflow": "is", "overlap": False},
    "large": {"rows": 32, "cols": 32, "lanes": 32, "lines": 512, "unified_buffer": {"capacity_bytes": 2**20}},
}


def machine_named(name: str) -> SystolicMachine:
    fields = dict(MACHINES[name])
    if fields.pop("capacity_bytes", None) is not None:
        fields["hbm"] = {"latency_cycles": 3}
    return small_machine(**fields)


def two_branches(w: Any, v: Any, x: Any) -> Any:
    left, right = np.tanh(x @ w), np.maximum(x @ v, 0)
    both = np.concatenate([left, right], axis=1)
    return both, (left * right[:, :1]).sum(), both.max(axis=1, keepdims=True)


def rnn(w: Any, u: Any, x: Any) -> Any:
    h = np.zeros((x.shape[1], w.shape[0]), np.float32)
    for step in range(3):
        h = np.tanh(h @ w + x[step] @ u)
    return h, h.mean(axis=0), h[1:, ::2]


def reductions(x: Any) -> Any:
    return (
        x.sum(axis=0), x.sum(axis=1), x.max(axis=2), x.min(axis=(0, 2)), x.sum(),
        x.mean(axis=(1, 2), keepdims=True),
    )  # fmt: skip


def shuffles(x: Any) -> Any:
    flat = x.reshape(-1, 4)
    return (
        x.transpose(2, 0, 1), x.transpose(1, 0, 2), flat, x.reshape(6, -1), x.ravel(), x[:, 1], x[..., 2:9],
        np.broadcast_to(x[:1], x.shape), np.stack([flat, -flat]), flat[:, None] * flat[None, :5],
    )  # fmt: skip


def updates(x: Any, v: Any) -> Any:
    a, b, c = x.copy(), x.copy(), x.copy()
    a[2:5] = v[:3]
    b[:, 3:6] = v[:, :3]
    c[1:4, ::2] = 0.5
    c[x > 0] = -1
    return a, b, c, np.where(x > v, x, v).astype(np.float32)


def normalised(x: Any, gain: Any) -> Any:
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return centred / spread * gain, np.exp(x - x.max(axis=1, keepdims=True)), np.log(np.abs(x) + 1)


def quantised(a: Any, b: Any, labels: Any) -> Any:
    c = np.matmul(a, b, dtype=np.int32)
    hits = (labels[:, None] == np.arange(5, dtype=np.int32)).astype(np.float32)
    return c, np.matmul(a.T, a, dtype=np.int32), hits, c.astype(np.float32) * 0.5, np.maximum(c, 0)


def arrays(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(len(shapes))
    return tuple(rng.standard_normal(shape).astype(F) for shape in shapes)


INT8 = np.random.default_rng(1).integers(-128, 128, (2, 40, 40), dtype=np.int8)
CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "two branches": (two_branches, arrays((20, 9), (20, 9), (11, 20))),
    "rnn": (rnn, arrays((10, 10), (7, 10), (3, 5, 7))),
    "reductions": (reductions, arrays((3, 5, 10))),
    "shuffles": (shuffles, arrays((2, 3, 12))),
    "updates": (updates, arrays((9, 20), (9, 20))),
    "normalised": (normalised, arrays((13, 21), (21,))),
    "quantised": (
        quantised,
        (INT8[0, :19, :33], INT8[1, :33, :21], np.arange(19, dtype=np.int32) % 5),
    ),
}


@pytest.mark.parametrize("machine_name", MACHINES)
@pytest.mark.parametrize("case", CASES)
def test_program_computes_what_the_kernels_compute(case: str, machine_name: str) -> None:
    function, arguments = CASES[case]
    machine = machine_named(machine_name)
    captured = capture(function, arguments, carry=())
    program = compile_graph(captured.graph, machine)
    validate(program, machine)
    unit = machine.matrix_unit
    inputs, numbers = captured.flatten_arguments(arguments)
    expected = Plan(captured.graph, rows=unit.rows, dataflow=unit.dataflow).run(inputs, numbers).outputs
    trace = simulate(machine, program.records)
    scalars = captured.graph.scalar_table(numbers)
    for order in (None, trace):
        state = run_program(program, machine, inputs, scalars, trace=order)
        report = compare_outputs(state, captured.graph, expected)
        assert report.equal and report.elements > 0, str(report)
    metrics = measure(machine, program, trace)
    assert metrics.macs == sum(
        m * k * n for m, k, n in map(captured.graph.matmul_mkn, captured.graph.matmuls())
    )
