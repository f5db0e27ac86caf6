"""One graph on machines that differ in anything: what their compilations share is done once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import fast
from simulator.compiler import Timing, compile_graph, cycles_of_each, numbers_of
from simulator.errors import CompileError, ConfigError, DeadlockError, ProgramError
from simulator.fast import core
from simulator.fast.machine import numbers_of as timed_numbers
from simulator.fast.program import BITS
from simulator.graph import Graph
from simulator.machines.arguments import check_systolic_machines, given
from simulator.machines.columns import MachineColumns
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import address

SIDE_BY_SIDE = 32  # machines of one Program that are timed faster in vectors, after it has been written


def graph_cycles(graph: Graph, machines: Sequence[SystolicMachine]) -> npt.NDArray[np.int64]:
    """The cycles of a graph on each of these machines, as ``step`` with the fast engine counts them.

    Raises:
        CompileError, ProgramError, DeadlockError: for the first such machine; names its place.
        ConfigError: there is no graph, or a machine is not systolic.
    """
    if not isinstance(graph, Graph):
        raise ConfigError(f"graph = {given(graph)}: a Graph is needed, as capture gives it")
    check_systolic_machines(machines)
    cycles = np.full(len(machines), -1, dtype=np.int64)
    if not machines:
        return cycles
    columns = MachineColumns(machines)
    numbers, timed = numbers_of(columns), timed_numbers(columns)
    timing, program = _timing(), _equal_rows(numbers)
    machines_of = np.bincount(program)
    shared = np.flatnonzero(machines_of >= (1 if timing is None else SIDE_BY_SIDE))
    for number in shared.tolist():
        places = np.flatnonzero(program == number)
        first = machines[places[0]]
        with suppress(CompileError, ProgramError, DeadlockError):
            of_program = fast.Designs(timed.take(places, axis=1), first.clock.mhz)
            cycles[places] = fast.cycles_over(of_program, compile_graph(graph, first).records)
    if timing is not None and len(shared) < len(machines_of):
        few = np.flatnonzero(machines_of[program] < SIDE_BY_SIDE)
        chosen = [machines[index] for index in few.tolist()]
        cycles[few] = cycles_of_each(graph, chosen, numbers[few], timing, timed.T.take(few, axis=0))
    for index in np.flatnonzero(cycles < 0).tolist():
        try:
            cycles[index] = fast.cycles(machines[index], compile_graph(graph, machines[index]).records)
        except (CompileError, ProgramError, DeadlockError) as error:
            raise type(error)(f"machine {index}: {error}") from None
    return cycles


def _equal_rows(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A number for every row, the same for equal ones."""
    seen: dict[Any, int] = {}
    whole = np.dtype((np.void, numbers.itemsize * numbers.shape[1]))
    rows = numbers.view(whole).ravel().tolist()
    return np.fromiter((seen.setdefault(row, len(seen)) for row in rows), np.int64, len(rows))


def _timing() -> Timing | None:
    """How the fast engine times records, for calls from C; None where neither is compiled."""
    native = core.native()
    return None if native is None else Timing(native.timing, address(BITS))
