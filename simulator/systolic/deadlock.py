"""Says in one line who waits for whom when nothing can happen any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from simulator.systolic.clock import Clock
from simulator.systolic.stream import InstructionStream
from simulator.systolic.tokens import NOBODY, REASON_CODE, Counter, Tokens
from simulator.systolic.unit import Unit
from simulator.trace import REASONS, TRACE_UNITS, WEIGHT_SHIFTER, Stall

_WAITS_FOR: Final = {
    Stall.DISPATCH: "an instruction (its queue is empty)",
    Stall.TOKEN: "a token from {provider}",
    Stall.WEIGHTS: "the weights of a tile from {provider}",
    Stall.WEIGHT_FIFO: "a free slot of the weight FIFO",
    Stall.WEIGHT_RELEASE: "a MATMUL to release the weight registers",
    Stall.QUEUE: "room in the queue of {provider}",
}


def explain(clock: Clock, units: Sequence[Unit], tokens: Tokens, stream: InstructionStream) -> str:
    """One line: the cycle, the ring of units that wait for each other, then the others that hold an
    instruction.

    ``units`` is in the order of their numbers. When no event is left, every unit waits for exactly one
    counter, so the way from the sequencer along what is waited for always ends in a ring.
    """
    # What has started ends, and the tokens that it posts arrive.
    cycle = max([clock.now, *(usable for counter in tokens.values() for usable, _ in counter.posts)])
    ring = _ring({unit.unit: blocked.provider for unit in units if (blocked := unit.blocked) is not None})
    lines = [_line(units[unit], stream) for unit in ring]
    lines += [_line(unit, stream) for unit in units if unit.unit not in ring and _holds_something(unit)]
    names = [TRACE_UNITS[unit] for unit in (*ring, ring[0])]
    return f"deadlock at cycle {cycle}: {'; '.join(lines)}; wait cycle: {' -> '.join(names)}"


def _ring(waits_for: dict[int, int]) -> list[int]:
    way = [0]
    while waits_for[way[-1]] not in way:
        way.append(waits_for[way[-1]])
    ring = way[way.index(waits_for[way[-1]]) :]
    first = ring.index(min(ring))
    return ring[first:] + ring[:first]


def _holds_something(unit: Unit) -> bool:
    """Not a unit without an instruction, nor the shifter without a tile."""
    reason = None if unit.blocked is None else REASONS[unit.blocked.reason]
    return reason not in (None, Stall.DISPATCH) and (unit.unit, reason) != (WEIGHT_SHIFTER, Stall.WEIGHTS)


def _line(unit: Unit, stream: InstructionStream) -> str:
    blocked = unit.blocked
    assert blocked is not None
    return f"{_who(unit, stream, blocked)} waits for {_what(stream, blocked)}"


def _who(unit: Unit, stream: InstructionStream, blocked: Counter) -> str:
    name = TRACE_UNITS[unit.unit]
    if blocked.reason == REASON_CODE[Stall.DISPATCH] or unit.unit == WEIGHT_SHIFTER or unit.waiting == NOBODY:
        return name
    return f"{name} {stream.name(unit.waiting)}"


def _what(stream: InstructionStream, blocked: Counter) -> str:
    return _WAITS_FOR[REASONS[blocked.reason]].format(provider=TRACE_UNITS[blocked.provider])
