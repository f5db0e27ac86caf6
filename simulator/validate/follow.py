"""The checks that follow a Program instruction by instruction, in the native library (``native/follow.c``).

It accepts what ``matrix``, ``tokens``, ``replay`` and ``races`` accept, faster and stretch after stretch;
what is wrong, and what to do without the library, is said there.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.isa import Flag, Records, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import Prototypes, address, bound, loaded
from simulator.program import Placement, Program, Space
from simulator.timing import releases_at_swap
from simulator.validate.placements import SPILL, extent
from simulator.validate.tokens import MAX_OUTSTANDING_TOKENS

_POINTER, _LONG, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int
_PROTOTYPES: Prototypes = {
    "pulsetrain_follow_open": (_POINTER, (_POINTER,)),
    "pulsetrain_follow_write": (None, (_POINTER, _LONG, _LONG, _LONG)),
    "pulsetrain_follow_stored": (_INT, (_POINTER, _LONG, _LONG, _LONG)),
    "pulsetrain_follow_next": (_INT, (_POINTER, _LONG, _POINTER, _LONG, _POINTER, _LONG, _POINTER)),
    "pulsetrain_follow_end": (_INT, (_POINTER, _POINTER, _POINTER)),
    "pulsetrain_follow_close": (None, (_POINTER,)),
}
_ALL, _SOME, _NO = 2, 1, 0  # of a tensor's granules are stored


class Fault(IntEnum):
    """What is wrong with an instruction."""

    NONE = 0
    TILES = 1
    ADDS = 2
    CHAIN = 3
    TOKEN_MISSING = 4
    TOKEN_LEFT = 5
    TOKENS_MANY = 6
    STUCK = 7
    UNWRITTEN = 8
    RACE = 9
    RUNNING = 10
    NO_MEMORY = 11
    RESULT = 12


WORDS: Final = {
    Fault.TILES: "breaks a rule of weight tiles (swapped in once, released once)",
    Fault.ADDS: "adds to lines that the MATMUL before it is still writing",
    Fault.CHAIN: "the array holds no sums of this type",
    Fault.TOKEN_MISSING: "waits for a token that nothing before it posts",
    Fault.TOKEN_LEFT: "a token is left over",
    Fault.TOKENS_MANY: f"more than {MAX_OUTSTANDING_TOKENS} tokens may wait in a counter",
    Fault.STUCK: "deadlock: it can never be executed",
    Fault.UNWRITTEN: "reads what nothing has written",
    Fault.RACE: "race: an access that is not known to have ended conflicts with it",
    Fault.RUNNING: "HALT does not wait for every unit",
    Fault.RESULT: "a result is not stored",
}


class Native:
    """The loaded library."""

    def __init__(self, path: Path) -> None:
        library = bound(path, _PROTOTYPES)
        for name in _PROTOTYPES:
            setattr(self, name.removeprefix("pulsetrain_follow_"), getattr(library, name))

    open: Any
    write: Any
    stored: Any
    next: Any
    end: Any
    close: Any


@cache
def _load() -> Native | None:
    return loaded(Native)[0]


def native() -> Native | None:
    """The compiled part, or None where it could not be built."""
    return _load()


@final
class Follower:
    """Follows one Program; ``fault`` and ``at`` say what was found first and at which instruction."""

    def __init__(
        self, native: Native, machine: SystolicMachine, granules: dict[Space, int], *, count_tokens: bool
    ) -> None:
        self._native, self._machine = native, machine
        self._subs = machine.line_elements // machine.matrix_unit.cols
        given = (
            machine.sequencer.queue_depth,
            machine.weight_fifo.depth_tiles,
            int(Flag.SWAP if releases_at_swap(machine) else Flag.RELEASE),
            machine.matrix_unit.dataflow == "os",
            not releases_at_swap(machine),
            machine.buffer_granules,
            machine.accumulators.lines,
            self._subs,
            count_tokens,
            *(granules.get(space, 0) for space in Space),
        )
        numbers = np.array(given, dtype=np.int64)  # held during the call
        self._handle = native.open(address(numbers))
        if self._handle is None:
            raise MemoryError("no memory to check the Program in")
        self._count_tokens = count_tokens
        self.fault, self.at = Fault.NONE, -1
        self.outstanding = np.zeros(len(UnitId), dtype=np.int64)

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            self._native.close(self._handle)

    def there(self, placements: list[Placement]) -> None:
        """These are in their memories before the first instruction."""
        for placement in placements:
            self._native.write(self._handle, placement.space, *extent(placement, self._machine))

    def next(self, records: Records, regions: npt.NDArray[Any]) -> bool:
        """Follows the next stretch; ``regions`` count its instructions from 0. Whether all is well so far."""
        records, at = np.ascontiguousarray(records), np.zeros(1, dtype=np.int64)
        stretch = (len(records), address(records), len(regions), address(regions))
        self.fault = Fault(self._native.next(self._handle, *stretch, self._subs, address(at)))
        self.at = int(at[0])
        return self._fine()

    def end(self, placements: tuple[Placement, ...]) -> bool:
        """After HALT. Whether tokens, tiles and results are as they should be."""
        most = np.zeros(len(UnitId), dtype=np.int64)
        self.fault = Fault(self._native.end(self._handle, address(self.outstanding), address(most)))
        if self.fault is Fault.NONE and self._count_tokens and most.max() > MAX_OUTSTANDING_TOKENS:
            self.fault = Fault.TOKENS_MANY
        if self.fault is Fault.NONE and not all(self._is_stored(placement) for placement in placements):
            self.fault = Fault.RESULT
        return self._fine()

    def _is_stored(self, placement: Placement) -> bool:
        """The next step finds every line of its carried tensors, and no result is stored in part."""
        if placement.path.startswith(SPILL):
            return True
        found = self._native.stored(self._handle, placement.space, *extent(placement, self._machine))
        return found == _ALL or (found == _NO and placement.space is not Space.HBM_NEXT)

    def _fine(self) -> bool:
        if self.fault is Fault.NO_MEMORY:
            raise MemoryError("no memory to check the Program in")
        return self.fault is Fault.NONE


def refuse(follower: Follower) -> ProgramError:
    """The error of what was found, for want of better words."""
    return ProgramError(f"instruction {follower.at}: {WORDS[follower.fault]}")


def accepts(
    program: Program, machine: SystolicMachine, regions: npt.NDArray[Any], there: list[Placement]
) -> Follower | None:
    """A follower that has followed the whole Program, or None without the library."""
    library = native()
    if library is None:
        return None
    follower = Follower(library, machine, program.memory_granules, count_tokens=False)
    follower.there(there)
    if follower.next(program.records, regions):
        follower.end(program.placements)
    return follower
