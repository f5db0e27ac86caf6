"""Programs for the co-simulation: what fills the memories, what the models say, and the comparison."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.api.cosim import memories_of, prepared
from simulator.capture import Captured, capture
from simulator.compiler import compile_graph
from simulator.cosim.compare import Comparison, compare
from simulator.cosim.images import Memories
from simulator.cosim.run import RtlRun, run_program_rtl
from simulator.interpreter import run_program
from simulator.interpreter.run import DEFAULT_SEED
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.systolic import simulate
from simulator.trace import Trace
from workloads import mlp, optimizers, train

Array = np.ndarray[Any, Any]

# Cycles of the vector unit that the RTL was built with everywhere.
VECTOR = {"alu_latency_cycles": 2, "divide_cycles": 28, "sqrt_cycles": 28, "table_cycles": 36}


class Case(NamedTuple):
    """A Program on a machine with everything that goes into it."""

    machine: SystolicMachine
    program: Program
    inputs: dict[str, Array]
    scalars: list[Array]
    captured: Captured | None = None


def initial(case: Case, seed: int = DEFAULT_SEED) -> Memories:
    """The memories before the Program runs."""
    return memories_of(prepared(case.machine, case.program, case.inputs, case.scalars, seed))


def final(case: Case, trace: Trace | None, seed: int = DEFAULT_SEED) -> Memories:
    """The memories that the interpreter leaves."""
    return memories_of(
        run_program(case.program, case.machine, case.inputs, case.scalars, trace=trace, seed=seed)
    )


def captured_case(machine: SystolicMachine, function: Any, arguments: tuple[Any, ...], **how: Any) -> Case:
    """A function, captured and compiled."""
    captured = capture(function, arguments, **how)
    inputs, numbers = captured.flatten_arguments(arguments)
    program = compile_graph(captured.graph, machine)
    return Case(machine, program, dict(inputs), captured.graph.scalar_table(numbers), captured)


def step_arguments(
    widths: tuple[int, ...], batch: int, optimizer: str, seed: int = 3, **config: Any
) -> tuple[Any, tuple[Any, ...]]:
    """A training step of an MLP and its arguments: random x, one-hot y."""
    network = mlp.MLP(widths, **config)
    chosen = optimizers.load(optimizer)
    params = train.initial_params(network, "he", seed)
    state = mlp.init_state(chosen, params)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, widths[0])).astype(np.float32)
    y = np.eye(widths[-1], dtype=np.float32)[rng.integers(0, widths[-1], batch)]
    masks = mlp.dropout_masks(network, batch, seed, 0)
    return mlp.make_train_step(network, chosen), (params, state, x, y, masks, 0.1, 1)


def step_case(
    machine: SystolicMachine, widths: tuple[int, ...], batch: int, optimizer: str, **config: Any
) -> Case:
    """A whole training step."""
    function, arguments = step_arguments(widths, batch, optimizer, **config)
    return captured_case(machine, function, arguments, carry=(0, 1))


def check(case: Case, **options: Any) -> tuple[Comparison, RtlRun]:
    """Run in RTL and compare with the SimPy engine and the interpreter."""
    model = simulate(case.machine, case.program.records)
    run = run_program_rtl(
        case.machine,
        case.program,
        initial(case),
        max_cycles=2 * model.cycles + 1000,
        need_halt=False,
        **options,
    )
    return compare(case.program, run, model, final(case, model)), run
