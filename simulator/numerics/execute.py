"""Computes the values of a graph with the bit-exact kernels.

A ``Plan`` checks a graph once. Running it is one call of the native core, or else one of NumPy's
kernels per operation.
Values are computed apart from timing, and depend on the graph, ``rows`` and the dataflow alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from simulator.errors import ProgramError
from simulator.numerics import kernels
from simulator.numerics.core import Native, active
from simulator.numerics.native_plan import NativePlan
from simulator.numerics.operations import prepare
from simulator.numerics.protocols import GraphLike, NodeLike
from simulator.numerics.signatures import DATAFLOWS, SOURCES, STORAGE, Array

Keep = Iterable[int] | Literal["all"] | None


@dataclass(frozen=True)
class Execution:
    """What a run gave: ``outputs`` by path, and the ``values`` that were kept by node index."""

    outputs: Mapping[str, Array]
    values: tuple[Array | None, ...] = field(repr=False)


@dataclass(frozen=True)
class _Step:
    """One node: which values it reads, the kernel, and which values nobody reads after it."""

    index: int
    reads: tuple[int, ...]
    kernel: Callable[..., Array]
    frees: tuple[int, ...]


class Plan:
    """A graph prepared to be run many times with one array height and dataflow.

    Raises:
        ProgramError: a node's inputs, type or shape do not fit its operation; names the node and
            its source.
    """

    def __init__(self, graph: GraphLike, *, rows: int, dataflow: str) -> None:
        if dataflow not in DATAFLOWS or rows < 1:
            raise ProgramError(f"no array of {rows} rows with dataflow {dataflow!r}")
        self._graph = graph
        self._prepared = [prepare(graph.nodes, index, rows, dataflow) for index in range(len(graph.nodes))]
        self._constants = {
            index: kernels.canonical(np.asarray(node.attrs["value"]))
            for index, node in enumerate(graph.nodes)
            if node.op == "constant"
        }
        self._nothing = (None,) * len(graph.nodes)
        self._array = rows, dataflow
        self._native = active()
        self._native_plans: dict[frozenset[int], NativePlan] = {}
        self._schedules: dict[frozenset[int], tuple[_Step, ...]] = {}

    def run(
        self,
        inputs: Mapping[str, Array],
        arguments: Mapping[str, float | int],
        *,
        keep: Keep = None,
        canonical: Collection[str] = (),
        donated: Collection[str] = (),
    ) -> Execution:
        """The outputs for these inputs and host arguments.

        ``keep`` are the nodes whose values are wanted too, or ``"all"``. ``canonical`` names inputs
        that are known to hold canonical NaNs only, such as outputs of the previous step; they are
        not searched. ``donated`` names inputs that the caller gives away: an output of the same path
        may be written into such an array. Otherwise outputs never share memory with inputs, nor
        ever with each other.

        Raises:
            ProgramError: an input is missing or is not of the type and shape that the graph states.
        """
        nodes = self._graph.nodes
        checked = {
            path: _checked_input(path, nodes[index], inputs, path in canonical)
            for path, index in self._graph.inputs.items()
        }
        kept = frozenset(range(len(nodes)) if keep == "all" else keep or ())
        if self._native is not None:
            donated = () if kept else donated
            outputs, held = self._native_plan(kept, self._native).run(checked, arguments, donated)
        else:
            outputs, held = self._run_in_numpy(kept, checked, arguments)
        return Execution(outputs, tuple(map(held.get, range(len(nodes)))) if kept else self._nothing)

    def _native_plan(self, kept: frozenset[int], native: Native) -> NativePlan:
        if kept not in self._native_plans:
            self._native_plans[kept] = NativePlan(
                self._graph, self._needed(kept), kept, self._constants, native, *self._array
            )
        return self._native_plans[kept]

    def _run_in_numpy(
        self, kept: frozenset[int], inputs: Mapping[str, Array], arguments: Mapping[str, float | int]
    ) -> tuple[dict[str, Array], dict[int, Array]]:
        nodes, outputs = self._graph.nodes, self._graph.outputs
        values: dict[int, Array] = {index: inputs[path] for path, index in self._graph.inputs.items()}
        values |= self._constants
        scalars = self._graph.scalar_table(arguments)
        for index, node in enumerate(nodes):
            if node.op == "scalar":
                values[index] = kernels.canonical(scalars[node.attrs["index"]])
        for step in self._schedule(kept):
            values[step.index] = step.kernel(*[values[read] for read in step.reads])
            for freed in step.frees:
                del values[freed]
        results: dict[str, Array] = {}
        own: set[int] = set()  # outputs whose memory has been given away
        for path, index in outputs.items():
            value = values[index]
            shared = nodes[index].op in SOURCES or value.base is not None or index in own
            results[path] = value.copy() if shared else value
            own.add(index)
        return results, {index: values[index] for index in kept}

    def _needed(self, kept: frozenset[int]) -> set[int]:
        """The nodes that the outputs and the kept values need."""
        needed = {*kept, *self._graph.outputs.values()}
        for index in reversed(range(len(self._prepared))):
            if index in needed:
                needed |= set(self._prepared[index][0])
        return needed

    def _schedule(self, kept: frozenset[int]) -> tuple[_Step, ...]:
        """The kernels that the outputs and the kept values need, in order."""
        if kept not in self._schedules:
            wanted = kept | frozenset(self._graph.outputs.values())
            needed = self._needed(kept)
            last_reader: dict[int, int] = {}
            for index in sorted(needed, reverse=True):
                for read in self._prepared[index][0]:
                    last_reader.setdefault(read, index)
            frees: dict[int, list[int]] = {}
            for read, reader in last_reader.items():
                if read not in wanted:
                    frees.setdefault(reader, []).append(read)
            self._schedules[kept] = tuple(
                _Step(index, self._prepared[index][0], kernel, tuple(frees.get(index, ())))
                for index, (_, kernel) in enumerate(self._prepared)
                if kernel is not None and index in needed
            )
        return self._schedules[kept]


def execute(
    graph: GraphLike,
    inputs: Mapping[str, Array],
    arguments: Mapping[str, float | int],
    *,
    rows: int,
    dataflow: str,
    keep: Keep = None,
) -> Execution:
    """Runs a graph once; see ``Plan``."""
    return Plan(graph, rows=rows, dataflow=dataflow).run(inputs, arguments, keep=keep)


def _checked_input(path: str, node: NodeLike, inputs: Mapping[str, Array], canonical: bool) -> Array:
    if path not in inputs:
        raise ProgramError(f"input {path!r} is missing")
    value = np.asarray(inputs[path])
    if value.shape != node.shape or value.dtype != STORAGE[node.dtype]:
        raise ProgramError(
            f"input {path!r} is {value.dtype} {value.shape}, expected {node.dtype} {node.shape}"
        )
    return value if canonical else kernels.canonical(value)
