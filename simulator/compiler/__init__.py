"""Graph to Program: lower, tile, allocate, schedule. ``docs/compiler.md`` explains the choices."""

from simulator.compiler.compile import compile_graph

__all__ = ["compile_graph"]
