"""The DMA unit: LOAD and STORE between the unified buffer and one of two memories (HBM, host link).

Latency: LOAD ``occupancy + max(memory latency, unified buffer read)``, STORE ``unified buffer read +
occupancy`` cycles, at least; a completion retires one cycle or more after the one before it.
Throughput: one transfer at a time, ``occupancy = ceil(bytes / rate)`` cycles each, the rate being that of
its memory and the remainder not carried over; the memory's latency is pipelined, so the next transfer may
begin while data is under way.
Handshake: issues with its tokens in hand; after an instruction on the other memory it waits until that one
has ended, so completions of two memories never meet.
"""

from __future__ import annotations

from typing import Final, final

from simulator.isa import Flag
from simulator.systolic.tokens import NOBODY, REASON_CODE
from simulator.systolic.unit import Condition, IssueUnit, Ports
from simulator.trace import Stall

MEMORY_SWITCH: Final = REASON_CODE[Stall.MEMORY_SWITCH]
HOST: Final = int(Flag.HOST)


@final
class Dma(IssueUnit):
    """One port, used by one memory at a time."""

    def __init__(self, ports: Ports) -> None:
        super().__init__(ports)
        self._flags = self.recorder.stream.flags
        self._last = NOBODY  # the previous instruction
        self._last_flags = 0
        self._last_end = 0

    def condition(self, instruction: int) -> Condition | None:
        if self._last == NOBODY or not (self._flags[instruction] ^ self._last_flags) & HOST:
            return None
        return self._last_end, MEMORY_SWITCH, self._last, self.unit

    def issue(self, instruction: int, start: int, end: int) -> None:
        self._last, self._last_end = instruction, end
        self._last_flags = self._flags[instruction]
