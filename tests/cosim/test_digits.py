"""A real run in RTL: a network learns the digits on an 8x8 array; and one step on 16x16."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.api.cosim import outputs_in_rtl
from simulator.capture import capture
from simulator.compiler import compile_graph
from simulator.cosim.compare import compare
from simulator.cosim.run import run_program_rtl
from simulator.machines.loader import load_machine
from simulator.numerics.execute import Plan
from simulator.systolic import simulate
from tests.cosim.support import VECTOR, Case, check, final, initial, step_case
from tests.support.machines import small_machine
from workloads import datasets, mlp, optimizers, train

STEPS, BATCH, LR = 20, 16, 0.1


@pytest.mark.slow
def test_twenty_steps_of_the_digits() -> None:
    machine = load_machine("edge_8x8")
    dataset = datasets.load("digits")
    network = mlp.MLP((64, 32, 10))
    optimizer = optimizers.load("momentum")
    step = mlp.make_train_step(network, optimizer)
    params = train.initial_params(network, "he", 0)
    state = mlp.init_state(optimizer, params)
    rng = np.random.default_rng(0)
    captured = program = plan = None
    losses = []
    for t in range(1, STEPS + 1):
        chosen = rng.choice(len(dataset.train_x), BATCH, replace=False)
        x = dataset.train_x[chosen].astype(np.float32)
        y = datasets.one_hot(dataset.train_y[chosen], 10).astype(np.float32)
        arguments: tuple[Any, ...] = (params, state, x, y, [], LR, t)
        if captured is None:
            captured = capture(step, arguments, carry=(0, 1))
            program = compile_graph(captured.graph, machine)
            plan = Plan(captured.graph, rows=8, dataflow="ws")
        assert program is not None and plan is not None
        inputs, numbers = captured.flatten_arguments(arguments)
        case = Case(machine, program, dict(inputs), captured.graph.scalar_table(numbers), captured)
        model = simulate(machine, program.records)
        run = run_program_rtl(machine, program, initial(case))
        comparison = compare(program, run, model, final(case, model))
        assert comparison.equal, f"step {t}: {comparison.report}"
        outputs = outputs_in_rtl(machine, program, captured.graph, run)
        for path, value in plan.run(inputs, numbers).outputs.items():
            np.testing.assert_array_equal(outputs[path].view(np.uint32), value.view(np.uint32), err_msg=path)
        params, state, loss = captured.unflatten_outputs(outputs, numbers)
        losses.append(float(loss))
    assert np.mean(losses[-4:]) < 0.8 * np.mean(losses[:4]), losses


@pytest.mark.slow
def test_one_step_on_16x16() -> None:
    machine = small_machine(rows=16, cols=16, lanes=16, **VECTOR)
    comparison, _ = check(step_case(machine, (64, 32, 10), 16, "adam"))
    assert comparison.equal, comparison.report
