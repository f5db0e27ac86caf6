"""Counters: how one unit tells another that something has happened.

Hardware: a register per (producer, consumer) pair, +1 when the producer posts, -1 when the consumer takes,
both possible in one cycle.
Latency: a post made in the last cycle of an instruction, ``end - 1``, is in the register, and usable, in
cycle ``end``.
Throughput: one post and one take per cycle (completions of a unit are at least one cycle apart).
Handshake: none towards the producer (a counter is never full); the consumer issues only when the count is
not zero.

In this model a counter is a line of dated posts instead of a number, so that a wait can name the
instruction it was for. A post may be made before it is usable (its ``usable`` cycle then lies ahead); the
cycle in which a consumer goes on depends on ``usable`` alone, never on the order of SimPy's events within a
cycle.
"""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import Final, final

from simpy.events import NORMAL

from simulator.systolic.clock import Clock, Wakeup
from simulator.trace import REASONS, Stall

NOBODY: Final = -1  # the "instruction" behind a credit that was there at reset
REASON_CODE: Final = {reason: code for code, reason in enumerate(REASONS)}


@final
class Counter:
    """Posts of one provider to one consumer, first in, first out; at most one process waits for the next.

    The consumer looks at ``posts[0]`` and takes it with ``posts.popleft()``.
    """

    __slots__ = ("_clock", "_waited_for", "_wakeup", "posts", "provider", "reason")

    def __init__(self, clock: Clock, reason: Stall, provider: int, credits_at_reset: int = 0) -> None:
        self.posts: deque[tuple[int, int]] = deque(
            repeat((0, NOBODY), credits_at_reset)
        )  # (usable, instruction)
        self.reason = REASON_CODE[reason]  # what a wait for this counter is charged to
        self.provider = provider  # the unit that posts
        self._clock = clock
        self._wakeup = Wakeup(clock)
        self._waited_for = False

    def post(self, instruction: int, usable: int) -> None:
        """Add one, usable from cycle ``usable`` on; ``usable`` never decreases from post to post."""
        self.posts.append((usable, instruction))
        if self._waited_for:
            self._waited_for = False
            self._clock.schedule(self._wakeup, NORMAL, usable - self._clock.now)

    def wait(self) -> Wakeup:
        """The event of the next post becoming usable; only for the consumer, and only while ``posts`` is
        empty."""
        self._waited_for = True
        return self._wakeup.again()
