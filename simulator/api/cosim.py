"""A Program in the SystemVerilog core, held to SimPy engine and interpreter in every cycle and bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from simulator import systolic
from simulator.cosim.compare import Comparison, compare
from simulator.cosim.images import Memories
from simulator.cosim.locate import STROBE_TO_MEMORY, first_wrong_result, until_cycle
from simulator.cosim.run import RtlRun, run_program_rtl
from simulator.graph import STORAGE, Array, Graph
from simulator.interpreter import MemoryState, run_program
from simulator.interpreter.compare import output_placement
from simulator.interpreter.core import Core
from simulator.interpreter.host import prepare
from simulator.interpreter.run import DEFAULT_SEED
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space
from simulator.trace import Trace


def against_models(
    machine: SystolicMachine,
    program: Program,
    model: Trace | None = None,
    inputs: Mapping[str, Array] | None = None,
    scalars: Sequence[Array] | None = None,
    *,
    wave: Path | None = None,
    mutant: int = 0,
    seed: int = DEFAULT_SEED,
) -> tuple[Comparison, RtlRun]:
    """Runs a Program in RTL and compares it with the models.

    Without ``inputs`` all of them are zero, which changes values and no cycle. ``wave``: where a waveform
    goes. ``mutant`` seeds a fault.

    Raises:
        OutOfDomain: the core cannot be built for this machine.
        ConfigError: there is no Verilator.
    """
    if model is None:
        model = systolic.simulate(machine, program.records)
    if inputs is None:
        inputs, scalars = _zeros(program)
    before = memories_of(prepared(machine, program, inputs, scalars or (), seed))
    run = run_program_rtl(
        machine,
        program,
        before,
        mutant=mutant,
        wave=wave,
        max_cycles=2 * model.cycles + 1000,
        need_halt=False,
    )
    after = memories_of(run_program(program, machine, inputs, scalars or (), trace=model, seed=seed))
    comparison = compare(program, run, model, after)
    if comparison.bit_mismatches and not comparison.cycle_mismatches:

        def in_rtl(cycle: int) -> Memories:
            until = cycle + STROBE_TO_MEMORY
            return run_program_rtl(
                machine, program, before, mutant=mutant, max_cycles=until, need_halt=False
            ).memories

        def in_model(cycle: int) -> Memories:
            done = until_cycle(program, model, cycle)
            return memories_of(run_program(done[0], machine, inputs, scalars or (), trace=done[1], seed=seed))

        found = first_wrong_result(machine, program, model, run.memories, after, in_rtl, in_model)
        if found:
            comparison = replace(comparison, report=found)
    return comparison, run


def outputs_in_rtl(machine: SystolicMachine, program: Program, graph: Graph, run: RtlRun) -> dict[str, Array]:
    """The graph's outputs as they lie in the memories that the RTL left."""
    state = MemoryState(Core(machine, program.memory_granules, 0), program)
    for space, memory in state.core.off_chip.items():
        memory.data[:] = run.memories.off_chip[space]
    return {
        path: state.read_tensor(output_placement(state, graph, path), graph.nodes[node].shape)
        for path, node in graph.outputs.items()
    }


def prepared(
    machine: SystolicMachine,
    program: Program,
    inputs: Mapping[str, Array],
    scalars: Sequence[Array],
    seed: int = DEFAULT_SEED,
) -> MemoryState:
    """The memories before a Program runs: what the host writes, and a seeded pattern elsewhere."""
    state = MemoryState(Core(machine, program.memory_granules, seed), program)
    prepare(state, inputs, scalars)
    return state


def memories_of(state: MemoryState) -> Memories:
    """Copies of all memories."""
    core = state.core
    off_chip = {space: memory.data.copy() for space, memory in core.off_chip.items()}
    return Memories(core.buffer.data.copy(), core.accumulators.data.copy(), off_chip)


def _zeros(program: Program) -> tuple[dict[str, Array], list[Array]]:
    """Zeros for everything that the host writes before a Program."""
    inputs: dict[str, Any] = {}
    scalars: list[Array] = []
    for placement in program.placements:
        if placement.path == "scalars":
            scalars = [np.zeros((), np.float32) for _ in range(placement.rows)]
        elif placement.path not in program.constants and placement.space != Space.HBM_NEXT:
            inputs[placement.path] = np.zeros((placement.rows, placement.cols), STORAGE[placement.dtype])
    return inputs, scalars
