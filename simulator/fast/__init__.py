"""The fast engine: the timing as a recurrence over instructions, compiled; equal to the event engine's.

``simulate`` gives a Trace, ``cycles`` its cycles alone, ``cycles_over`` those of one Program on many designs.
A Program that is timed more than once is best given as ``prepare`` returns it.
"""

from simulator.fast.core import backend
from simulator.fast.designs import Designs
from simulator.fast.many import cycles_over
from simulator.fast.program import Prepared, prepare
from simulator.fast.simulate import cycles, simulate

__all__ = ["Designs", "Prepared", "backend", "cycles", "cycles_over", "prepare", "simulate"]
