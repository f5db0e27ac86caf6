"""Records of a Program: fields, and dependency tokens placed from what each instruction must wait for."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

import numpy as np

from simulator.compiler.space import NO_HAZARDS, Hazards
from simulator.isa import FIELDS, INSTRUCTION_DTYPE, UNIT_OF_OPCODE, Opcode, Records, UnitId
from simulator.program import NO_OPERATION, Traffic

# A counter holds 255 tokens (docs/isa.md). A producer waits for consumers that are behind by SOME_TOKENS; a
# consumer of MANY_TOKENS old instructions takes one token for all of them.
SOME_TOKENS, MANY_TOKENS = 100, 200

_UNITS = tuple(UnitId)
_UNIT_OF = tuple(int(UNIT_OF_OPCODE[opcode]) for opcode in Opcode)
_NAMES = tuple(name for name, _ in FIELDS)


class Emitter:
    """Appends instructions; turns "instruction j needs instruction i finished" into a post of i and a wait
    of j.

    Both units issue in order and ends within a unit are in order, so the k-th wait of a pair pops the k-th
    post: a token is placed only if the consumer has not yet waited for this or a later instruction of the
    producer.
    """

    def __init__(self) -> None:
        self._fields: dict[str, list[int]] = {name: [] for name in _NAMES}
        self._synced = [
            [-1] * len(_UNITS) for _ in _UNITS
        ]  # [producer][consumer]: last instruction waited for
        self._waits: list[list[list[int]]] = [[[] for _ in _UNITS] for _ in _UNITS]  # who took each token
        self._known = [[0] * len(_UNITS) for _ in _UNITS]  # tokens that the producer knows to be taken
        self._last = [-1] * len(_UNITS)
        self.operation: list[int] = []
        self.traffic: list[int] = []
        self.macs: list[int] = []
        self.tensor: list[int] = []

    def __len__(self) -> int:
        return len(self.operation)

    def emit(
        self,
        opcode: Opcode,
        after: Hazards,
        *,
        operation: int = NO_OPERATION,
        traffic: Traffic = Traffic.NONE,
        macs: int = 0,
        tensor: int = -1,
        **fields: int,
    ) -> int:
        """Appends one instruction that starts when those of ``after`` have ended; returns its index.

        ``after`` holds the instruction of the unit itself only where its order alone does not suffice.
        """
        index, unit = len(self.operation), _UNIT_OF[opcode]
        wait = 0
        posts = self._fields["post"]
        for producer, wanted in enumerate(self._bounded(unit, after)):
            needed = wanted
            if needed > self._synced[producer][unit]:
                if self._outstanding(producer, unit) >= MANY_TOKENS:
                    needed = self._last[producer]  # one token for all that the producer has been given so far
                self._synced[producer][unit] = needed
                self._waits[producer][unit].append(index)
                taken = self._waits[unit][producer]
                self._known[unit][producer] = bisect_right(taken, needed)
                posts[needed] |= 1 << unit
                wait |= 1 << producer
        for name in _NAMES:
            self._fields[name].append(fields.get(name, 0))
        self._fields["opcode"][index] = int(opcode)
        self._fields["wait"][index] = wait
        self.operation.append(operation)
        self.traffic.append(int(traffic))
        self.macs.append(macs)
        self.tensor.append(tensor)
        self._last[unit] = index
        return index

    def _outstanding(self, producer: int, consumer: int) -> int:
        """Tokens that may lie in a counter at once, for all that the producer knows."""
        return len(self._waits[producer][consumer]) - self._known[producer][consumer]

    def _bounded(self, unit: int, after: Hazards) -> Hazards:
        """``after``, and consumers that lag so far behind this unit that their counters could overflow."""
        bounded = list(after)
        for consumer in range(len(_UNITS)):
            if consumer != unit and self._outstanding(unit, consumer) >= SOME_TOKENS:
                caught_up = self._waits[unit][consumer][-SOME_TOKENS // 2]
                bounded[consumer] = max(bounded[consumer], caught_up)
        return tuple(bounded)

    def halt(self) -> None:
        """The end: waits for the last instruction of every unit."""
        after = list(NO_HAZARDS)
        for unit in _UNITS:
            if unit != UnitId.SEQUENCER:
                after[unit] = self._last[unit]
        self.emit(Opcode.HALT, tuple(after))

    def records(self) -> Records:
        """The instructions as a structured array."""
        records = np.zeros(len(self), dtype=INSTRUCTION_DTYPE)
        for name in _NAMES:
            column: Any = self._fields[name]
            records[name] = column
        return records
