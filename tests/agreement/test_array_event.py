"""The SimPy engine's schedules on the per-PE oracle: legal, right to the bit, ends where they are seen.

The engine says when each tile's weights are shifted in and when each instruction of the matrix unit starts;
the oracle, which knows no timing formula, executes that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.isa import Records, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.systolic import simulate
from simulator.trace import WEIGHT_SHIFTER, Trace
from tests.oracles.pe_array import PairStream, SumDrain
from tests.oracles.pe_cases import OutputCase, StationaryCase, check_values, output_cases, stationary_cases
from tests.oracles.pe_machines import machines
from tests.oracles.pe_output import run_output
from tests.oracles.pe_programs import of_matrix_unit, programs
from tests.oracles.pe_schedule import parameters_of
from tests.oracles.pe_stationary import run_stationary


def busy_cycles(trace: Trace, unit: int) -> int:
    """Cycles of a unit that the Trace does not account as a stall."""
    stalls = trace.stalls[trace.stalls["unit"] == unit]
    return trace.cycles - int(np.sum(stalls["end"] - stalls["start"]))


def check_stationary(machine: SystolicMachine, case: StationaryCase, records: Records) -> None:
    trace = simulate(machine, records)
    read = machine.unified_buffer.read_latency_cycles
    issued = of_matrix_unit(records)
    events = trace.events[issued]
    swaps = issued[[stream.swap for stream in case.streams]]
    np.testing.assert_array_equal(trace.shifts["matmul"], swaps)
    report = run_stationary(
        parameters_of(machine),
        case.gemm.arithmetic,
        [
            replace(shift, cycle=int(start))
            for shift, start in zip(case.shifts, trace.shifts["start"], strict=True)
        ],
        [
            replace(stream, cycle=int(start) + read)
            for stream, start in zip(case.streams, events["start"], strict=True)
        ],
        case.lines,
    )
    check_values(case, report)
    assert [report.end(event) for event in range(len(issued))] == events["end"].tolist()
    assert len(report.entries) == busy_cycles(trace, UnitId.MATRIX)
    assert len(case.shifts) * machine.matrix_unit.rows == busy_cycles(trace, WEIGHT_SHIFTER)


def check_output(machine: SystolicMachine, case: OutputCase, records: Records) -> None:
    trace = simulate(machine, records)
    read = machine.unified_buffer.read_latency_cycles
    issued = of_matrix_unit(records)
    events = trace.events[issued]
    placed: list[PairStream | SumDrain] = [
        replace(event, cycle=int(start) + (read if isinstance(event, PairStream) else 0))
        for event, start in zip(case.events, events["start"], strict=True)
    ]
    report = run_output(parameters_of(machine), case.gemm.arithmetic, placed, case.lines)
    check_values(case, report)
    previous = 0
    for event, what in enumerate(placed):
        last_sum = report.complete[event, len(what.left) - 1] if isinstance(what, PairStream) else 0
        done = last_sum or report.end(event)
        # A short MATMUL can be complete while the adder still works on the DRAIN before it: ends stay in
        # program order.
        previous = max(done, previous + 1)
        assert events["end"][event] == previous
    # A pair occupies the array until the next can follow, a DRAIN for every line that leaves.
    pairs = len(report.entries) * machine.matrix_unit.pe_latency_cycles
    assert pairs + len(report.drained) == busy_cycles(trace, UnitId.MATRIX)


def check_stationary_program(data: st.DataObject, machine: SystolicMachine) -> None:
    unit = machine.matrix_unit
    case = data.draw(stationary_cases(unit.rows, unit.cols, transposed=unit.dataflow == "is"))
    check_stationary(machine, case, data.draw(programs(machine, case)))


@settings(max_examples=150, deadline=None)
@given(st.data(), machines("ws"))
def test_weight_stationary(data: st.DataObject, machine: SystolicMachine) -> None:
    check_stationary_program(data, machine)


@settings(max_examples=75, deadline=None)
@given(st.data(), machines("is"))
def test_input_stationary(data: st.DataObject, machine: SystolicMachine) -> None:
    check_stationary_program(data, machine)


@settings(max_examples=100, deadline=None)
@given(st.data(), machines("os"))
def test_output_stationary(data: st.DataObject, machine: SystolicMachine) -> None:
    case = data.draw(output_cases(machine.matrix_unit.rows, machine.matrix_unit.cols))
    check_output(machine, case, data.draw(programs(machine, case)))
