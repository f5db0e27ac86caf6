"""A Program read once: what timing depends on, and which of its instructions take equally long."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.errors import ConfigError, OutOfDomain, ProgramError
from simulator.fast import core
from simulator.isa import INSTRUCTION_DTYPE, Flag, Opcode, Records, UnitId
from simulator.machines.arguments import given
from simulator.numerics.library import address
from simulator.timing import TIMED_BITS

Longs = npt.NDArray[np.int64]

MASKS: Final = 1 << len(UnitId)  # wait and post masks have one bit per unit
MAX_INSTRUCTIONS: Final = 2**31 - 1
_FIELDS: Final = ("function", "item", "flags", "tail", "rows", "panels")
BITS: Final = np.array(
    [[TIMED_BITS[opcode].get(field, 0) for field in _FIELDS] for opcode in Opcode], dtype=np.uint32
)
assert all(bits.keys() <= set(_FIELDS) for bits in TIMED_BITS.values())


class Prepared:
    """A Program that is ready to be timed on any number of machines.

    Instructions of one kind take equally long, whatever the machine. ``kinds``, ``first`` and ``count`` run
    parallel.
    """

    def __init__(self, records: Records, instructions: npt.NDArray[Any], first: Longs, count: Longs) -> None:
        self.records = records  # as they were given
        self.instructions = instructions  # core.INSTRUCTION_DTYPE
        self.kinds: Records = records[first]  # the first instruction of each kind
        self.first = first  # where that is
        self.count = count  # how many there are
        parts = map(address, (instructions, self.kinds, count))
        self._program = np.array([len(instructions), len(first), *parts], dtype=np.int64)
        self.address = address(self._program)  # of a ``struct program`` of ``native/program.h``

    def __reduce__(self) -> tuple[Any, ...]:
        return prepare, (self.records,)  # addresses mean nothing to another process

    def __len__(self) -> int:
        return len(self.instructions)

    def check_times(self, occupancy: Longs, latency: Longs) -> None:
        """Every kind of instruction takes time.

        Raises:
            ProgramError: the first one that does not.
        """
        empty = (occupancy < 1) | (latency < 1)
        if empty.any():
            i = int(self.first[empty].min())
            name = Opcode(int(self.records["opcode"][i])).name
            raise ProgramError(f"instruction {i} ({name}) moves nothing: rows, panels or tail is 0")


def prepare(records: Records | Prepared) -> Prepared:
    """Reads a Program, unless that has been done.

    Raises:
        ProgramError: HALT is not the last instruction and the only one of its kind, or an opcode or a mask
            names what does not exist.
        OutOfDomain: more instructions than 31 bits count.
        ConfigError: they are no array of instructions.
    """
    if isinstance(records, Prepared):
        return records
    records = as_records(records)
    n, native = len(records), core.native()
    instructions = np.empty(n, dtype=core.INSTRUCTION_DTYPE)
    if native is None:
        _check(records)
        return Prepared(records, instructions, *_fill(records, instructions))
    first, count = np.empty(n, np.int64), np.empty(n, np.int64)
    kinds = native.prepare(n, *map(address, (records, BITS, instructions, first, count)))
    if kinds < 0:
        _check(records)
        raise MemoryError("no memory for the kinds of instructions")
    return Prepared(records, instructions, first[:kinds].copy(), count[:kinds].copy())


def as_records(records: Records) -> Records:
    """Instructions side by side in memory.

    Raises:
        ConfigError: they are no array of instructions.
        OutOfDomain: more than 31 bits count.
    """
    if not isinstance(records, np.ndarray) or records.dtype.names != INSTRUCTION_DTYPE.names:
        raise ConfigError(f"records = {given(records)}: the records of a Program are needed")
    if len(records) > MAX_INSTRUCTIONS:
        raise OutOfDomain(f"{len(records)} instructions: at most {MAX_INSTRUCTIONS} are timed in one Program")
    return np.ascontiguousarray(records, dtype=INSTRUCTION_DTYPE)


def _check(records: Records) -> None:
    n, opcodes = len(records), records["opcode"]
    halts = np.flatnonzero(opcodes == Opcode.HALT)
    if n == 0 or len(halts) != 1 or halts[0] != n - 1:
        raise ProgramError("a Program ends with its one HALT instruction")
    for field, limit in (("opcode", len(Opcode)), ("wait", MASKS), ("post", MASKS)):
        wrong = np.flatnonzero(records[field] >= limit)
        if len(wrong):
            value = records[field][wrong[0]]
            raise ProgramError(f"instruction {wrong[0]}: field {field} = {value} is not below {limit}")


def _fill(records: Records, instructions: npt.NDArray[Any]) -> tuple[Longs, Longs]:
    """Without the native library: what it fills in; first instruction and count of each kind."""
    opcodes = records["opcode"]
    keys = np.stack([records[field] for field in _FIELDS], axis=1) & BITS[opcodes]
    _, first, kind, count = np.unique(
        np.column_stack([opcodes, keys]), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    for field in ("opcode", "wait", "post"):
        instructions[field] = records[field]
    low, release = records["flags"] & (core.KEPT_RELEASE - 1), records["flags"] & int(Flag.RELEASE)
    instructions["flags"] = np.where(release, low | core.KEPT_RELEASE, low)
    instructions["kind"] = kind.reshape(len(records))
    return first.astype(np.int64), count.astype(np.int64)
