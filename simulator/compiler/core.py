"""The compiled part (``native/*.c``), which is in the one native library that ``simulator.numerics.build``
makes, and whether there is one. Programs are the same without it.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Final

from simulator.numerics import build
from simulator.numerics.library import Prototypes, bound

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_PROTOTYPES: Prototypes = {
    "pulsetrain_compile_open": (_POINTER, (_POINTER, _POINTER, _POINTER, _LONG, _POINTER)),
    "pulsetrain_compile_found": (None, (_POINTER,) * 4),
    "pulsetrain_compile_next": (_INT, (_POINTER, _LONG, *(_POINTER,) * 5)),
    "pulsetrain_compile_cycles": (None, (_POINTER, _LONG, *(_POINTER,) * 5, _LONG, _POINTER, _POINTER)),
    "pulsetrain_compile_close": (None, (_POINTER,)),
}
SIZES: Final = ("entries", "tensors", "blocks", "names", "line", "rows", "cols")
FOUND: Final = ("outcome", "instructions", "spills", "names", "spill_end", "stretches", "size", "pinned")
TENSOR: Final = ("first_block", "rows", "cols", "panels", "chunk", "group", "item", "row_blocks")
MACHINE: Final = ("granules", "frame", "line", "output_stationary", "accumulate", "slots", "spill_address")
INTERVALS: Final = 32  # functions of the vector unit that have a place in ``struct costs``


class Outcome(IntEnum):
    """How a compilation ended."""

    COMPILED = 0
    DOES_NOT_FIT = 1
    NO_MEMORY = 2
    TOO_LONG = 3


class Native:
    """The loaded library."""

    def __init__(self, path: Path) -> None:
        library = bound(path, _PROTOTYPES)
        self.open = library.pulsetrain_compile_open
        self.found = library.pulsetrain_compile_found
        self.next = library.pulsetrain_compile_next
        self.cycles = library.pulsetrain_compile_cycles
        self.close = library.pulsetrain_compile_close


@cache
def _load() -> Native | None:
    try:
        return Native(build.find_or_build())
    except (build.BuildError, OSError, AttributeError):
        return None


def native() -> Native | None:
    """The compiled part, or None where it could not be built."""
    return _load()
