"""The compiled part (``native/*.c``), which is in the one native library that ``simulator.numerics.build``
makes, and whether there is one. Programs are the same without it.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Final

from simulator.numerics.library import Prototypes, bound, loaded

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_PROTOTYPES: Prototypes = {
    "pulsetrain_compile_open": (_POINTER, (_POINTER, _POINTER, _LONG, _POINTER)),
    "pulsetrain_compile_found": (None, (_POINTER,) * 4),
    "pulsetrain_compile_next": (_INT, (_POINTER, _LONG, *(_POINTER,) * 5)),
    "pulsetrain_compile_cycles": (None, (_POINTER, _LONG, *(_POINTER,) * 4, _LONG, _POINTER)),
    "pulsetrain_compile_close": (None, (_POINTER,)),
}
FOUND: Final = ("outcome", "instructions", "spills", "names", "spill_end", "stretches", "size", "pinned")


class Outcome(IntEnum):
    """How a compilation ended."""

    COMPILED = 0
    DOES_NOT_FIT = 1
    NO_MEMORY = 2
    TOO_LONG = 3
    REFUSED = 4  # sizes for which there is no Program, or too many tiles


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
    return loaded(Native)[0]


def native() -> Native | None:
    """The compiled part, or None where it could not be built."""
    return _load()
