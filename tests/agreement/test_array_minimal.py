"""The array's constants are minimal: any distance one cycle shorter is wrong on the per-PE oracle.

``tests/agreement/test_array_schedule.py`` shows that they are sufficient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import timing
from simulator.machines.systolic import SystolicMachine
from tests.oracles.pe_arithmetic import Arithmetic
from tests.oracles.pe_array import Fault, PairStream, Report, RowStream, SumDrain, WeightShift
from tests.oracles.pe_cases import (
    Gemm,
    OutputCase,
    StationaryCase,
    operands,
    output_cases,
    stationary_case,
    stationary_cases,
)
from tests.oracles.pe_machines import machine_of, machines
from tests.oracles.pe_output import run_output
from tests.oracles.pe_schedule import (
    Cut,
    Distance,
    earliest_output,
    earliest_stationary,
    parameters_of,
)
from tests.oracles.pe_stationary import run_stationary

INTEGER = Arithmetic(integer=True)


def is_right(case: StationaryCase | OutputCase, report: Report) -> bool:
    """No rule broken and the right values: wrong values break a rule, right ones by chance excuse none."""
    same = np.array_equal(
        case.gemm.arithmetic.bits(case.result(report)), case.gemm.arithmetic.bits(case.gemm.expected())
    )
    assert same or report.violations, "wrong values and no rule broken: the oracle misses one"
    return not report.violations


def least(works: Callable[[int], bool], first: int, last: int) -> int:
    """The least distance in [first, last] from which every distance works."""
    right = [works(distance) for distance in range(first, last + 1)]
    assert right[-1]
    least_right = last - right[::-1].index(False) + 1 if False in right else first
    assert not any(right[: least_right - first]), "a shorter distance works while a longer one does not"
    return least_right


def matmul(cycle: int, rows: int, width: int, tile: int, **flags: bool) -> RowStream:
    """A MATMUL with all rows of PEs enabled and distinct numbers."""
    values = np.arange(1, rows * width + 1, dtype=np.int32).reshape(rows, width) + 100 * tile
    return RowStream(cycle, values, np.ones(width, dtype=bool), tile, line=0, **flags)


def weights(cycle: int, rows: int, cols: int, tile: int) -> WeightShift:
    """A tile of distinct weights."""
    return WeightShift(cycle, np.arange(1, rows * cols + 1, dtype=np.int32).reshape(rows, cols) + 1000 * tile)


SHAPES = [(1, 1), (2, 3), (3, 1), (5, 2)]
LATENCIES = list(product((1, 2, 3, 4), (1, 2, 3)))


@pytest.mark.parametrize(("rows", "cols"), SHAPES)
@pytest.mark.parametrize("weight_buffers", [2, 1])
def test_weights_before_rows(rows: int, cols: int, weight_buffers: int) -> None:
    """First weight line to the first row, which here also releases: exactly ``weights_before_rows``."""
    for pe, vertical in LATENCIES:
        machine = machine_of(rows, cols, weight_buffers=weight_buffers, pe=pe, vertical=vertical)

        def works(distance: int, machine: SystolicMachine = machine) -> bool:
            stream = matmul(distance, 1, rows, 0, swap=True, release=True)
            shifts = [weights(0, rows, cols, 0)]
            return not run_stationary(parameters_of(machine), INTEGER, shifts, [stream], 1).violations

        expected = timing.array_times(machine).weights_before_rows
        assert least(works, 0, expected + 2) == expected, (pe, vertical)


@pytest.mark.parametrize("pe", [1, 2, 4])
def test_one_buffer_is_released_by_the_last_row(pe: int) -> None:
    """With one buffer the tile's own lines must have passed before its last row, not before its first.

    ``weights_before_rows`` is the need of a one-row tile, so that it does not depend on the instruction.
    """
    rows = 5
    machine = machine_of(rows, 2, weight_buffers=1, pe=pe)
    for length in (1, 2, 3, 7):

        def works(distance: int, length: int = length) -> bool:
            stream = matmul(distance, length, rows, 0, swap=True, release=True)
            shifts = [weights(0, rows, 2, 0)]
            return not run_stationary(parameters_of(machine), INTEGER, shifts, [stream], length).violations

        in_place = 1 + (rows - 1) * max(0, 2 - pe)
        assert least(works, 0, 2 * rows) == max(in_place, rows - length)


@pytest.mark.parametrize(("rows", "cols"), SHAPES)
@pytest.mark.parametrize("weight_buffers", [2, 1])
@pytest.mark.parametrize("length", [1, 3])
def test_rows_before_weights(rows: int, cols: int, weight_buffers: int, length: int) -> None:
    """The releasing MATMUL's issue to the next tile's first weight line: exactly ``weight_release``."""
    for pe, vertical in LATENCIES:
        machine = machine_of(rows, cols, weight_buffers=weight_buffers, pe=pe, vertical=vertical, read=2)
        settled = 2 * rows * timing.row_delay(machine) + 4  # far from every other bound

        def works(distance: int, machine: SystolicMachine = machine, settled: int = settled) -> bool:
            shifts = [weights(0, rows, cols, 0), weights(settled - 2 + distance, rows, cols, 1)]
            streams = [
                matmul(settled, length, rows, 0, swap=True, release=True),
                matmul(2 * settled + length, 1, rows, 1, swap=True, release=True),
            ]
            report = run_stationary(parameters_of(machine), INTEGER, shifts, streams, length)
            return not report.violations

        expected = timing.weight_release(machine, length)
        assert least(works, expected - 2, expected + 1) == expected, (pe, vertical)


def minimal_cuts(machine: SystolicMachine, case: StationaryCase) -> list[Cut]:
    """Every distance that the documents call minimal, for tiles that use the whole array."""
    unit = machine.matrix_unit
    cuts = []
    for i, stream in enumerate(case.streams):
        if i:
            cuts.append(Cut(Distance.OCCUPANCY, i))
            # One rule for all lines: minimal where the previous MATMUL wrote the very line that is added to.
            before = case.streams[i - 1]
            if stream.accumulate and before.line == stream.line:
                cuts.append(Cut(Distance.ACCUMULATE, i))
        if stream.swap:
            # With one buffer the constant also covers a tile that is released by its first row.
            if unit.weight_buffers == 2 or unit.pe_latency_cycles == 1 or unit.rows <= 2:
                cuts.append(Cut(Distance.WEIGHTS, i))
            if stream.tile and unit.overlap:  # without overlap the distance is a choice, not a need
                cuts.append(Cut(Distance.RELEASE, stream.tile))
    return cuts


EXPECTED_FAULTS = {
    Distance.OCCUPANCY: {Fault.COLLISION},
    Distance.ACCUMULATE: {Fault.STALE_SUM},
    Distance.WEIGHTS: {Fault.EMPTY_SWAP, Fault.WRONG_ROW, Fault.WRONG_WEIGHT},
    Distance.RELEASE: {Fault.WEIGHT_LOST, Fault.WRONG_ROW},
}


@pytest.mark.parametrize("max_streamed", [12, 3])
@settings(max_examples=100, deadline=None)
@given(data=st.data(), machine=machines("ws"))
def test_one_cycle_less_is_wrong(data: st.DataObject, machine: SystolicMachine, max_streamed: int) -> None:
    """In a random sequence of tiles, each distance that decides when something starts is needed in full.

    Few rows bring out the accumulators' adder, many the rest.
    """
    unit = machine.matrix_unit
    case = data.draw(stationary_cases(unit.rows, unit.cols, full=True, max_streamed=max_streamed))
    earliest = earliest_stationary(machine, case.shifts, case.streams)
    cuts = minimal_cuts(machine, case)
    for cut in data.draw(st.lists(st.sampled_from(cuts), min_size=1, max_size=4, unique=True)):
        schedule = earliest_stationary(machine, case.shifts, case.streams, cut)
        moved = schedule.starts != earliest.starts or any(
            a.cycle != b.cycle for a, b in zip(schedule.shifts, earliest.shifts, strict=True)
        )
        if moved:
            report = run_stationary(
                parameters_of(machine), case.gemm.arithmetic, schedule.shifts, schedule.streams, case.lines
            )
            assert not is_right(case, report), cut
            assert report.faults() & EXPECTED_FAULTS[cut.distance], (cut, report.faults())


@settings(max_examples=100, deadline=None)
@given(st.data(), machines("os"))
def test_one_cycle_less_is_wrong_output_stationary(data: st.DataObject, machine: SystolicMachine) -> None:
    """The same for the os array: MATMULs that continue a chain, and DRAINs."""
    unit = machine.matrix_unit
    case = data.draw(output_cases(unit.rows, unit.cols, full=True))
    cuts = [
        Cut(Distance.DRAIN if isinstance(event, SumDrain) else Distance.OCCUPANCY, i)
        for i, event in enumerate(case.events)
        if isinstance(event, SumDrain) or event.accumulate
    ]
    for cut in data.draw(st.lists(st.sampled_from(cuts), min_size=1, max_size=4, unique=True)):
        schedule = earliest_output(machine, case.events, cut)
        report = run_output(parameters_of(machine), case.gemm.arithmetic, schedule.events, case.lines)
        assert not is_right(case, report), cut


@pytest.mark.parametrize("adder", [1, 2, 4])
@pytest.mark.parametrize("length", [1, 3, 5])
@pytest.mark.parametrize("offset", [0, 2])
def test_accumulate_interval(adder: int, length: int, offset: int) -> None:
    """``max(M, adder)`` holds for lines in the same place of both MATMULs; one that comes earlier needs more.

    So a line may come later in the accumulating MATMUL than in the one before it, never earlier.
    """
    if offset >= length:
        return
    machine = machine_of(2, 2, adder=adder)

    def works(distance: int) -> bool:
        first = matmul(2, length, 2, 0, swap=True)
        again = matmul(2 + distance, length, 2, 0, release=True)
        again = replace(again, line=offset, accumulate=True)
        report = run_stationary(
            parameters_of(machine), INTEGER, [weights(0, 2, 2, 0)], [first, again], length + offset
        )
        return not report.violations

    assert least(works, 0, length + adder + offset) == max(length, adder + offset)


def test_sums_may_be_drained_as_they_complete() -> None:
    """The first line of a DRAIN can leave in the very cycle that is the MATMUL's end, and no earlier."""
    rng = np.random.default_rng(5)
    for rows, cols, pe in product((1, 3), (1, 2), (1, 3)):
        machine = machine_of(rows, cols, dataflow="os", pe=pe, vertical=2)
        gemm = Gemm(operands(rng, INTEGER, (rows, 4)), operands(rng, INTEGER, (4, cols)), INTEGER, None)
        end = 4 * pe + (rows - 1) * 2 + (cols - 1)

        def works(distance: int, machine: SystolicMachine = machine, gemm: Gemm = gemm) -> bool:
            stream = PairStream(0, gemm.a.T.copy(), gemm.b)
            events = (stream, SumDrain(distance, 0, len(gemm.a)))
            report = run_output(parameters_of(machine), INTEGER, events, len(gemm.a))
            return not report.violations and np.array_equal(report.memory, gemm.expected())

        assert least(works, end - 3, end + 2) == end


@settings(max_examples=100, deadline=None)
@given(machines("ws"))
def test_lines_follow_from_release(machine: SystolicMachine) -> None:
    """A tile's lines never meet the next tile's at the port: the registers' release keeps them apart."""
    array = timing.array_times(machine)
    assert array.weights_before_rows + array.rows_before_weights >= array.weight_lines


def test_period_of_short_latencies() -> None:
    """With latencies of 1 the double-buffered array takes a tile every ``max(M, rows + 1)`` cycles."""
    rng = np.random.default_rng(7)
    for rows, length in product((1, 2, 4), (1, 3, 4, 5, 8)):
        machine = machine_of(rows, 2)
        gemm = Gemm(
            operands(rng, INTEGER, (length, 5 * rows)), operands(rng, INTEGER, (5 * rows, 2)), INTEGER, rows
        )
        case = stationary_case(gemm, rows, 2, [[length]] * 5)
        starts = earliest_stationary(machine, case.shifts, case.streams).starts
        assert set(np.diff(starts)) == {max(length, rows + 1)}
