"""Compilations of one graph for many machines for which it is lowered alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.compiler import backend, core
from simulator.compiler.compile import finish, hbm_bytes, lower_graph
from simulator.graph import Graph
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import address
from simulator.program import Program

Longs = npt.NDArray[np.int64]


class Timing(NamedTuple):
    """A function of the native library that times records on one machine, given by some of its numbers."""

    function: int  # its address; ``timing`` of ``native/compile.c``
    bits: int  # what it reads beside, by address


class Variants:
    """A graph that has been lowered for machines of one ``geometry_of``.

    Raises:
        CompileError: an operation does not fit them.
    """

    def __init__(self, graph: Graph, machines: Sequence[SystolicMachine]) -> None:
        self.machines = machines
        self._name = graph.name
        self._lowered = lower_graph(graph, machines[0])
        self._packed = backend.Packed(self._lowered.job)
        self._given = self._packed.machines(machines)
        self._costs = self._packed.costs(machines)

    def programs(self) -> list[list[int]]:
        """Places of machines that share a Program, or have none; those of one order follow each other."""
        room = np.array([machine.hbm.capacity_bytes for machine in self.machines], dtype=np.int64)
        rows = np.column_stack([self._costs, self._given, room])
        shared: dict[bytes, list[int]] = {}
        for index, row in enumerate(rows.view(f"V{rows.itemsize * rows.shape[1]}").ravel().tolist()):
            shared.setdefault(row, []).append(index)
        return [shared[row] for row in sorted(shared)]

    def compile(self, index: int) -> Program:
        """The Program of one of the machines, as ``compile_graph`` makes it.

        Raises:
            CompileError: as ``compile_graph``.
        """
        (program,) = finish(self._lowered, self._name, self.machines[index], backend.WHOLE).parts
        return program

    def cycles(self, places: Sequence[int], timing: Timing, numbers: Longs) -> Longs:
        """The cycles of the Programs of some machines, -1 where there is none or it does not run to its end.

        Shapes: numbers (places, any), what the timing reads of each machine. The native library is needed.
        """
        native = core.native()
        assert native is not None
        given, costs = self._given[places], self._costs[places]
        found, spill_end = np.empty((2, len(places)), dtype=np.int64)
        inputs = (len(places), *map(address, (given, costs)), timing.function, timing.bits)
        outputs = map(address, (found, spill_end))
        native.cycles(self._packed.address, *inputs, address(numbers), numbers.shape[1], *outputs)
        size = self._lowered.size
        for at, (index, end) in enumerate(zip(places, spill_end.tolist(), strict=True)):
            machine = self.machines[index]
            if hbm_bytes(machine, size, end) > machine.hbm.capacity_bytes:
                found[at] = -1
        return found
