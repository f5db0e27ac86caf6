"""Schedules for the array oracle: every event at its earliest cycle by ``docs/timing.md``.

The distances are the ones of ``simulator.timing``; that they are right, and minimal, is what the tests prove.
Any one distance can be cut by one cycle, to see what happens, and events can be late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import repeat

import numpy as np

from simulator import timing
from simulator.isa import INSTRUCTION_DTYPE, Flag, Opcode, Records
from simulator.machines.systolic import SystolicMachine
from tests.oracles.pe_array import ArrayParameters, PairStream, RowStream, SumDrain, WeightShift

UNSCHEDULED = -1


class Distance(StrEnum):
    """A minimal distance between two events of the array."""

    RELEASE = "releasing MATMUL to the next shift"
    WEIGHTS = "shift to the MATMUL that swaps"
    OCCUPANCY = "MATMUL to MATMUL"
    ACCUMULATE = "MATMUL to accumulating MATMUL"
    DRAIN = "end of MATMUL to DRAIN"


@dataclass(frozen=True)
class Cut:
    """``distance`` is one cycle short at the ``index``-th event (shift, or instruction) that it bounds."""

    distance: Distance
    index: int


@dataclass(frozen=True)
class Stationary:
    """A schedule for the ws or is array, and the MATMULs' issue cycles (rows enter a buffer read later)."""

    shifts: list[WeightShift]
    streams: list[RowStream]
    starts: list[int]


@dataclass(frozen=True)
class Output:
    """A schedule for the os array, and the issue cycle of every MATMUL and DRAIN."""

    events: list[PairStream | SumDrain]
    starts: list[int]


def parameters_of(machine: SystolicMachine) -> ArrayParameters:
    """The oracle's view of a machine."""
    unit = machine.matrix_unit
    return ArrayParameters(
        rows=unit.rows,
        cols=unit.cols,
        pe_latency=unit.pe_latency_cycles,
        vertical_hop=unit.vertical_hop_cycles,
        horizontal_hop=unit.horizontal_hop_cycles,
        adder_latency=machine.accumulators.adder_latency_cycles,
        weight_buffers=unit.weight_buffers,
    )


def stream_records(streams: Sequence[RowStream]) -> Records:
    """The MATMULs of a ws or is schedule as instructions, as far as their timing goes."""
    records = np.zeros(len(streams), dtype=INSTRUCTION_DTYPE)
    records["opcode"] = Opcode.MATMUL
    for record, stream in zip(records, streams, strict=True):
        record["rows"] = len(stream.rows)
        flags = Flag.ACCUMULATE * stream.accumulate | Flag.SWAP * stream.swap | Flag.RELEASE * stream.release
        record["flags"] = flags
    return records


def output_records(events: Sequence[PairStream | SumDrain]) -> Records:
    """The MATMULs and DRAINs of an os schedule as instructions, as far as their timing goes."""
    records = np.zeros(len(events), dtype=INSTRUCTION_DTYPE)
    for record, event in zip(records, events, strict=True):
        if isinstance(event, PairStream):
            record["opcode"], record["rows"] = Opcode.MATMUL, len(event.left)
            record["flags"] = Flag.ACCUMULATE * event.accumulate
        else:
            record["opcode"], record["rows"] = Opcode.DRAIN, event.valid
    return records


def earliest_stationary(
    machine: SystolicMachine,
    shifts: Sequence[WeightShift],
    streams: Sequence[RowStream],
    cut: Cut | None = None,
    late: Iterator[int] | None = None,
) -> Stationary:
    """Shifts and MATMULs, in program order, each at its earliest cycle plus ``late`` (0 where not given)."""
    late = late or repeat(0)
    array = timing.array_times(machine)
    occupancy = timing.instruction_times(machine, stream_records(streams)).occupancy.tolist()
    swap_releases = timing.releases_at_swap(machine)

    def short(distance: Distance, index: int) -> int:
        return int(cut == Cut(distance, index))

    shift_at: list[int] = []
    starts: list[int] = []
    # The first shift may have its first row in the array as soon as a MATMUL issued in cycle 0 could be
    # there.
    shift_bound = array.operand
    for i, stream in enumerate(streams):
        bound = 0
        if i:
            bound = starts[-1] + occupancy[i - 1] - short(Distance.OCCUPANCY, i)
            if stream.accumulate:
                bound = max(bound, starts[-1] + array.accumulate - short(Distance.ACCUMULATE, i))
        if stream.swap:
            shift_at.append(shift_bound + next(late))
            weights = array.weights_before_rows - short(Distance.WEIGHTS, i)
            bound = max(bound, shift_at[-1] + weights - array.operand)
        starts.append(bound + next(late))
        # The bound of the next tile's shift, from this tile's and from the MATMUL that releases this tile.
        tile = len(shift_at)
        if stream.swap if swap_releases else stream.release:
            release = timing.weight_release(machine, len(stream.rows)) - short(Distance.RELEASE, tile)
            shift_bound = max(shift_at[-1] + array.weight_lines, starts[-1] + release)
    return Stationary(
        [replace(shift, cycle=cycle) for shift, cycle in zip(shifts, shift_at, strict=True)],
        [replace(stream, cycle=at + array.operand) for stream, at in zip(streams, starts, strict=True)],
        starts,
    )


def earliest_output(
    machine: SystolicMachine,
    events: Sequence[PairStream | SumDrain],
    cut: Cut | None = None,
    late: Iterator[int] | None = None,
) -> Output:
    """MATMULs and DRAINs, in program order, each at its earliest cycle plus ``late`` (0 where not given)."""
    late = late or repeat(0)
    operand = timing.array_times(machine).operand
    times = timing.instruction_times(machine, output_records(events))
    occupancy, latency = times.occupancy.tolist(), times.latency.tolist()

    def short(distance: Distance, index: int) -> int:
        return int(cut == Cut(distance, index))

    starts: list[int] = []
    for i, event in enumerate(events):
        bound = 0
        if i:
            bound = starts[-1] + occupancy[i - 1] - short(Distance.OCCUPANCY, i)
        if isinstance(event, SumDrain):
            ends = [at + latency[j] for j, at in enumerate(starts) if isinstance(events[j], PairStream)]
            bound = max([bound, *(end - short(Distance.DRAIN, i) for end in ends)])
        starts.append(bound + next(late))
    placed = [
        replace(event, cycle=at + (operand if isinstance(event, PairStream) else 0))
        for event, at in zip(events, starts, strict=True)
    ]
    return Output(placed, starts)
