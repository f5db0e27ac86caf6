"""Operations, traffic, roofline and counters, against numbers worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from simulator.errors import CheckError
from simulator.isa import Flag, Function, Opcode, UnitId
from simulator.metrics import bound_of, count, measure
from simulator.program import Placement, Program, Space, Traffic
from simulator.timing import transfer_bytes


def tiny(synthetic: ModuleType, **overrides: dict[str, int]) -> tuple[object, Program]:
    """A 4 x 4 core: two lines from the host, a tile of weights, a MATMUL of 2 rows, an ADD, a STORE."""
    machine = synthetic.machine(4, **overrides)
    b = synthetic.Builder(machine)
    b.op("matmul", "matmul 2x3x4")
    b.transfer(Opcode.LOAD, Traffic.INPUT, "x", 2, 4, Flag.HOST)
    b.transfer(Opcode.LOAD, Traffic.INPUT, "w", 3, 4, Flag.NONE)
    b.add(Opcode.WLOAD, after=b.last, rows=3, item=1)
    b.add(Opcode.MATMUL, rows=2, tail=3, item=1, flags=int(Flag.SWAP | Flag.RELEASE), macs=2 * 3 * 4)
    b.op("add", "add 2x4")
    b.vec(Function.ADD, 2, 4, after=b.last, flags=int(Flag.SRC0_ACCUMULATOR))
    b.transfer(Opcode.STORE, Traffic.OUTPUT, "y", 2, 4, Flag.NONE, after=b.last)
    return machine, b.program()


def test_counters_by_hand(synthetic: ModuleType) -> None:
    machine, program = tiny(synthetic)
    counters = count(machine, program)
    line = 4 * 4  # bytes of a float32 line
    assert counters.macs_useful == 24
    assert counters.macs_executed == {"bfloat16": 2 * 3 * 4}  # one row of PEs is switched off
    assert counters.vector_elements == {"add": 8}
    assert counters.host_read_bytes == 2 * line and counters.host_written_bytes == 0
    assert counters.hbm_read_bytes == 3 * line and counters.hbm_written_bytes == 2 * line
    assert counters.weight_fifo_bytes == 4 * 4 * 2  # always a whole tile of bfloat16
    assert counters.accumulator_written_bytes == 2 * 4 * 4
    assert counters.accumulator_read_bytes == 2 * line  # the ADD's first operand
    assert counters.accumulator_adds == {}
    assert counters.buffer_read_bytes == {
        "dma": 2 * line, "weight_loader": 3 * 4 * 2, "matrix_unit": 2 * 4 * 2, "vector_unit": 2 * line,
    }  # fmt: skip
    assert counters.buffer_written_bytes == {"dma": 5 * line, "vector_unit": 2 * line}


def test_counters_of_reductions_conversions_and_integers(synthetic: ModuleType) -> None:
    machine = synthetic.machine(4)
    b = synthetic.Builder(machine)
    b.op("sum", "sum")
    b.vec(Function.REDUCE_SUM, 5, 8, flags=int(Flag.ACCUMULATE))
    b.vec(Function.TO_BFLOAT16, 3, 4)
    b.vec(Function.ADD, 1, 4, flags=int(Flag.INTEGER))
    b.vec(Function.COPY, 1, 4)
    b.rows[-1]["item"] = 0
    counters = count(machine, b.program())
    assert counters.vector_elements == {"reduce_sum": 40, "to_bfloat16": 12, "add.int32": 4, "copy": 4}
    # sum: 5 x 2 lines and the 2 it continues; conversion: 3; add: 2 x 1; copy: one line of bytes
    assert counters.buffer_read_bytes["vector_unit"] == 16 * (10 + 2 + 3 + 2) + 4
    assert counters.buffer_written_bytes["vector_unit"] == 16 * (2 + 1) + 3 * 4 * 2 + 4


def test_counters_of_output_stationary(synthetic: ModuleType) -> None:
    machine = synthetic.machine(4, matrix_unit={"dataflow": "os"})
    b = synthetic.Builder(machine)
    b.op("matmul", "matmul")
    b.add(Opcode.MATMUL, rows=6, tail=3, item=1, macs=6 * 3 * 4)
    b.add(Opcode.DRAIN, rows=3)
    counters = count(machine, b.program())
    assert counters.macs_executed == {"bfloat16": 6 * 16}
    assert counters.buffer_read_bytes == {"matrix_unit": 6 * (4 + 4) * 2}
    assert counters.accumulator_written_bytes == 3 * 4 * 4


def test_accumulating_reads_and_adds(synthetic: ModuleType) -> None:
    machine = synthetic.machine(4)
    b = synthetic.Builder(machine)
    b.op("matmul", "matmul")
    b.matmul(3, 8, 4)  # two tiles of k
    counters = count(machine, b.program())
    assert counters.accumulator_written_bytes == 2 * 3 * 4 * 4
    assert counters.accumulator_read_bytes == 3 * 4 * 4
    assert counters.accumulator_adds == {"bfloat16": 12}


def test_totals_utilization_and_operations(synthetic: ModuleType) -> None:
    machine, program = tiny(synthetic)
    trace = synthetic.simulate(machine, program)
    metrics = measure(machine, program, trace)
    assert metrics.macs == 24
    assert metrics.utilization == 24 / (16 * trace.cycles)
    assert metrics.time_us == trace.cycles / 500.0
    matmul, add, control = metrics.operations
    assert matmul.label == "matmul 2x3x4" and matmul.source == "examples/mlp.py:10:9"
    assert (matmul.instructions, add.instructions, control.instructions) == (4, 2, 1)
    assert matmul.macs == 24 and add.macs == 0
    assert matmul.start == trace.events["start"][0] and matmul.end == trace.events["end"][:4].max()
    assert matmul.utilization == 24 / (16 * matmul.span)
    assert matmul.busy["matrix_unit"] == 2 and matmul.busy["weight_shifter"] == 4
    assert (matmul.host_bytes, matmul.hbm_bytes, add.hbm_bytes) == (32, 48, 32)


def test_traffic_lists_every_byte(synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    program = synthetic.mlp_step(machine)
    metrics = measure(machine, program, synthetic.simulate(machine, program))
    moves = program.records[np.isin(program.records["opcode"], (Opcode.LOAD, Opcode.STORE))]
    assert sum(row.total_bytes for row in metrics.traffic) == transfer_bytes(machine, moves).sum()
    assert (
        sum(row.hbm_bytes + row.host_bytes for row in metrics.traffic) == transfer_bytes(machine, moves).sum()
    )
    spilled = next(row for row in metrics.traffic if row.tensor == "%1")
    assert spilled.needed_bytes == 0 and spilled.extra_bytes == spilled.total_bytes == 2 * 32 * 16 * 4
    assert {name for name, n in spilled.by_reason.items() if n} == {"spill", "fill"}


def test_useful_bytes_are_elements(synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    program = synthetic.mlp_step(machine, widths=(64, 32, 10), batch=32)
    rows = {
        row.tensor: row for row in measure(machine, program, synthetic.simulate(machine, program)).traffic
    }
    assert rows["x"].useful_bytes == rows["x"].needed_bytes == 32 * 64 * 4 and rows["x"].padding_bytes == 0
    weight = rows["params.1.w"]  # 10 columns are two panels of 8; loaded and stored
    assert weight.useful_bytes == 2 * 32 * 10 * 4 and weight.padding_bytes == 2 * 32 * 6 * 4
    assert rows["%1"].useful_bytes == rows["%1"].padding_bytes == 0


def test_useful_bytes_of_a_block(synthetic: ModuleType) -> None:
    """Rows 1 and 2 of both panels of a 4 x 6 tensor, which lies 3 lines behind the start of the memory."""
    machine = synthetic.machine(4)
    b = synthetic.Builder(machine)
    b.op("load", "load")
    b.transfer(Opcode.LOAD, Traffic.INPUT, "w", 2, 6, Flag.NONE, src1=(3 + 1) * 4)
    b.placements["w"] = Placement("w", Space.HBM, 3 * 4, 4, 6, "float32")
    program = b.program()
    program.records["src0_stride"][0] = 4
    (row,) = measure(machine, program, synthetic.simulate(machine, program)).traffic
    assert row.needed_bytes == 2 * 2 * 4 * 4 and row.useful_bytes == 2 * 6 * 4


def test_a_transfer_without_placement_is_an_error(synthetic: ModuleType) -> None:
    machine, program = tiny(synthetic)
    trace = synthetic.simulate(machine, program)
    with pytest.raises(CheckError, match="instruction 0: a transfer of 'x', which has no placement"):
        measure(machine, replace(program, placements=()), trace)


def test_a_transfer_without_reason_is_an_error(synthetic: ModuleType) -> None:
    machine, program = tiny(synthetic)
    trace = synthetic.simulate(machine, program)
    with pytest.raises(CheckError, match="instruction 1: a transfer without"):
        measure(
            machine,
            replace(program, traffic=np.where(np.arange(len(program)) == 1, 0, program.traffic)),
            trace,
        )


def test_macs_that_are_not_the_graph_s_are_an_error(synthetic: ModuleType) -> None:
    machine, program = tiny(synthetic)
    trace = synthetic.simulate(machine, program)
    with pytest.raises(CheckError, match="asks for 24 multiply-accumulates, the Program does 48"):
        measure(machine, replace(program, macs=program.macs * 2), trace)


def test_roofline_by_hand(synthetic: ModuleType) -> None:
    machine, program = tiny(synthetic)
    trace = synthetic.simulate(machine, program)
    line = measure(machine, program, trace).roofline
    hbm, host = line.roofs
    assert line.peak == 2 * 16 * 500e6
    assert line.achieved == pytest.approx(48 / (trace.cycles / 500e6))
    assert hbm.intensity == 48 / 80 and host.intensity == 48 / 32
    assert hbm.ridge == pytest.approx(line.peak / (64 * 500e6))
    assert host.attainable == pytest.approx(48 / 32 * 16 * 500e6)


def test_no_bytes_no_intensity(synthetic: ModuleType) -> None:
    machine = synthetic.machine(4)
    b = synthetic.Builder(machine)
    b.op("matmul", "matmul")
    b.matmul(2, 4, 4)
    program = b.program()
    roof = measure(machine, program, synthetic.simulate(machine, program)).roofline.roofs[0]
    assert roof.intensity is None and roof.attainable == 2 * 16 * 500e6


def test_bounds() -> None:
    assert bound_of({"matrix_unit": 5, "dma": 4}) == "compute"
    assert bound_of({"matrix_unit": 5, "dma": 5}) == "compute"
    assert bound_of({"vector_unit": 1, "sequencer": 100}) == "vector"
    assert bound_of({}) == "none"


def test_the_summary_is_json_with_the_promised_keys(synthetic: ModuleType) -> None:
    machine, program = tiny(synthetic)
    metrics = measure(machine, program, synthetic.simulate(machine, program))
    summary = json.loads(json.dumps(metrics.details()))
    promised = {"cycles", "time_us", "utilization", "macs", "stalls", "engine", "machine"}
    assert promised <= set(summary)
    units = summary["units"].values()
    assert all(unit["busy"] + sum(unit["stalls"].values()) == summary["cycles"] for unit in units)


def test_the_event_engine_agrees_with_the_stepper_of_these_tests(synthetic: ModuleType) -> None:
    systolic = pytest.importorskip("simulator.systolic")
    machine = synthetic.machine()
    program = synthetic.mlp_step(machine)
    mine, theirs = synthetic.simulate(machine, program), systolic.simulate(machine, program.records)
    assert np.array_equal(mine.events, theirs.events)
    assert measure(machine, program, mine).units == measure(machine, program, theirs).units
    assert set(mine.events["unit"]) == set(UnitId)
