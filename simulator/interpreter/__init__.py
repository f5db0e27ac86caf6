"""Executes a Program instruction by instruction on modelled memories (``docs/isa.md``).

It knows nothing of the compiler: a wrong address, stride, mask, order or token shows as a wrong value.
"""

from simulator.interpreter.compare import OutputComparison, TensorComparison, compare_outputs
from simulator.interpreter.host import MemoryState
from simulator.interpreter.run import run_program

__all__ = ["MemoryState", "OutputComparison", "TensorComparison", "compare_outputs", "run_program"]
