"""Every cycle of every unit is busy or has one stall reason."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from simulator.errors import CheckError
from simulator.isa import UnitId
from simulator.metrics import account, busy_spans, measure, stalls_by_operation
from simulator.trace import REASONS, TRACE_UNITS, WEIGHT_SHIFTER, Stall


@pytest.mark.parametrize("batch", [1, 7, 32])
def test_busy_and_stalls_add_up_for_every_unit(synthetic: ModuleType, batch: int) -> None:
    machine = synthetic.machine()
    program = synthetic.mlp_step(machine, batch=batch)
    units = account(synthetic.simulate(machine, program))
    assert [unit.unit for unit in units] == list(TRACE_UNITS)
    for unit in units:
        assert unit.busy + sum(unit.stalls.values()) == unit.cycles
        assert list(unit.stalls) == [str(reason) for reason in REASONS]


def test_a_missing_stall_is_found_and_named(synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    trace = synthetic.simulate(machine, synthetic.mlp_step(machine))
    mine = np.flatnonzero(trace.stalls["unit"] == UnitId.VECTOR)
    first = trace.stalls[mine[0]]
    broken = replace(trace, stalls=np.delete(trace.stalls, mine[0]))
    with pytest.raises(
        CheckError, match=rf"vector_unit: cycles \[{first['start']}, {first['end']}\).*neither"
    ):
        account(broken)


def test_a_cycle_counted_twice_is_found_even_where_the_sum_is_right(synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    trace = synthetic.simulate(machine, synthetic.mlp_step(machine))
    stalls = trace.stalls.copy()
    mine = np.flatnonzero(stalls["unit"] == UnitId.DMA)
    long = mine[np.argmax((stalls["end"] - stalls["start"])[mine])]
    stalls["start"][long] -= 1  # one cycle too many here,
    other = mine[mine != long][np.argmax((stalls["end"] - stalls["start"])[mine[mine != long]])]
    stalls["end"][other] -= 1  # one too few there
    with pytest.raises(CheckError, match="account of dma"):
        account(replace(trace, stalls=stalls))


def test_the_sequencer_is_busy_once_per_instruction_and_in_halt(synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    program = synthetic.mlp_step(machine)
    trace = synthetic.simulate(machine, program)
    assert account(trace)[UnitId.SEQUENCER].busy == len(program) + 1


def test_the_shifter_is_busy_a_tile_s_rows_per_tile(synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    trace = synthetic.simulate(machine, synthetic.mlp_step(machine))
    spans = busy_spans(trace, WEIGHT_SHIFTER)
    assert int((spans.end - spans.start).sum()) == machine.matrix_unit.rows * len(trace.shifts)


def test_operations_busy_and_stalls_are_those_of_the_units(synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    program = synthetic.mlp_step(machine)
    metrics = measure(machine, program, synthetic.simulate(machine, program))
    for unit in metrics.units:
        rows = metrics.operations
        assert sum(row.busy[unit.unit] for row in rows) == unit.busy
        for reason in REASONS:
            charged = sum(row.stalls[unit.unit].get(str(reason), 0) for row in rows)
            assert charged == unit.stalls[str(reason)]
    assert metrics.stalls == metrics.unit("matrix_unit").stalls
    control = metrics.operations[-1]
    assert control.label == "(control)" and control.index == -1
    assert set(control.stalls["matrix_unit"]) == {str(Stall.FINISHED)}


def test_an_empty_queue_is_charged_to_the_next_operation_of_the_unit(synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    program = synthetic.mlp_step(machine)
    trace = synthetic.simulate(machine, program)
    dispatch = REASONS.index(Stall.DISPATCH)
    waits = trace.stalls[(trace.stalls["unit"] == UnitId.TRANSPOSER) & (trace.stalls["reason"] == dispatch)]
    table = stalls_by_operation(program, trace, UnitId.TRANSPOSER)[:, dispatch]
    transposes = {i for i, operation in enumerate(program.operations) if operation.name == "transpose"}
    assert set(np.flatnonzero(table)) <= transposes
    assert table.sum() == (waits["end"] - waits["start"]).sum() > 0
