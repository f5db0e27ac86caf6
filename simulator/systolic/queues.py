"""The one FIFO that data crosses between units: registered, bounded.

Hardware: ``depth`` entries, registered read and write side.
Latency: an item pushed in cycle t can be popped from cycle t + 1 on (it is written at the clock edge).
Throughput: one push and one pop per cycle; a slot popped in cycle t takes the next push from cycle t + 1 on,
so a FIFO of depth 1 passes one item per two cycles.
Handshake: push waits for room, pop for an item (valid/ready; neither depends on the other within a cycle).

Both directions are counters: ``items`` tells the consumer, ``room`` tells the producer.
"""

from __future__ import annotations

from collections import deque
from typing import Final, final

from simulator.systolic.clock import Clock
from simulator.systolic.tokens import NOBODY, Counter
from simulator.timing import DISPATCH_TO_ISSUE, REFILL_AFTER_ISSUE
from simulator.trace import Stall


@final
class RegisteredFifo:
    """``items`` posted by the producer, ``room`` posted by the consumer, ``depth`` rooms at reset."""

    __slots__ = ("items", "room")

    def __init__(self, items: Counter, room: Counter) -> None:
        self.items = items
        self.room = room


# The sequencer's latest wait for room, for the account alone: until when, in whose queue, for which issue.
HeldBack = tuple[int, int, int]
NEVER: Final[HeldBack] = (0, 0, NOBODY)


@final
class InstructionQueue:
    """The bounded queue of one issue unit, filled by the sequencer."""

    __slots__ = ("_clock", "held_back", "items", "room", "unit")

    def __init__(self, clock: Clock, sequencer: int, unit: int, depth: int) -> None:
        self.unit = unit
        self.items = Counter(clock, Stall.DISPATCH, sequencer)
        self.room = Counter(clock, Stall.QUEUE, unit, credits_at_reset=depth)
        self.held_back: deque[HeldBack] = deque()  # as of the push of each item
        self._clock = clock

    def push(self, instruction: int, cycle: int, held_back: HeldBack) -> None:
        """The sequencer dispatches in that cycle, which may lie ahead; it has found room."""
        self.room.posts.popleft()
        self.held_back.append(held_back)
        self.items.post(instruction, cycle + DISPATCH_TO_ISSUE)

    def pop(self) -> None:
        """The unit issues the head."""
        _, instruction = self.items.posts.popleft()
        self.held_back.popleft()
        self.room.post(instruction, self._clock.now + REFILL_AFTER_ISSUE)
