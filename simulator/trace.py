"""The one record of a run: what each instruction did when, and why each unit waited. All engines write it.

Every number of a report is derived from a Trace.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.isa import UNIT_NAMES

Columns = npt.NDArray[Any]


class Stall(StrEnum):
    """Why a unit waits (``docs/timing.md``); on a tie the first in this order is charged."""

    DISPATCH = "dispatch"
    TOKEN = "token"
    WEIGHTS = "weights"
    WEIGHT_FIFO = "weight_fifo"
    WEIGHT_RELEASE = "weight_release"
    ACCUMULATE = "accumulate"
    ARRAY = "array"
    MEMORY_SWITCH = "memory_switch"
    FINISHED = "finished"
    QUEUE = "queue"


REASONS = tuple(Stall)
WEIGHT_SHIFTER = len(UNIT_NAMES)  # a unit of the account that executes no instruction of its own
TRACE_UNITS = (*UNIT_NAMES.values(), "weight_shifter")

# One record per executed instruction, in program order. ``dispatch`` < ``start`` < ``end``; busy until
# ``busy_end``.
EVENT_DTYPE = np.dtype(
    [
        ("instruction", np.int64),
        ("unit", np.uint8),
        ("dispatch", np.int64),
        ("start", np.int64),
        ("busy_end", np.int64),
        ("end", np.int64),
    ]
)
# One record per weight tile: when its first line entered the array, and the WLOAD and MATMUL (swap) that
# belong to it.
SHIFT_DTYPE = np.dtype([("wload", np.int64), ("matmul", np.int64), ("start", np.int64), ("end", np.int64)])
# One record per waiting interval [start, end). ``instruction`` is the one that waits (-1: none is there
# yet), ``cause`` the instruction that is waited for (-1: none), ``cause_unit`` the unit or queue that is
# waited for.
STALL_DTYPE = np.dtype(
    [
        ("unit", np.uint8),
        ("start", np.int64),
        ("end", np.int64),
        ("reason", np.uint8),
        ("instruction", np.int64),
        ("cause", np.int64),
        ("cause_unit", np.uint8),
    ]
)


@dataclass(frozen=True)
class Trace:
    """What happened, in cycles. ``events`` is EVENT_DTYPE, ``shifts`` SHIFT_DTYPE, ``stalls`` STALL_DTYPE."""

    events: Columns
    shifts: Columns
    stalls: Columns
    cycles: int
    engine: str
    clock_mhz: float
