"""Counters: how one unit tells another that something has happened.

Hardware: a register per (producer, consumer) pair, +1 when the producer posts, -1 when the consumer takes,
both possible in one cycle.
Latency: a post made in the last cycle of an instruction, ``end - 1``, is in the register, and usable, in
cycle ``end``.
Throughput: one post and one take per cycle (completions of a unit are at least one cycle apart).
Handshake: none towards the producer (a counter is never full); the consumer issues only when the count is
not zero.

In this model a counter is a line of dated posts instead of a number, so that a wait can name the
instruction it was for. A post is made as soon as its ``usable`` cycle is known, which may lie far ahead; the
cycle in which a consumer goes on depends on ``usable`` alone, never on the order of SimPy's events within a
cycle.
"""

from __future__ import annotations

from collections import deque
from heapq import heappush
from itertools import repeat
from typing import Final, final

from simpy.events import NORMAL

from simulator.isa import UnitId
from simulator.systolic.clock import Clock, Wakeup
from simulator.trace import REASONS, Stall

NOBODY: Final = -1  # the "instruction" behind a credit that was there at reset
REASON_CODE: Final = {reason: code for code, reason in enumerate(REASONS)}

OWN: Final = 1 << len(UnitId)  # beyond tokens, in the mask of what an instruction takes from
_BITS: Final = [[int(unit) for unit in UnitId if mask >> unit & 1] for mask in range(OWN)]

Post = tuple[int, ...]
"""The cycle from which on it is usable, the instruction it comes from, and what else the consumer is told."""


@final
class Counter:
    """Posts of one provider to one consumer, first in, first out; at most one process waits for the next.

    The consumer looks at ``posts[0]`` and takes it with ``posts.popleft()``.
    """

    __slots__ = ("_events", "_ids", "posts", "provider", "reason", "waiting")

    def __init__(self, clock: Clock, reason: Stall, provider: int, credits_at_reset: int = 0) -> None:
        self.posts: deque[Post] = deque(repeat((0, NOBODY), credits_at_reset))
        self.reason = REASON_CODE[reason]  # what a wait for this counter is charged to
        self.provider = int(provider)  # the unit that posts
        self.waiting: Wakeup | None = None  # of the consumer, while it waits for the next post
        self._events, self._ids = clock.scheduled()

    def post(self, post: Post) -> None:
        """Add one; its cycle is never before that of the post before it."""
        self.posts.append(post)
        if self.waiting is not None:
            heappush(self._events, (post[0], NORMAL, next(self._ids), self.waiting))
            self.waiting = None

    def wake(self) -> None:
        """The consumer waits for the post that was added just now."""
        heappush(self._events, (self.posts[0][0], NORMAL, next(self._ids), self.waiting))
        self.waiting = None


@final
class Tokens(dict[tuple[int, int], Counter]):
    """The counter of each (producer, consumer), made when it is asked for first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __missing__(self, pair: tuple[int, int]) -> Counter:
        found = self[pair] = Counter(self._clock, Stall.TOKEN, pair[0])
        return found


@final
class Taken(dict[int, tuple[Counter, ...]]):
    """What an instruction of a unit takes from, by its mask: tokens in the order of their producers, then the
    unit's own counter."""

    def __init__(self, tokens: Tokens, unit: int, own: Counter | None = None) -> None:
        self._tokens, self._unit, self._own = tokens, unit, own

    def __missing__(self, mask: int) -> tuple[Counter, ...]:
        found = [self._tokens[bit, self._unit] for bit in _BITS[mask & ~OWN]]
        if mask & OWN and self._own is not None:
            found.append(self._own)
        chosen = self[mask] = tuple(found)
        return chosen


@final
class Posted(dict[int, tuple[Counter, ...]]):
    """The counters that an instruction of a unit posts to when it ends, by its mask."""

    def __init__(self, tokens: Tokens, unit: int) -> None:
        self._tokens, self._unit = tokens, unit

    def __missing__(self, mask: int) -> tuple[Counter, ...]:
        chosen = self[mask] = tuple([self._tokens[self._unit, bit] for bit in _BITS[mask]])
        return chosen
