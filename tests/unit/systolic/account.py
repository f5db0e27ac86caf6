"""The account: busy + stalls of every unit tile [0, total), without a gap and without an overlap."""

from __future__ import annotations

from simulator.isa import UnitId
from simulator.trace import REASONS, TRACE_UNITS, WEIGHT_SHIFTER, Stall, Trace


def check_account(trace: Trace) -> None:
    """Every cycle of every unit is busy or in exactly one stall interval.

    The sequencer is busy in the cycle of each dispatch and while HALT executes; the weight shifter while a
    tile's lines enter the array; every other unit in [start, busy_end) of its instructions.
    """
    for unit, name in enumerate(TRACE_UNITS):
        intervals = busy_intervals(trace, unit)
        mine = trace.stalls[trace.stalls["unit"] == unit]
        intervals += [(int(start), int(end)) for start, end in zip(mine["start"], mine["end"], strict=True)]
        cycle = 0
        for start, end in sorted(intervals):
            assert start == cycle, (
                f"{name}: cycle {min(start, cycle)} is counted {'twice' if start < cycle else 'never'}"
            )
            assert end > start, f"{name}: empty interval at {start}"
            cycle = end
        assert cycle == trace.cycles, f"{name}: the account ends at {cycle}, the run at {trace.cycles}"
    finished = trace.stalls["reason"] == REASONS.index(Stall.FINISHED)
    assert (trace.stalls["end"][finished] == trace.cycles).all()


def busy_intervals(trace: Trace, unit: int) -> list[tuple[int, int]]:
    """[start, end) of everything the unit does."""
    if unit == WEIGHT_SHIFTER:
        return [(int(shift["start"]), int(shift["end"])) for shift in trace.shifts]
    mine = trace.events[trace.events["unit"] == unit]
    found = [(int(event["start"]), int(event["busy_end"])) for event in mine]
    if unit == UnitId.SEQUENCER:
        found += [(int(cycle), int(cycle) + 1) for cycle in trace.events["dispatch"]]
    return found
