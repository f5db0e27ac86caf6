"""Which instructions are known to have ended when one starts: vector clocks over issue order and tokens."""

from __future__ import annotations

from collections import deque
from typing import final

from simulator.isa import Flag, Opcode, UnitId, units_of
from simulator.program import Program

Clock = tuple[int, ...]
"""Per unit: how many of its instructions have ended. Ends within a unit are in program order."""


@final
class Clocks:
    """Follows the Program in its order; every token that is taken must have been posted before."""

    def __init__(self, program: Program) -> None:
        records = program.records
        self.units: list[int] = units_of(records).tolist()
        self._opcodes: list[int] = records["opcode"].tolist()
        self._flags: list[int] = records["flags"].tolist()
        masks = [tuple(unit for unit in UnitId if mask >> unit & 1) for mask in range(1 << len(UnitId))]
        self._waits = [masks[mask] for mask in records["wait"].tolist()]
        self._posts = [masks[mask] for mask in records["post"].tolist()]
        zero = (0,) * len(UnitId)
        self._started = [zero] * len(UnitId)  # at the start of each unit's last instruction
        self._ended = [zero] * len(UnitId)  # at its end
        self._tokens: list[list[deque[Clock]]] = [[deque() for _ in UnitId] for _ in UnitId]
        self._tiles: deque[tuple[Clock, Clock]] = deque()  # of the WLOADs whose tiles are not swapped in yet
        self.issued: list[list[int]] = [[] for _ in UnitId]  # the instructions of each unit

    def step(self, index: int) -> tuple[int, Clock]:
        """The next instruction: its unit's number for it (from 1), and what has ended when it starts."""
        unit, opcode = self.units[index], self._opcodes[index]
        # The vector unit alone waits for its last instruction's end.
        known = self._ended[unit] if unit == UnitId.VECTOR else self._started[unit]
        for producer in self._waits[index]:
            known = _join(known, self._tokens[producer][unit].popleft())
        ended = self._ended[unit]
        if opcode == Opcode.MATMUL and self._flags[index] & Flag.SWAP:
            # It issues after its WLOAD and ends after it: its rows take the buffer's latency to the array.
            wload_started, wload_ended = self._tiles.popleft()
            known, ended = _join(known, wload_started), _join(ended, wload_ended)
        self.issued[unit].append(index)
        number = len(self.issued[unit])
        ended = _join(ended, known)
        ended = (*ended[:unit], number, *ended[unit + 1 :])
        self._started[unit], self._ended[unit] = known, ended
        if opcode == Opcode.WLOAD:
            self._tiles.append((known, ended))
        for consumer in self._posts[index]:
            self._tokens[unit][consumer].append(ended)
        return number, known


def _join(one: Clock, other: Clock) -> Clock:
    return one if one is other else tuple(map(max, one, other))
