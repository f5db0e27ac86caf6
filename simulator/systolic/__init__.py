"""The SimPy engine: one process per hardware unit, every wait recorded with its reason."""

from simulator.systolic.machine import simulate
from simulator.systolic.parts import simulate_parts

__all__ = ["simulate", "simulate_parts"]
