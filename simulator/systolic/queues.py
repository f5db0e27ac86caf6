"""The one FIFO that data crosses between units: registered, bounded.

Hardware: ``depth`` entries, registered read and write side.
Latency: an item pushed in cycle t can be popped from cycle t + 1 on (it is written at the clock edge).
Throughput: one push and one pop per cycle; a slot popped in cycle t takes the next push from cycle t + 1 on,
so a FIFO of depth 1 passes one item per two cycles.
Handshake: push waits for room, pop for an item (valid/ready; neither depends on the other within a cycle).

Both directions are counters: ``items`` tells the consumer, ``room`` tells the producer.
"""

from __future__ import annotations

from typing import final

from simulator.isa import UnitId
from simulator.systolic.clock import Clock
from simulator.systolic.tokens import Counter
from simulator.trace import Stall


@final
class RegisteredFifo:
    """``items`` posted by the producer, ``room`` posted by the consumer, ``depth`` rooms at reset."""

    __slots__ = ("items", "room")

    def __init__(self, items: Counter, room: Counter) -> None:
        self.items = items
        self.room = room


def instruction_queue(clock: Clock, unit: int, depth: int) -> RegisteredFifo:
    """The queue of one issue unit, filled by the sequencer.

    A post of ``items`` tells beside the instruction of the sequencer's latest wait for room, for the account
    alone: until when, in whose queue, for which issue.
    """
    return RegisteredFifo(
        items=Counter(clock, Stall.DISPATCH, UnitId.SEQUENCER),
        room=Counter(clock, Stall.QUEUE, unit, credits_at_reset=depth),
    )
