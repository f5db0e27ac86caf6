"""Graph to Program: lower, tile, allocate, schedule. ``docs/compiler.md`` explains the choices."""

from simulator.compiler.compile import compile_graph, compile_parts, geometry_of
from simulator.compiler.sizes import numbers_of
from simulator.compiler.tiles import count_tiles
from simulator.compiler.variants import Timing, cycles_of_each

__all__ = [
    "Timing",
    "compile_graph",
    "compile_parts",
    "count_tiles",
    "cycles_of_each",
    "geometry_of",
    "numbers_of",
]
