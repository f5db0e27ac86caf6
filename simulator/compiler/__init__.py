"""Graph to Program: lower, tile, allocate, schedule. ``docs/compiler.md`` explains the choices."""

from simulator.compiler.compile import compile_graph, compile_parts, geometry_of
from simulator.compiler.tiles import count_tiles
from simulator.compiler.variants import Timing, Variants

__all__ = ["Timing", "Variants", "compile_graph", "compile_parts", "count_tiles", "geometry_of"]
