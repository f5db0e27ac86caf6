"""One graph on machines that differ in anything: what their compilations share is done once."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import fast
from simulator.compiler import Timing, Variants, compile_graph, geometry_of
from simulator.errors import CompileError, DeadlockError, ProgramError
from simulator.fast import core
from simulator.fast.machine import packed
from simulator.fast.program import BITS
from simulator.graph import Graph
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import address

SIDE_BY_SIDE = 8  # machines of one Program that are timed faster in vectors, after it has been written


def graph_cycles(graph: Graph, machines: Sequence[SystolicMachine]) -> npt.NDArray[np.int64]:
    """The cycles of a graph on each of these machines, as ``step`` with the fast engine counts them.

    Raises:
        CompileError, ProgramError, DeadlockError: for the first such machine; names its place.
    """
    alike: dict[tuple[Any, ...], list[int]] = {}
    cycles = np.full(len(machines), -1, dtype=np.int64)
    for index, machine in enumerate(machines):
        with suppress(CompileError):  # which is said below
            alike.setdefault(geometry_of(machine), []).append(index)
    for places in alike.values():
        cycles[places] = _cycles_of_geometry(graph, [machines[index] for index in places])
    for index in np.flatnonzero(cycles < 0).tolist():
        try:
            cycles[index] = fast.cycles(machines[index], compile_graph(graph, machines[index]).records)
        except (CompileError, ProgramError, DeadlockError) as error:
            raise type(error)(f"machine {index}: {error}") from None
    return cycles


def _cycles_of_geometry(graph: Graph, machines: list[SystolicMachine]) -> npt.NDArray[np.int64]:
    """The cycles on machines for which the graph is lowered alike, -1 where there are none."""
    cycles = np.full(len(machines), -1, dtype=np.int64)
    try:
        variants = Variants(graph, machines)
    except CompileError:
        return cycles
    few: list[int] = []
    timing = _timing()
    for places in variants.programs():
        if timing is not None and len(places) < SIDE_BY_SIDE:
            few.extend(places)
            continue
        with suppress(CompileError, ProgramError, DeadlockError):
            records = variants.compile(places[0]).records
            cycles[places] = fast.cycles_over([machines[index] for index in places], records)
    if few and timing is not None:
        numbers = np.frombuffer(b"".join(packed(machines[index]) for index in few), dtype=np.int64)
        cycles[few] = variants.cycles(few, timing, numbers.reshape(len(few), -1))
    return cycles


def _timing() -> Timing | None:
    """How the fast engine times records, for calls from C; None where neither is compiled."""
    native = core.native()
    if native is None:
        return None
    function = ctypes.cast(native.cycles_of, ctypes.c_void_p).value
    assert function is not None
    return Timing(function, address(BITS))
