"""Compilations of one graph for many machines, in one call; nothing is kept of them but their cycles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.compiler import backend, core
from simulator.compiler.compile import geometry_of, lower_graph
from simulator.compiler.sizes import DATAFLOW, NUMBERS
from simulator.compiler.steps import Steps
from simulator.errors import CompileError
from simulator.graph import Graph
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import address

Longs = npt.NDArray[np.int64]


class Timing(NamedTuple):
    """What times Programs in the native library, given some of a machine's numbers."""

    functions: int  # ``struct timing`` of ``native/timed.h``, by address
    bits: int  # what it reads beside, by address


def cycles_of_each(
    graph: Graph, machines: Sequence[SystolicMachine], numbers: Longs, timing: Timing, timed: Longs
) -> Longs:
    """The cycles of the Program of every machine, -1 where there is none or it does not run to its end.

    Shapes: numbers (machines, any), of ``sizes.py``; timed (machines, any), what the timing reads. The native
    library is needed.
    """
    native = core.native()
    assert native is not None
    found = np.full(len(machines), -1, dtype=np.int64)
    for places, steps in _lowered(graph, machines, numbers):
        packed, cycles = backend.Packed(steps), np.empty(len(places), dtype=np.int64)
        given, beside = numbers[places], timed[places]
        inputs = (len(places), address(given), *timing, address(beside), beside.shape[1])
        native.cycles(packed.address, *inputs, address(cycles))
        found[places] = cycles
    return found


def _lowered(
    graph: Graph, machines: Sequence[SystolicMachine], numbers: Longs
) -> Iterator[tuple[Sequence[int], Steps]]:
    """Places of machines for which a graph is lowered alike, and how; without those for which it is not."""
    dataflows = numbers[:, NUMBERS.index(DATAFLOW)]
    for dataflow in np.unique(dataflows).tolist():
        places = np.flatnonzero(dataflows == dataflow).tolist()
        with suppress(CompileError):  # what cannot be lowered is said where it is compiled alone
            first, _ = next(_geometries(machines, places), (None, None))
            if first is None:
                continue
            steps = lower_graph(graph, machines[first]).steps
            if steps.is_general:
                yield places, steps
                continue
            alike: dict[Any, list[int]] = {}
            for place, geometry in _geometries(machines, places):
                alike.setdefault(geometry, []).append(place)
            for same in alike.values():
                yield same, lower_graph(graph, machines[same[0]]).steps


def _geometries(machines: Sequence[SystolicMachine], places: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Places of machines that have a geometry, and it."""
    for place in places:
        with suppress(CompileError):
            yield place, geometry_of(machines[place])
