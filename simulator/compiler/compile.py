"""The compiler's front door: a graph and a machine in, a Program out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.compiler import backend
from simulator.compiler.lower import Lowerer
from simulator.compiler.tensors import Tensor, choose_geometry
from simulator.errors import CompileError
from simulator.graph import Array, Graph
from simulator.machines.systolic import SystolicMachine
from simulator.program import LongProgram, Placement, Program, Space


class _Memory:
    """Off-chip spaces, filled from the bottom."""

    def __init__(self) -> None:
        self.size = dict.fromkeys(Space, 0)
        self.placements: list[Placement] = []

    def place(
        self, tensor: Tensor, path: str, space: Space, *, address: int | None = None, dtype: str | None = None
    ) -> Placement:
        """A place for a tensor, at a given address or behind what is there, read as ``dtype``."""
        at = self.size[space] if address is None else address
        placement = Placement(path, space, at, tensor.rows, tensor.cols, dtype or tensor.dtype)
        granules = (tensor.rows * tensor.panels << tensor.item) + 3 & ~3
        self.size[space] = max(self.size[space], at + granules)
        self.placements.append(placement)
        return placement


def compile_graph(graph: Graph, machine: SystolicMachine) -> Program:
    """The Program that computes ``graph`` once on ``machine``.

    Raises:
        CompileError: the machine's sizes are not powers of two, or an operation or block does not fit it.
    """
    (program,) = compile_parts(graph, machine, backend.WHOLE).parts
    return program


@dataclass(frozen=True)
class Lowered:
    """A graph for all machines of one ``geometry_of``: everything but the order and the buffer's contents."""

    job: backend.Job
    constants: dict[str, Array]
    placements: tuple[Placement, ...]
    size: dict[Space, int]  # before there are spills


def geometry_of(machine: SystolicMachine) -> tuple[Any, ...]:
    """All of a machine that ``lower_graph`` looks at.

    Raises:
        CompileError: the machine's sizes are not powers of two, or its accumulators are too few.
    """
    unit = machine.matrix_unit
    if not machine.is_power_of_two:
        raise CompileError(
            f"matrix_unit.rows = {unit.rows}, matrix_unit.cols = {unit.cols}, vector_unit.lanes = "
            f"{machine.vector_unit.lanes}: a whole core needs powers of two "
            "(other sizes: the array alone, by gemm)"
        )
    return choose_geometry(machine), unit.rows, unit.cols, unit.dataflow


def compile_parts(graph: Graph, machine: SystolicMachine, part: int) -> LongProgram:
    """The same in parts of about ``part`` instructions, each made when it is asked for.

    Raises:
        CompileError: as ``compile_graph``.
    """
    geometry_of(machine)
    return finish(lower_graph(graph, machine), graph.name, machine, part)


def finish(lowered: Lowered, name: str, machine: SystolicMachine, part: int) -> LongProgram:
    """The Program of a graph that has been lowered for machines like this one.

    Raises:
        CompileError: a block does not fit the unified buffer, or all of them the memory.
    """
    low, constants = lowered.job.low, lowered.constants
    compiled = backend.run(lowered.job, machine, part)
    size = lowered.size | {Space.HBM: compiled.spill_end}
    _check_capacity(machine, size)
    operations, tensors = tuple(low.operations), tuple(compiled.names)
    placements = (*lowered.placements, *compiled.spills)
    parts = (
        Program(*columns, operations, tensors, placements, constants, size, name)
        for columns in compiled.stretches
    )
    return LongProgram(compiled.count, parts, operations, placements, size, name)


def lower_graph(graph: Graph, machine: SystolicMachine) -> Lowered:
    """What a compilation begins with.

    Raises:
        CompileError: an operation does not fit the machine.
    """
    lowerer = Lowerer(graph, machine)
    low = lowerer.run()
    memory = _Memory()
    homes: dict[int, Placement] = {}
    number = {id(tensor): index for index, tensor in enumerate(low.tensors)}
    by_first_block = {tensor.first_block: index for index, tensor in enumerate(low.tensors)}
    unchanged = {
        path for path, source in graph.carried.items() if graph.outputs[path] == graph.inputs[source]
    }

    for path, tensor in lowerer.inputs.items():
        carried = path in graph.carried.values() and path not in unchanged
        space = Space.HOST
        if path in graph.resident:
            space = Space.HBM_CURRENT if carried else Space.HBM
        homes[number[id(tensor)]] = memory.place(tensor, path, space)
    if lowerer.scalars is not None:
        homes[number[id(lowerer.scalars)]] = memory.place(lowerer.scalars, "scalars", Space.HOST)

    outputs: dict[int, list[Placement]] = {}
    given = {tensor.first_block for tensor in lowerer.inputs.values()}
    given |= {tensor.first_block for tensor, _ in lowerer.constants.values()}
    for path, node in graph.outputs.items():
        if path in unchanged:
            continue
        held = lowerer.value.get(node)
        if held is None or held.first_block in given:
            held = lowerer.own_copy(node)
            by_first_block[held.first_block] = len(low.tensors) - 1
        target = low.tensors[by_first_block[held.first_block]]
        if path in graph.carried:
            source = next(p for p in memory.placements if p.path == graph.carried[path])
            placement = memory.place(
                target, path, Space.HBM_NEXT, address=source.address, dtype=graph.nodes[node].dtype
            )
        else:
            space = Space.HBM if path in graph.resident else Space.HOST
            placement = memory.place(target, path, space, dtype=graph.nodes[node].dtype)
        outputs.setdefault(by_first_block[held.first_block], []).append(placement)

    constants: dict[str, Array] = {}
    for name, (tensor, value) in lowerer.constants.items():
        constants[name] = value
        homes[number[id(tensor)]] = memory.place(tensor, name, Space.HBM)

    size = dict(memory.size)
    size[Space.HBM_CURRENT] = size[Space.HBM_NEXT] = max(size[Space.HBM_CURRENT], size[Space.HBM_NEXT])
    job = backend.Job(low, homes, outputs, memory.size[Space.HBM])
    return Lowered(job, constants, tuple(memory.placements), size)


def hbm_bytes(machine: SystolicMachine, size: dict[Space, int], spill_end: int) -> int:
    """What parameters, state and spills take."""
    return (spill_end + size[Space.HBM_CURRENT] + size[Space.HBM_NEXT]) * machine.line_elements


def _check_capacity(machine: SystolicMachine, size: dict[Space, int]) -> None:
    used = hbm_bytes(machine, size, size[Space.HBM])
    if used > machine.hbm.capacity_bytes:
        raise CompileError(
            f"hbm.capacity_bytes = {machine.hbm.capacity_bytes}: parameters, state and "
            f"spills need {used} bytes"
        )
