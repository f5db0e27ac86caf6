"""The compiler's front door: a graph and a machine in, a Program out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.compiler import backend
from simulator.compiler.lower import Lowerer
from simulator.compiler.steps import OWN, Home, Steps
from simulator.compiler.tensors import choose_geometry
from simulator.compiler.tiles import check_tiles
from simulator.errors import CompileError
from simulator.graph import Array, Graph
from simulator.machines.systolic import SystolicMachine
from simulator.program import LongProgram, Placement, Program, Space
from simulator.units import ceil_div


def compile_graph(graph: Graph, machine: SystolicMachine) -> Program:
    """The Program that computes ``graph`` once on ``machine``.

    Raises:
        CompileError: the machine's sizes are not powers of two, or an operation or block does not fit it.
    """
    (program,) = compile_parts(graph, machine, backend.WHOLE).parts
    return program


@dataclass(frozen=True)
class Lowered:
    """A graph for all machines of one dataflow, or of one ``geometry_of`` unless ``steps.is_general``."""

    steps: Steps
    constants: dict[str, Array]


def geometry_of(machine: SystolicMachine) -> tuple[Any, ...]:
    """All of a machine that decides how tensors and tiles are cut.

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
    geometry, *_ = geometry_of(machine)
    check_tiles(graph, machine, geometry)
    lowered = lower_graph(graph, machine)
    homes, size = _place(lowered.steps)
    size[Space.HBM_CURRENT] = size[Space.HBM_NEXT] = max(size[Space.HBM_CURRENT], size[Space.HBM_NEXT])
    _check_capacity(machine, size, "parameters and state")
    compiled = backend.run(backend.Job(lowered.steps, homes, size[Space.HBM]), machine, part)
    size[Space.HBM] = compiled.spill_end
    _check_capacity(machine, size, "parameters, state and spills")
    operations, tensors = tuple(lowered.steps.operations), tuple(compiled.names)
    placements = (*homes, *compiled.spills)
    parts = (
        Program(*columns, operations, tensors, placements, lowered.constants, size, graph.name)
        for columns in compiled.stretches
    )
    return LongProgram(compiled.count, parts, operations, placements, size, graph.name)


def lower_graph(graph: Graph, machine: SystolicMachine) -> Lowered:
    """What a compilation begins with.

    Raises:
        CompileError: an operation does not fit the machine.
    """
    lowerer = Lowerer(graph, machine)
    steps = lowerer.run()
    homes = steps.homes
    unchanged = {
        path for path, source in graph.carried.items() if graph.outputs[path] == graph.inputs[source]
    }
    for path, value in lowerer.inputs.items():
        carried = path in graph.carried.values() and path not in unchanged
        space = Space.HOST
        if path in graph.resident:
            space = Space.HBM_CURRENT if carried else Space.HBM
        homes.append(Home(value.number, path, space, value.dtype, False, OWN))
    if lowerer.scalars is not None:
        scalars = lowerer.scalars
        homes.append(Home(scalars.number, "scalars", Space.HOST, scalars.dtype, False, OWN))

    given = {value.number for value in lowerer.inputs.values()}
    given |= {value.number for value, _ in lowerer.constants.values()}
    for path, node in graph.outputs.items():
        if path in unchanged:
            continue
        held = lowerer.value.get(node)
        if held is None or held.number in given:
            held = lowerer.own_copy(node)
        like, space = OWN, Space.HBM if path in graph.resident else Space.HOST
        if path in graph.carried:
            like = next(at for at, home in enumerate(homes) if home.path == graph.carried[path])
            space = Space.HBM_NEXT
        homes.append(Home(held.number, path, space, graph.nodes[node].dtype, True, like))

    constants: dict[str, Array] = {}
    for name, (value, content) in lowerer.constants.items():
        constants[name] = content
        homes.append(Home(value.number, name, Space.HBM, value.dtype, False, OWN))
    return Lowered(steps, constants)


def _place(steps: Steps) -> tuple[list[Placement], dict[Space, int]]:
    """Where every home lies, in spaces that are filled from the bottom, and how much is filled."""
    size = dict.fromkeys(Space, 0)
    placements: list[Placement] = []
    for home in steps.homes:
        value = steps.tensors[home.tensor]
        at = size[home.space] if home.like == OWN else placements[home.like].address
        placements.append(Placement(home.path, home.space, at, value.rows, value.cols, home.dtype))
        lines = value.rows * ceil_div(value.cols, steps.geometry.line)
        size[home.space] = max(size[home.space], at + ((lines << value.item) + 3 & ~3))
    return placements, size


def _check_capacity(machine: SystolicMachine, size: dict[Space, int], what: str) -> None:
    granules = size[Space.HBM] + size[Space.HBM_CURRENT] + size[Space.HBM_NEXT]
    used = granules * machine.line_elements
    if used > machine.hbm.capacity_bytes:
        raise CompileError(f"hbm.capacity_bytes = {machine.hbm.capacity_bytes}: {what} need {used} bytes")
