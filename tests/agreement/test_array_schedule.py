"""The array's constants in ``simulator.timing`` are sufficient: the per-PE oracle runs earliest schedules.

Every bit is checked, and the cycle of every row, result, write and end.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import timing
from simulator.machines.systolic import SystolicMachine
from tests.oracles.pe_array import PairStream, Write
from tests.oracles.pe_cases import OutputCase, StationaryCase, check_values, output_cases, stationary_cases
from tests.oracles.pe_machines import machines
from tests.oracles.pe_output import run_output
from tests.oracles.pe_schedule import (
    Output,
    Stationary,
    earliest_output,
    earliest_stationary,
    output_records,
    parameters_of,
    stream_records,
)
from tests.oracles.pe_stationary import run_stationary


def check_stationary(machine: SystolicMachine, case: StationaryCase, schedule: Stationary) -> None:
    """Run a schedule; check values, and every result's cycle, write and end against ``timing``."""
    report = run_stationary(
        parameters_of(machine), case.gemm.arithmetic, schedule.shifts, schedule.streams, case.lines
    )
    check_values(case, report)
    array = timing.array_times(machine)
    times = timing.instruction_times(machine, stream_records(schedule.streams))
    entries = []
    for event, (start, stream) in enumerate(zip(schedule.starts, schedule.streams, strict=True)):
        rows = len(stream.rows)
        assert times.occupancy[event] == rows
        for row in range(rows):
            entered = start + array.operand + row
            entries.append(entered)
            assert report.complete[event, row] == entered + array.result
            written = entered + array.result + machine.accumulators.adder_latency_cycles - 1
            assert Write(written, stream.line + row, event, row) in report.writes
        assert report.end(event) == start + times.latency[event]
    assert report.entries == entries


def check_output(machine: SystolicMachine, case: OutputCase, schedule: Output) -> None:
    """Run a schedule; check values, and the cycle of every sum, line and write against ``timing``."""
    report = run_output(parameters_of(machine), case.gemm.arithmetic, schedule.events, case.lines)
    check_values(case, report)
    times = timing.instruction_times(machine, output_records(schedule.events))
    rows, adder = machine.matrix_unit.rows, machine.accumulators.adder_latency_cycles
    entries: list[int] = []
    drained: list[int] = []
    for event, (start, what) in enumerate(zip(schedule.starts, schedule.events, strict=True)):
        if isinstance(what, PairStream):
            steps = len(what.left)
            interval = times.occupancy[event] // steps
            entries += [start + timing.array_times(machine).operand + k * interval for k in range(steps)]
            assert report.complete[event, steps - 1] == start + times.latency[event]
        else:
            drained += range(start, start + rows)
            for row in range(what.valid):
                leaves = start + rows - 1 - row
                assert report.complete[event, row] == leaves
                assert Write(leaves + adder - 1, what.line + row, event, row) in report.writes
            assert report.end(event) == start + times.latency[event]
    assert report.entries == entries
    assert report.drained == drained


def check_earliest(data: st.DataObject, machine: SystolicMachine, late: bool = False) -> None:
    """Draw a GEMM for the machine, schedule it, run it and check everything."""
    unit = machine.matrix_unit
    delays = iter(lambda: data.draw(st.sampled_from([0, 0, 0, 1, 2, 7, 30])), None) if late else None
    if unit.dataflow == "os":
        output = data.draw(output_cases(unit.rows, unit.cols))
        check_output(machine, output, earliest_output(machine, output.events, late=delays))
    else:
        case = data.draw(stationary_cases(unit.rows, unit.cols, transposed=unit.dataflow == "is"))
        check_stationary(machine, case, earliest_stationary(machine, case.shifts, case.streams, late=delays))


@settings(max_examples=150, deadline=None)
@given(st.data(), machines("ws"))
def test_weight_stationary(data: st.DataObject, machine: SystolicMachine) -> None:
    check_earliest(data, machine)


@settings(max_examples=75, deadline=None)
@given(st.data(), machines("is"))
def test_input_stationary(data: st.DataObject, machine: SystolicMachine) -> None:
    check_earliest(data, machine)


@settings(max_examples=100, deadline=None)
@given(st.data(), machines("os"))
def test_output_stationary(data: st.DataObject, machine: SystolicMachine) -> None:
    check_earliest(data, machine)


@settings(max_examples=75, deadline=None)
@given(st.data(), machines())
def test_later_is_right_too(data: st.DataObject, machine: SystolicMachine) -> None:
    """A distance is a lower bound: events that come later than they could must change no result."""
    check_earliest(data, machine, late=True)
