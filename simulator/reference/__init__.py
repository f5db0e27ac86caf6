"""The eager emulation: the user's plain NumPy function, run in the machine's arithmetic.

It is written from ``docs/arithmetic.md`` alone, apart from capture, graph, compiler and kernels, so
that an error in any of them shows as a difference in bits. It shares with them the table data.
"""

from simulator.reference.compare import LeafDifference, Report, differences
from simulator.reference.emulate import emulate
from simulator.reference.machine_array import MachineArray

__all__ = ["LeafDifference", "MachineArray", "Report", "differences", "emulate"]
