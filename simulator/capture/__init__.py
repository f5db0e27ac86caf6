"""Records a plain NumPy function as a graph, by calling it with stand-ins for its arrays.

``docs/arithmetic.md`` states what the recorded operations compute. Functions that NumPy dispatches
are found in the tables of `standin`; the modules imported here fill them.
"""

from simulator.capture import contraction, creation, joining, reductions, shaping, ufuncs
from simulator.capture.captured import Captured
from simulator.capture.session import capture
from simulator.capture.show import describe

__all__ = ["Captured", "capture", "describe"]

_FILL_TABLES = (contraction, creation, joining, reductions, shaping, ufuncs)
