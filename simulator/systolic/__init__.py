"""The SimPy engine: one process per hardware unit, every wait recorded with its reason."""

from simulator.systolic.machine import simulate

__all__ = ["simulate"]
