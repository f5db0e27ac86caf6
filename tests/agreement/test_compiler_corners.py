"""Programs at the compiler's limits: shared results, few tokens, hardly any room."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from simulator.api.gemm import gemm_graph
from simulator.capture import capture
from simulator.compiler import backend, compile_graph
from simulator.errors import CompileError
from simulator.interpreter import compare_outputs, run_program
from simulator.numerics.execute import Plan
from simulator.program import Space, Traffic
from simulator.systolic import simulate
from simulator.validate import validate
from tests.support.machines import small_machine

W = np.arange(6, dtype=np.float32).reshape(2, 3) / 4


def twice(w: Any, state: Any, x: Any) -> Any:
    new = w - x
    return new, new, new.sum(), new.sum(), x + 1, x + 1


def test_one_value_may_be_several_results() -> None:
    machine = small_machine()
    arguments = (W, W * 2, W + 1)
    captured = capture(twice, arguments, carry=(0, 1))
    program = compile_graph(captured.graph, machine)
    validate(program, machine)
    inputs, numbers = captured.flatten_arguments(arguments)
    expected = Plan(captured.graph, rows=8, dataflow="ws").run(inputs, numbers).outputs
    state = run_program(
        program,
        machine,
        inputs,
        captured.graph.scalar_table(numbers),
        trace=simulate(machine, program.records),
    )
    assert compare_outputs(state, captured.graph, expected).equal
    stored = program.tensor[program.traffic == Traffic.OUTPUT]
    assert sorted(program.tensors[index] for index in stored) == sorted(captured.graph.outputs)


def test_gemms_on_random_machines_are_valid() -> None:
    rng = random.Random(7)
    valid = 0
    for _ in range(120):
        rows, cols, lanes = (2 ** rng.randint(0, 4) for _ in range(3))
        line = max(rows, cols, lanes)
        machine = small_machine(
            rows=rows,
            cols=cols,
            lanes=lanes,
            dataflow=rng.choice(["ws", "os", "is"]),
            lines=rng.choice([2, 8, 64, 1024]),
            queue_depth=rng.choice([1, 2, 32]),
            weight_buffers=rng.choice([1, 2]),
            unified_buffer={"capacity_bytes": 4 * line * line * rng.choice([6, 7, 13, 200])},
        )
        shape = [rng.choice([1, 2, line, line + 1, 33, 65]) for _ in range(3)]
        try:
            program = compile_graph(gemm_graph(*shape, False, rng.random() < 0.5, "bfloat16"), machine)
        except CompileError as error:
            assert "accumulators.lines" in str(error)
            continue
        validate(program, machine)
        valid += 1
    assert valid > 80


@pytest.mark.parametrize(
    "fields",
    [
        {"rows": 32, "cols": 16, "lanes": 32, "lines": 2},
        {"rows": 1, "cols": 2, "lanes": 16, "lines": 2},
        {"rows": 2, "cols": 2, "lanes": 2, "lines": 1024, "dataflow": "os"},
    ],
)
def test_a_step_in_the_smallest_buffer(fields: dict[str, Any]) -> None:
    def step(w: Any, b: Any, x: Any) -> Any:
        z = np.maximum(x @ w + b, 0)
        return w - x.T @ z, b - z.sum(axis=0), z.max()

    line = max(fields["rows"], fields["cols"], fields["lanes"])
    machine = small_machine(**fields, unified_buffer={"capacity_bytes": 6 * 4 * line * line})
    rng = np.random.default_rng(0)
    arguments = tuple(rng.standard_normal(shape).astype(np.float32) for shape in ((33, 37), (37,), (31, 33)))
    captured = capture(step, arguments, carry=(0, 1))
    program = compile_graph(captured.graph, machine)
    validate(program, machine)
    inputs, numbers = captured.flatten_arguments(arguments)
    unit = machine.matrix_unit
    expected = Plan(captured.graph, rows=unit.rows, dataflow=unit.dataflow).run(inputs, numbers).outputs
    state = run_program(program, machine, inputs, captured.graph.scalar_table(numbers))
    assert compare_outputs(state, captured.graph, expected).equal


def test_what_exceeds_the_memory_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters and state are known before anything is compiled; spills after."""

    def never(*arguments: Any) -> Any:
        raise AssertionError("compiled")

    line, room = 8, 6 * 4 * 8 * 8
    graph = gemm_graph(64, 64, 64, False, False, "bfloat16")
    operands = 2 * 64 * 64 * 2 + 64 * 64 * 4
    fits = small_machine(hbm={"capacity_bytes": operands})
    assert sum(compile_graph(graph, fits).memory_granules.values()) * line == operands
    with monkeypatch.context() as patch:
        patch.setattr(backend, "run", never)
        with pytest.raises(CompileError, match=f"^hbm.*: parameters and state need {operands} bytes$"):
            compile_graph(graph, small_machine(hbm={"capacity_bytes": operands - 1}))
    captured = capture(lambda x: np.tanh(x + 1) @ x, (np.zeros((64, 64), np.float32),), carry=())
    large = small_machine(unified_buffer={"capacity_bytes": room})
    spilled = compile_graph(captured.graph, large).memory_granules[Space.HBM] * line
    assert spilled > 0
    small = small_machine(unified_buffer={"capacity_bytes": room}, hbm={"capacity_bytes": spilled - 1})
    with pytest.raises(CompileError, match=f"parameters, state and spills need {spilled} bytes$"):
        compile_graph(captured.graph, small)
