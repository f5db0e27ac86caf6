"""Finds where a wrong value first appears on chip: memories in the middle of a run, by bisection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from simulator.cosim.divergence import bit_report
from simulator.cosim.images import Memories
from simulator.cosim.writes import NOBODY
from simulator.isa import Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.trace import Trace

STROBE_TO_MEMORY = 1  # a write of cycle ``end - 1`` is in the memory after the clock edge that begins ``end``
At = Callable[[int], Memories]


def until_cycle(program: Program, model: Trace, cycle: int) -> tuple[Program, Trace]:
    """The instructions that have ended by a cycle, as a Program of its own, and their Trace.

    What they read had been written by instructions that ended before.
    """
    done = np.flatnonzero(model.events["end"] <= cycle)
    arrays = {
        name: getattr(program, name)[done] for name in ("records", "operation", "traffic", "macs", "tensor")
    }
    events = model.events[done].copy()
    events["instruction"] = np.arange(len(done))
    return replace(program, **arrays), replace(model, events=events)


def first_wrong_result(
    machine: SystolicMachine,
    program: Program,
    model: Trace,
    ours: Memories,
    expected: Memories,
    in_rtl: At,
    in_model: At,
) -> str:
    """Report on the first wrong result on chip, which may have been overwritten by the end; empty if none is.

    The memories at a cycle are equal before it and differ after it. ``in_rtl`` and ``in_model`` give them.
    """

    def report(cycle: int) -> str:
        return bit_report(machine, program, model, in_rtl(cycle), in_model(cycle), cycle)[0]

    _, index = bit_report(machine, program, model, ours, expected)
    if index == NOBODY:
        return ""
    stored = program.records["opcode"][index] == Opcode.STORE
    low, high = -1, int(model.events["start" if stored else "end"][index])
    found = report(high)
    if not found:
        return ""
    while high - low > 1:
        middle = (low + high) // 2
        if said := report(middle):
            high, found = middle, said
        else:
            low = middle
    return f"wrong from cycle {high} on: {found}"
