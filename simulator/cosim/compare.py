"""Compares a run in RTL with the models: every dispatch, start and end, and every byte of every memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.cosim.divergence import bit_report
from simulator.cosim.images import Memories
from simulator.cosim.names import around, instruction_name
from simulator.cosim.run import RtlRun
from simulator.isa import UNIT_NAMES, UnitId
from simulator.program import Program
from simulator.trace import Trace

COLUMNS = ("dispatch", "start", "end")
_AROUND = 3  # instructions of the same unit shown on either side of a divergence


@dataclass(frozen=True)
class Comparison:
    """Numbers of a comparison; ``report`` shows the first divergence, or is empty."""

    instructions: int
    cycle_mismatches: int  # dispatches, starts and ends that differ, and weight tiles
    bits: int
    bit_mismatches: int
    rtl_cycles: int
    rtl_cycles_per_s: float
    report: str

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.cycle_mismatches or self.bit_mismatches or self.report)


def compare(program: Program, run: RtlRun, model: Trace, expected: Memories) -> Comparison:
    """Compare with a model's Trace and with the memories that the interpreter left."""
    ours, theirs = run.trace.events, model.events
    unequal = np.stack([ours[column] != theirs[column] for column in COLUMNS])
    shifts = _shift_mismatches(run.trace, model)
    bits, wrong_bits = _bits(run.memories, expected)
    parts = []
    if unequal.any():
        parts.append(_cycle_report(program, run.trace, model, unequal))
    elif shifts:
        parts.append(f"{shifts} weight tiles enter the array in other cycles")
    if run.unmatched:
        parts.append(f"{run.unmatched} strobes too many")
    if wrong_bits:
        parts.append(bit_report(run.machine, program, model, run.memories, expected)[0])
    return Comparison(
        instructions=len(program),
        cycle_mismatches=int(unequal.sum()) + shifts + run.unmatched,
        bits=bits,
        bit_mismatches=wrong_bits,
        rtl_cycles=run.rtl_cycles,
        rtl_cycles_per_s=run.rtl_cycles / max(run.seconds, 1e-9),
        report="\n".join(parts),
    )


def _shift_mismatches(ours: Trace, model: Trace) -> int:
    a, b = ours.shifts["start"], model.shifts["start"]
    common = min(len(a), len(b))
    return int(np.count_nonzero(a[:common] != b[:common])) + abs(len(a) - len(b))


def _cycle_report(program: Program, rtl: Trace, model: Trace, unequal: np.ndarray) -> str:
    """The divergence that happened first in time, with its unit's instructions around it."""
    ours, theirs = rtl.events, model.events
    moments = np.where(
        unequal, np.stack([_time(theirs, ours, column) for column in COLUMNS]), np.iinfo("i8").max
    )
    column, index = np.unravel_index(int(np.argmin(moments)), moments.shape)
    unit = int(theirs["unit"][index])
    lines = [
        f"{int(unequal.any(axis=0).sum())} of {len(program)} instructions differ in time; first: "
        f"{instruction_name(program, int(index))} of {UNIT_NAMES[UnitId(unit)]}, {COLUMNS[column]} = "
        f"{ours[COLUMNS[column]][index]} in RTL, {theirs[COLUMNS[column]][index]} in the model",
        f"  {'instruction':<44} {'rtl: dispatch start end':>26} {'model: dispatch start end':>28}",
    ]
    for i in around(model, int(index), _AROUND):
        a, b = ([int(events[c][i]) for c in COLUMNS] for events in (ours, theirs))
        mark = ">" if i == index else "!" if unequal[:, i].any() else " "
        times = "   ".join(" ".join(f"{x:>8}" for x in row) for row in (a, b))
        lines.append(f"{mark} {instruction_name(program, i):<44} {times}")
    return "\n".join(lines)


def _time(theirs: np.ndarray, ours: np.ndarray, column: str) -> np.ndarray:
    """When a divergence shows: in the earlier of the two cycles, a missing event in the model's."""
    missing = ours[column] < 0
    found: np.ndarray = np.where(missing, theirs[column], np.minimum(theirs[column], ours[column]))
    return found


def _bits(ours: Memories, expected: Memories) -> tuple[int, int]:
    """Bits compared, and how many differ."""
    bits = wrong = 0
    for name, left in ours.named().items():
        right = expected.named()[name]
        bits += 8 * len(right)
        wrong += int(np.unpackbits(left ^ right).sum())
    return bits, wrong
