"""The fast engine: the timing as a recurrence over instructions, compiled; equal to the event engine's.

``simulate`` gives a Trace, ``cycles`` its cycles alone, ``cycles_over`` those of one Program on many designs.
A Program that is timed more than once is best given as ``prepare`` returns it; ``Account`` adds up one that
is too long for a Trace.

Closed forms give the cycles of whole GEMMs without a Program, in their domains: ``gemm_cycles`` those of
``gemm``, ``array_gemm_cycles`` those of an array alone, ``scalesim_cycles`` those of ``--compat scalesim``.
``..._where`` tells the points of the domain from the others, which have to be compiled.
"""

from simulator.fast.account import Account
from simulator.fast.array_form import array_gemm_cycles, array_gemm_cycles_where
from simulator.fast.closed_form import gemm_cycles, gemm_cycles_where
from simulator.fast.core import backend
from simulator.fast.designs import Designs
from simulator.fast.many import cycles_over
from simulator.fast.program import Prepared, prepare
from simulator.fast.scalesim import scalesim_cycles, scalesim_cycles_where
from simulator.fast.simulate import cycles, simulate

__all__ = [
    "Account",
    "Designs",
    "Prepared",
    "array_gemm_cycles",
    "array_gemm_cycles_where",
    "backend",
    "cycles",
    "cycles_over",
    "gemm_cycles",
    "gemm_cycles_where",
    "prepare",
    "scalesim_cycles",
    "scalesim_cycles_where",
    "simulate",
]
