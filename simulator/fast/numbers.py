"""What the recurrence needs to know of a machine, or of many that share a structure."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.errors import OutOfDomain
from simulator.fast.core import ARRAY, KEPT_RELEASE, TIMES
from simulator.fast.program import Longs, Prepared
from simulator.isa import Flag, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.timing import array_times, instruction_times, releases_at_swap, weight_release

NARROW_CYCLES = 2.0**31 - 2**20  # what 32 bits hold, less what rounding could hide
WIDE_CYCLES = 2.0**62


class Structure(NamedTuple):
    """What decides who waits for whom (``struct structure``)."""

    n: int
    queue_depth: int
    fifo_depth: int
    lines: int
    releasing: int
    adds: int


class Numbers(NamedTuple):
    """Cycles of one or more machines."""

    times: Longs  # [kind, TIMES, machine]
    array: Longs  # [ARRAY, machine]
    bound: float  # more than the cycles of any of the machines


def structure_of(machine: SystolicMachine, prepared: Prepared) -> Structure:
    """The structure of a Program on a machine."""
    n = len(prepared)
    return Structure(
        n=n,
        queue_depth=min(machine.sequencer.queue_depth, n),
        fifo_depth=machine.weight_fifo.depth_tiles,
        lines=machine.matrix_unit.rows,
        releasing=int(Flag.SWAP) if releases_at_swap(machine) else KEPT_RELEASE,
        adds=machine.matrix_unit.dataflow != "os",
    )


def numbers_of(machine: SystolicMachine, prepared: Prepared, count: int = 1) -> Numbers:
    """The cycles of every kind of instruction; ``machine`` may stand for ``count`` (``simulator.timing``).

    Raises:
        ProgramError: an instruction takes no time.
        OutOfDomain: the cycles may need more than 62 bits.
    """
    kinds, number = prepared.kinds, prepared.number
    found = instruction_times(machine, kinds)
    occupancy, latency = (cycles.reshape(-1, len(kinds)) for cycles in found)
    prepared.check_times(occupancy.min(axis=0), latency.min(axis=0))
    times = np.zeros((len(kinds), len(TIMES), count), dtype=np.int64)
    times[number, 0], times[number, 1] = occupancy.T, latency.T
    matmul = np.flatnonzero(kinds["opcode"] == int(Opcode.MATMUL))
    if len(matmul):
        rows: Any = kinds["rows"][matmul].astype(np.int64)
        release = np.broadcast_to(weight_release(machine, rows), (count, len(matmul)))
        times[number[matmul], 2] = release.T

    constants = array_times(machine)
    array = np.empty((len(ARRAY), count), dtype=np.int64)
    array[0] = np.ravel(constants.weights_before_rows - constants.operand)
    array[1] = np.ravel(constants.accumulate)
    array[2] = np.ravel(constants.operand)
    return Numbers(times, array, _bound(prepared, times, array, constants.weight_lines))


def _bound(prepared: Prepared, times: Longs, array: Longs, lines: int) -> float:
    """Every cycle of the recurrence is another one plus something that one instruction takes. Along such a
    chain an instruction is dispatched, starts, ends and shifts weights at most once, so no chain is longer
    than the sum of all that all instructions take.

    Raises:
        OutOfDomain: it does not fit 62 bits.
    """
    longest = times.max(axis=2).sum(axis=1, dtype=np.float64)[prepared.number]
    of_all = np.abs(array[0]) + array[1] + 2 * array[2] + 2.0 * lines + 4
    bound = float(longest @ prepared.count + len(prepared) * of_all.max())
    if bound > WIDE_CYCLES:
        raise OutOfDomain(f"up to {bound:.2g} cycles: the fast engine counts to {WIDE_CYCLES:.2g}")
    return bound
