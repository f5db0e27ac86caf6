"""Graph to Program: lower, tile, allocate, schedule. ``docs/compiler.md`` explains the choices."""

from simulator.compiler.compile import compile_graph, compile_parts
from simulator.compiler.tiles import count_tiles

__all__ = ["compile_graph", "compile_parts", "count_tiles"]
