"""What the recurrence needs to know of a Program on a machine, by the definitions of ``simulator.timing``.

The compiled recurrence works this out for itself (``native/times.h``); here it is for the one in Python, and
says what is wrong with a Program or a machine that the compiled one refuses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.errors import OutOfDomain
from simulator.fast.core import KEPT_RELEASE
from simulator.fast.program import Longs, Prepared
from simulator.isa import Flag, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.timing import MOST_CYCLES, array_times, instruction_times, releases_at_swap, weight_release


class Structure(NamedTuple):
    """What decides who waits for whom."""

    queue_depth: int
    fifo_depth: int
    lines: int  # of a weight tile
    releasing: int  # the flag of the MATMUL that frees the weight registers
    adds: bool  # whether an accumulating MATMUL waits for the adder


class Numbers(NamedTuple):
    """Cycles."""

    occupancy: Longs  # of every kind of instruction
    latency: Longs
    release: Longs  # a MATMUL's start to the shifter's next first line
    in_place: int  # a tile's first line entering the array to the earliest start of its MATMUL
    adder: int  # a MATMUL's start to the next one's that accumulates
    operand: int  # a MATMUL's start to its first row entering the array


def structure_of(machine: SystolicMachine) -> Structure:
    """The structure of a machine."""
    return Structure(
        queue_depth=machine.sequencer.queue_depth,
        fifo_depth=machine.weight_fifo.depth_tiles,
        lines=machine.matrix_unit.rows,
        releasing=int(Flag.SWAP) if releases_at_swap(machine) else KEPT_RELEASE,
        adds=machine.matrix_unit.dataflow != "os",
    )


def numbers_of(machine: SystolicMachine, prepared: Prepared) -> Numbers:
    """The cycles of a Program on a machine.

    Raises:
        ProgramError: an instruction takes no time.
        OutOfDomain: the cycles may need more than 62 bits.
    """
    kinds = prepared.kinds
    occupancy, latency = instruction_times(machine, kinds)
    prepared.check_times(occupancy, latency)
    release = np.zeros(len(kinds), dtype=np.int64)
    matmul = np.flatnonzero(kinds["opcode"] == int(Opcode.MATMUL))
    release[matmul] = [weight_release(machine, int(rows)) for rows in kinds["rows"][matmul]]
    array = array_times(machine)
    found = Numbers(
        *(occupancy, latency, release),
        *(array.weights_before_rows - array.operand, array.accumulate, array.operand),
    )
    _check_bound(prepared, found, array.weight_lines)
    return found


def _check_bound(prepared: Prepared, found: Numbers, lines: int) -> None:
    """Refuses what may need more cycles than are counted; ``native/times.h`` says why this is a bound.

    Raises:
        OutOfDomain: it does not fit 62 bits.
    """
    longest = np.add(found.occupancy, found.latency, dtype=np.float64) + found.release
    of_all = abs(found.in_place) + found.adder + 2 * found.operand + 2.0 * lines + 4
    bound = float(longest @ prepared.count + len(prepared) * of_all)
    if bound > MOST_CYCLES:
        raise OutOfDomain(f"up to {bound:.2g} cycles: the fast engine counts to {MOST_CYCLES:.2g}")
