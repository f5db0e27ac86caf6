"""The compiled part (``native/*.c``), which is in the one native library that ``simulator.numerics.build``
makes, and whether there is one.

It is used wherever it can be built, whatever PULSETRAIN_NUMERICS says: integers are the same everywhere.
"""

from __future__ import annotations

import ctypes
import sys
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from simulator.numerics.library import Prototypes, bound, loaded

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_PROTOTYPES: Prototypes = {
    "pulsetrain_fast_prepare": (_LONG, (_LONG, *(_POINTER,) * 5)),
    "pulsetrain_fast_simulate": (_INT, (_POINTER,) * 7),
    "pulsetrain_fast_cycles": (_INT, (_POINTER,) * 3),
    "pulsetrain_fast_cycles_of": (_INT, (_LONG, *(_POINTER,) * 4)),
    "pulsetrain_fast_timing": (_POINTER, ()),
    "pulsetrain_fast_account": (_INT, (_POINTER, _POINTER, _POINTER, _LONG, *(_POINTER,) * 5)),
    "pulsetrain_fast_best": (_INT, ()),
    "pulsetrain_fast_many": (_INT, (_POINTER, _POINTER, _LONG, _POINTER, _LONG, _INT, _POINTER)),
}

# ``struct instruction`` of ``native/program.h``.
INSTRUCTION_DTYPE: Final = np.dtype(
    [(name, np.uint8) for name in ("opcode", "wait", "post", "flags")] + [("kind", np.int32)]
)
KEPT_RELEASE: Final = 1 << 7  # where an instruction's one byte of flags keeps Flag.RELEASE


class Outcome(IntEnum):
    """How a run ended."""

    DONE = 0
    DEADLOCK = 1  # HALT never ends
    UNFINISHED = 2  # HALT ends before something else, or may do so
    NO_MEMORY = 3
    REFUSED = 4  # not a Program, an instruction that takes no time, or more cycles than are counted


class InstructionSet(IntEnum):
    """What the machines are timed with side by side; all give the same cycles."""

    BASELINE = 0
    AVX2 = 1
    AVX512 = 2


class Native:
    """The loaded library."""

    def __init__(self, path: Path) -> None:
        library = bound(path, _PROTOTYPES)
        self.prepare = library.pulsetrain_fast_prepare
        self.simulate = library.pulsetrain_fast_simulate
        self.cycles = library.pulsetrain_fast_cycles
        self.cycles_of = library.pulsetrain_fast_cycles_of
        self.timing: int = library.pulsetrain_fast_timing()  # by address, for calls from C
        self.account = library.pulsetrain_fast_account
        self.many = library.pulsetrain_fast_many
        self.best = InstructionSet(library.pulsetrain_fast_best())


@cache
def _load() -> tuple[Native | None, str]:
    return loaded(Native)


def native() -> Native | None:
    """The compiled recurrence, or None where it could not be built."""
    return _load()[0]


def backend() -> str:
    """What computes: ``native (avx512)``, or ``python: reason``, which is a few hundred times slower."""
    found, reason = _load()
    return f"python: {reason}" if found is None else f"native ({found.best.name.lower()})"


@cache
def say_once() -> None:
    """Tells the user why it takes so long."""
    print(f"pulsetrain: fast engine in {backend()}; the same cycles, but slowly", file=sys.stderr)
