"""A step as one call of the native core.

What depends on shapes alone is done once: operations, fused programs, places in memory, encoded words. A step
fills in where its inputs and results lie.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from simulator.numerics import encode
from simulator.numerics.core import Native
from simulator.numerics.fallback import canonical
from simulator.numerics.fusion import Program, Stage, fuse, written
from simulator.numerics.library import address
from simulator.numerics.lowering import Lowering, Other
from simulator.numerics.memory import allocate, place
from simulator.numerics.protocols import GraphLike
from simulator.numerics.recycling import Recycler
from simulator.numerics.signatures import SOURCES, STORAGE, Array, Shape
from simulator.numerics.vector_program import encode_program


class NativePlan:
    """What gives a graph's outputs, and the values of the nodes that are kept."""

    def __init__(
        self,
        graph: GraphLike,
        needed: Collection[int],
        kept: Collection[int],
        constants: Mapping[int, Array],
        native: Native,
        rows: int,
        dataflow: str,
    ) -> None:
        self._native, self._graph, self._constants = native, graph, constants
        lowering = Lowering(graph.nodes, native, rows, dataflow)
        lowering.lower(needed)
        self._results: dict[int, Recycler] = {}  # by value: what becomes an array of the caller's
        self._outputs = {
            path: self._own(lowering, index, graph.nodes[index].shape)
            for path, index in graph.outputs.items()
        }
        self._kept = {
            index: (value, graph.nodes[index].shape)
            for index in kept
            if graph.nodes[value := lowering.roots[index]].op not in SOURCES
        }
        for value, _ in self._kept.values():
            self._results.setdefault(value, _recycler(lowering, value, graph.nodes[value].shape))
        self._kept_sources = {index: lowering.roots[index] for index in kept if index not in self._kept}
        stages = fuse(lowering.operations, lowering.values)
        self._in_place = self._find_in_place(stages)
        self._lock = threading.Lock()  # of the table of addresses and the arena: one call at a time
        self._fill(lowering, stages)

    def _own(self, lowering: Lowering, index: int, shape: Shape) -> int:
        """The value that becomes an output: a copy where it is a source or another output's."""
        value = lowering.roots[index]
        if value in self._results or self._graph.nodes[value].op in SOURCES:
            value = lowering.copy(value, shape)
        self._results[value] = _recycler(lowering, value, shape)
        return value

    def _find_in_place(self, stages: Sequence[Stage]) -> dict[int, str]:
        """The outputs, by value, that may be written where the input of their path lies.

        Nothing may read the input once the output is written, in this program or after it.
        """
        found: dict[int, str] = {}
        for path, value in self._outputs.items():
            source = self._graph.inputs.get(path)
            if source is None or not self._alike(source, self._graph.outputs[path]):
                continue
            reading = [stage for stage in stages if source in stage.reads]
            writing = next((stage for stage in stages if value in written(stage)), None)
            if reading and isinstance(writing, Program) and writing.may_overwrite(source, value):
                after = stages[stages.index(writing) + 1 :]
                if not any(stage in after for stage in reading):
                    found[value] = path
        return found

    def _alike(self, one: int, other: int) -> bool:
        nodes = self._graph.nodes
        return nodes[one].shape == nodes[other].shape and nodes[one].dtype == nodes[other].dtype

    def _fill(self, lowering: Lowering, stages: Sequence[Stage]) -> None:
        """Gives every value that an operation reads or writes from memory its buffer, and encodes all."""
        outside = {value for stage in stages for value in stage.reads} | self._results.keys()
        stored = [[value for value in written(stage) if value in outside] for stage in stages]
        sizes = {
            value: lowering.values[value].size * lowering.values[value].item_bytes
            for values in stored
            for value in values
            if value not in self._results
        }
        placement = place(sizes, stored, [stage.reads for stage in stages])
        used = sorted(outside | self._results.keys())
        self._buffer = {value: position for position, value in enumerate(used)}
        self._table = (ctypes.c_void_p * max(1, len(used)))()
        self._arena = allocate(placement.bytes)
        start = address(self._arena)
        for value, offset in placement.offsets.items():
            self._table[self._buffer[value]] = start + offset
        self._hold_sources(lowering)
        records: list[encode.Words] = []
        for stage in stages:
            if isinstance(stage, Other):
                records += stage.records(self._buffer)
            else:
                records.append(encode_program(stage, lowering.values, self._buffer))
        self._count = len(records)
        self._words = np.array([word for record in records for word in record], np.int64)
        self._words_at = address(self._words)

    def _hold_sources(self, lowering: Lowering) -> None:
        """Addresses of what does not move: constants, the scalar table and zeros."""
        nodes = self._graph.nodes
        scalars = [(i, node) for i, node in enumerate(nodes) if node.op == "scalar"]
        count = 1 + max((node.attrs["index"] for _, node in scalars), default=0)
        words = np.zeros(count, np.uint32)
        self._scalars = {"f": words.view(np.float32), "i": words.view(np.int32)}
        fixed = {index: address(words) + 4 * node.attrs["index"] for index, node in scalars}
        fixed |= {index: address(constant) for index, constant in self._constants.items()}
        zero = np.zeros(1, np.uint32)
        fixed |= dict.fromkeys(lowering.zeros, address(zero))
        self._held = [words, zero]
        for value, at in fixed.items():
            if value in self._buffer:
                self._table[self._buffer[value]] = at
        self._inputs = [
            (path, self._buffer[index])
            for path, index in self._graph.inputs.items()
            if index in self._buffer
        ]

    def run(
        self, inputs: Mapping[str, Array], arguments: Mapping[str, float | int], donated: Collection[str]
    ) -> tuple[dict[str, Array], dict[int, Array]]:
        """The outputs, and the kept values by node, for checked inputs with canonical NaNs."""
        table, results = self._table, {}
        with self._lock:
            scalars = self._graph.scalar_table(arguments)
            for index, scalar in enumerate(scalars):
                self._scalars[scalar.dtype.char][index] = scalar if scalar == scalar else np.nan
            held = [np.ascontiguousarray(inputs[path]) for path, _ in self._inputs]
            for (_, position), array in zip(self._inputs, held, strict=True):
                table[position] = address(array)
            for value, recycler in self._results.items():
                path = self._in_place.get(value, "")
                if path in donated and inputs[path].flags.c_contiguous and inputs[path].flags.writeable:
                    results[value] = inputs[path]
                    table[self._buffer[value]] = table[self._buffer[self._graph.inputs[path]]]
                else:
                    results[value], table[self._buffer[value]] = recycler.take()
            done = self._native.run(self._count, self._words_at, table)
        if not done:
            raise MemoryError("no memory for the workspace of a step")
        outputs = {path: results[value] for path, value in self._outputs.items()}
        return outputs, self._kept_values(results, inputs, scalars)

    def _kept_values(
        self, results: Mapping[int, Array], inputs: Mapping[str, Array], scalars: Sequence[Array]
    ) -> dict[int, Array]:
        kept = {index: results[value].reshape(shape) for index, (value, shape) in self._kept.items()}
        for index, source in self._kept_sources.items():
            node = self._graph.nodes[source]
            if node.op == "input":
                value = inputs[node.attrs["path"]]
            elif node.op == "constant":
                value = self._constants[source]
            else:
                value = canonical(scalars[node.attrs["index"]])
            kept[index] = value.reshape(self._graph.nodes[index].shape)
        return kept


def _recycler(lowering: Lowering, value: int, shape: Shape) -> Recycler:
    return Recycler(shape, STORAGE[lowering.values[value].dtype])
