"""One graph on machines that differ in anything: each Program is compiled once and timed where it fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import fast
from simulator.compiler import compile_graph
from simulator.errors import CompileError, DeadlockError, ProgramError
from simulator.graph import Graph
from simulator.machines.systolic import SystolicMachine


def graph_cycles(graph: Graph, machines: Sequence[SystolicMachine]) -> npt.NDArray[np.int64]:
    """The cycles of a graph on each of these machines, as ``step`` with the fast engine counts them.

    Raises:
        CompileError, ProgramError, DeadlockError: for the first such machine; names its place.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, machine in enumerate(machines):
        groups.setdefault(_compiled_for(machine), []).append(index)
    cycles = np.zeros(len(machines), dtype=np.int64)
    failed: dict[int, Exception] = {}
    for places in groups.values():
        try:
            records = compile_graph(graph, machines[places[0]]).records
            cycles[places] = fast.cycles_over([machines[index] for index in places], records)
        except (CompileError, ProgramError, DeadlockError) as error:
            failed[places[0]] = error
    if failed:
        first = min(failed)
        raise type(failed[first])(f"machine {first}: {failed[first]}")
    return cycles


def _compiled_for(machine: SystolicMachine) -> tuple[Any, ...]:
    """All that the compiler looks at: machines that agree in it share their Programs."""
    unit, vector, hbm = machine.matrix_unit, machine.vector_unit, machine.hbm
    return (
        *(unit.rows, unit.cols, unit.dataflow),
        *(vector.lanes, vector.divide_cycles, vector.sqrt_cycles, vector.table_cycles),
        *(hbm.bytes_per_cycle, hbm.capacity_bytes),
        *(machine.unified_buffer.capacity_bytes, machine.accumulators.lines),
    )
