"""How many tiles a matrix multiplication is cut into."""

from __future__ import annotations

from simulator.compiler.tensors import Geometry, choose_geometry
from simulator.errors import CompileError
from simulator.graph import Graph
from simulator.machines.systolic import SystolicMachine
from simulator.units import ceil_div

MAX_TILES = 1 << 25  # of one matrix multiplication
MAX_SUMS = 1 << 20


def check_tiles(graph: Graph, machine: SystolicMachine, geometry: Geometry) -> None:
    """Raises:
    CompileError: a matmul takes more tiles than can be compiled in bounded time and memory.
    """
    unit = machine.matrix_unit
    for index in graph.matmuls():
        m, k, n = graph.matmul_mkn(index)
        tiles, sums = tiles_of(machine, geometry, m, k, n)
        for count, of, most in ((tiles, "tiles", MAX_TILES), (sums, "accumulator tiles", MAX_SUMS)):
            if count > most:
                raise CompileError(
                    f"{graph.nodes[index].where}: matmul {m}x{k}x{n} takes {count:,} {of} on an array of "
                    f"{unit.rows} x {unit.cols}; at most {most:,} can be compiled"
                )


def tiles_of(machine: SystolicMachine, geometry: Geometry, m: int, k: int, n: int) -> tuple[int, int]:
    """Tiles that the array works through for a matmul, and accumulator tiles."""
    unit = machine.matrix_unit
    streamed, held = (n, m) if unit.dataflow == "is" else (m, n)
    sums = ceil_div(streamed, geometry.accumulate) * ceil_div(held, geometry.line)
    across = ceil_div(held, unit.cols)
    if unit.dataflow == "os":
        return ceil_div(streamed, unit.rows) * across, sums
    return ceil_div(streamed, geometry.accumulate) * across * ceil_div(k, unit.rows), sums


def count_tiles(graph: Graph, machine: SystolicMachine) -> int:
    """Tiles that the array works through for all matmuls of a graph."""
    geometry = choose_geometry(machine)
    shapes = (graph.matmul_mkn(index) for index in graph.matmuls())
    return sum(tiles_of(machine, geometry, *shape)[0] for shape in shapes)
