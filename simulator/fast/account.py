"""A Program too long for a Trace: read part after part, timed as a whole, and only added up.

Twelve bytes of an instruction are kept. The sums are those that ``simulator.metrics``
finds in the Trace of ``simulate``.
"""

from __future__ import annotations

from ctypes import byref, c_int64
from typing import Any, final

import numpy as np
import numpy.typing as npt

from simulator.errors import CheckError, DeadlockError, OutOfDomain, ProgramError
from simulator.fast import core
from simulator.fast.core import Outcome
from simulator.fast.machine import packed
from simulator.fast.program import MAX_INSTRUCTIONS, Prepared, prepare
from simulator.fast.simulate import ENGINE
from simulator.isa import INSTRUCTION_DTYPE, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.metrics.sums import LATER, CycleSums
from simulator.numerics.library import address
from simulator.program import Program
from simulator.timing import TIMED_BITS
from simulator.trace import REASONS, TRACE_UNITS

_HALT = np.zeros(1, dtype=INSTRUCTION_DTYPE)
_HALT["opcode"] = int(Opcode.HALT)
_GAP = -1  # of an account: a cycle is counted twice or not at all


@final
class Account:
    """One long Program.

    Raises:
        OutOfDomain: there is no native library, or the Program is too long.
    """

    def __init__(self, count: int, operations: int) -> None:
        if core.native() is None:
            raise OutOfDomain(f"{count:,} instructions: too many for engine 'fast' in {core.backend()}")
        if count > MAX_INSTRUCTIONS:
            raise OutOfDomain(f"{count} instructions: at most {MAX_INSTRUCTIONS} are timed in one Program")
        self._instructions = np.empty(count, dtype=core.INSTRUCTION_DTYPE)
        self._operation = np.empty(count, dtype=np.int32)
        self._rows = operations + 1
        self._read = 0
        self._kinds: dict[tuple[int, ...], int] = {}  # by what their times depend on
        self._records: list[npt.NDArray[Any]] = []  # the first instruction of each kind
        self._count: list[int] = []  # how many there are

    def add(self, part: Program) -> None:
        """The next instructions.

        Raises:
            ProgramError: an opcode or a mask names what does not exist.
        """
        n, records = len(part), part.records
        last = n > 0 and records["opcode"][-1] == Opcode.HALT
        prepared = prepare(records if last else np.concatenate([records, _HALT]))
        numbers = np.empty(len(prepared.kinds), dtype=np.int32)
        counts = prepared.count.tolist()
        for index, count in enumerate(counts):
            record = prepared.kinds[index]
            if record["opcode"] == Opcode.HALT and not last:
                continue
            bits = TIMED_BITS[Opcode(int(record["opcode"]))]
            key = (int(record["opcode"]), *(int(record[field]) & mask for field, mask in bits.items()))
            number = self._kinds.setdefault(key, len(self._kinds))
            if number == len(self._records):
                self._records.append(record)
                self._count.append(0)
            self._count[number] += count
            numbers[index] = number
        place = slice(self._read, self._read + n)
        self._instructions[place] = prepared.instructions[:n]
        self._instructions["kind"][place] = numbers[prepared.instructions["kind"][:n]]
        self._operation[place] = part.operation
        self._read += n

    def run(self, machine: SystolicMachine) -> CycleSums:
        """Where all cycles go, once every part has been read.

        Raises:
            ProgramError: HALT is missing or ends before another instruction has ended.
            DeadlockError: no unit can make progress.
            OutOfDomain: more cycles than can be counted.
        """
        native = core.native()
        assert native is not None and self._read == len(self._instructions)
        if not self._read or self._instructions["opcode"][-1] != Opcode.HALT:
            raise ProgramError("a Program ends with its one HALT instruction")
        kinds = np.array(self._records, dtype=INSTRUCTION_DTYPE)
        counts = np.array(self._count, dtype=np.int64)
        program = Prepared(kinds, self._instructions, np.arange(len(kinds)), counts)
        units, rows, found = len(TRACE_UNITS), self._rows, c_int64()
        first, last = np.full(rows, LATER, dtype=np.int64), np.zeros(rows, dtype=np.int64)
        busy = np.zeros((units, rows), dtype=np.int64)
        stalls = np.zeros((units, rows, len(REASONS)), dtype=np.int64)
        into = map(address, (first, last, busy, stalls))
        operation = address(self._operation)
        code = native.account(program.address, packed(machine), operation, rows, *into, byref(found))
        if code == _GAP:
            raise CheckError("account: a cycle is counted twice or not at all")
        _check(Outcome(code))
        return CycleSums(found.value, ENGINE, machine.clock.mhz, first, last, busy, stalls)


def _check(outcome: Outcome) -> None:
    if outcome == Outcome.DEADLOCK:
        raise DeadlockError("deadlock: an instruction can never start")
    if outcome == Outcome.UNFINISHED:
        raise ProgramError("HALT ends before another instruction, or a tile that no MATMUL uses, has ended")
    if outcome == Outcome.NO_MEMORY:
        raise MemoryError("no memory for the queues of the fast engine")
    if outcome == Outcome.REFUSED:
        raise OutOfDomain("an instruction takes no time, or more cycles than are counted")
