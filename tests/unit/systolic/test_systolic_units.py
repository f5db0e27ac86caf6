"""Small scenarios with cycles computed by hand from ``docs/timing.md``: 4 x 4, latencies of 1."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise
from typing import Any

import pytest

from simulator.isa import Flag, Function, Opcode, UnitId
from simulator.systolic import machine, simulate
from simulator.systolic.clock import Clock, Wakeup
from simulator.trace import REASONS, TRACE_UNITS, Trace
from tests.unit.systolic.account import check_account
from tests.unit.systolic.programs import Assembler, make_machine

DMA, LOADER, MATRIX, VECTOR = UnitId.DMA, UnitId.WEIGHT_LOADER, UnitId.MATRIX, UnitId.VECTOR
LINE: dict[str, Any] = {"rows": 1, "item": 0}  # 4 bytes: one cycle on HBM
EIGHT: dict[str, Any] = {"rows": 2, "item": 2}  # 32 bytes: eight cycles on HBM


def run(program: Assembler, **fields: Any) -> Trace:
    trace = simulate(make_machine(**fields), program.finish())
    check_account(trace)
    return trace


def times(trace: Trace, *instructions: int) -> list[tuple[int, int, int]]:
    """(start, busy_end, end)"""
    events = trace.events[list(instructions)]
    return [(int(event["start"]), int(event["busy_end"]), int(event["end"])) for event in events]


def stalls(trace: Trace, unit: str) -> list[tuple[int, int, str, int, str]]:
    """(start, end, reason, cause, unit of the cause), without ``finished``."""
    found = []
    for stall in trace.stalls[trace.stalls["unit"] == TRACE_UNITS.index(unit)]:
        reason = REASONS[stall["reason"]].value
        if reason != "finished":
            cause = TRACE_UNITS[stall["cause_unit"]]
            found.append((int(stall["start"]), int(stall["end"]), reason, int(stall["cause"]), cause))
    return found


def test_halt_alone_takes_two_cycles() -> None:
    trace = run(Assembler())
    assert trace.cycles == 2
    assert times(trace, 0) == [(1, 2, 2)]
    assert [(int(stall["start"]), int(stall["end"])) for stall in trace.stalls] == [(0, 2)] * 6
    assert all(REASONS[stall["reason"]] == "finished" and stall["cause"] == 0 for stall in trace.stalls)


def test_time_is_not_taken_past_an_event() -> None:
    clock = Clock()
    clock.schedule(Wakeup(clock), delay=5)
    assert not clock.nothing_until(6) and clock.now == 0
    assert clock.nothing_until(5) and clock.now == 5


def test_a_run_leaves_nothing_to_the_garbage_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding the units of a small Program would take as long as running it."""
    left: list[weakref.ref[Any]] = []

    def build(clock: Clock, *rest: Any) -> Any:
        units = wire(clock, *rest)
        left.extend(map(weakref.ref, (clock, *units)))
        return units

    wire = machine.build
    monkeypatch.setattr(machine, "build", build)
    gc.disable()
    try:
        simulate(make_machine(), TestWeights.tiles(3, rows=2).finish())
        assert len(left) == 8 and not any(reference() for reference in left)
    finally:
        gc.enable()


def test_halt_waits_for_its_tokens() -> None:
    program = Assembler()
    program.add(Opcode.LOAD, **EIGHT)
    trace = run(program)
    assert times(trace, 0) == [(1, 9, 14)]  # 8 cycles and a latency of 5
    assert trace.events["dispatch"].tolist() == [0, 1]
    assert stalls(trace, "sequencer") == [(2, 14, "token", 0, "dma")]
    assert trace.cycles == 15


def four_loads() -> Assembler:
    program = Assembler()
    for _ in range(4):
        program.add(Opcode.LOAD, **LINE)
    return program


def test_queue_of_depth_one_passes_an_instruction_every_two_cycles() -> None:
    trace = run(four_loads(), sequencer__queue_depth=1)
    assert trace.events["dispatch"].tolist() == [0, 2, 4, 6, 7]
    assert trace.events["start"].tolist()[:4] == [1, 3, 5, 7]
    assert stalls(trace, "sequencer")[:2] == [(1, 2, "queue", 0, "dma"), (3, 4, "queue", 1, "dma")]
    trace = run(four_loads(), sequencer__queue_depth=2)
    assert trace.events["start"].tolist()[:4] == [1, 2, 3, 4]


def test_a_full_queue_starves_the_units_behind_it() -> None:
    program = Assembler()
    for _ in range(3):
        program.add(Opcode.LOAD, **EIGHT)
    program.add(Opcode.VEC)
    trace = run(program, sequencer__queue_depth=1)
    # LOADs start in 1 and 9; the third is dispatched in 10, the VEC in 11.
    assert stalls(trace, "vector_unit") == [(0, 12, "dispatch", 1, "dma")]
    assert stalls(trace, "dma") == [(0, 1, "dispatch", -1, "sequencer")]


class TestDma:
    def test_memory_latency_is_pipelined(self) -> None:
        program = Assembler()
        first = program.add(Opcode.LOAD, **EIGHT)
        second = program.add(Opcode.LOAD, **EIGHT)
        assert times(run(program), first, second) == [(1, 9, 14), (9, 17, 22)]

    def test_rational_rate_rounds_up_per_instruction(self) -> None:
        program = Assembler()
        first = program.add(Opcode.STORE, rows=1, item=2)  # 16 bytes at 10 / 3: 4.8 cycles
        second = program.add(Opcode.STORE, rows=1, item=2)
        trace = run(program, hbm__bytes_per_cycle="10/3")
        assert times(trace, first, second) == [(1, 6, 7), (6, 11, 12)]

    def test_completions_retire_in_order(self) -> None:
        program = Assembler()
        load = program.add(Opcode.LOAD, **LINE)
        store = program.add(Opcode.STORE, **LINE)
        trace = run(program, hbm__latency_cycles=20)
        assert times(trace, load, store) == [(1, 2, 22), (2, 3, 23)]  # alone the STORE would end in cycle 4

    def test_waits_when_the_memory_changes(self) -> None:
        program = Assembler()
        hbm = program.add(Opcode.LOAD, **LINE)
        host = program.add(Opcode.LOAD, flags=Flag.HOST, **LINE)  # one byte a cycle, latency 10
        trace = run(program)
        assert times(trace, hbm, host) == [(1, 2, 7), (7, 11, 21)]
        assert stalls(trace, "dma")[1:] == [(2, 7, "memory_switch", hbm, "dma")]

    def test_a_tie_is_charged_to_the_first_reason_of_the_table(self) -> None:
        program = Assembler()
        hbm = program.add(Opcode.LOAD, post=(DMA,), **LINE)
        program.add(Opcode.LOAD, wait=(DMA,), flags=Flag.HOST, **LINE)
        assert stalls(run(program), "dma")[1:] == [(2, 7, "token", hbm, "dma")]


class TestWeights:
    """R = C = 4, D = 1: rows enter 4 cycles after the first line, a swap releases 2 after its issue."""

    @staticmethod
    def tiles(n: int, rows: int) -> Assembler:
        program = Assembler()
        for _ in range(n):
            program.add(Opcode.WLOAD)
            program.add(Opcode.MATMUL, flags=Flag.SWAP | Flag.RELEASE, rows=rows)
        return program

    def test_first_tiles_by_hand(self) -> None:
        trace = run(self.tiles(2, rows=3))
        assert times(trace, 0, 2) == [(1, 5, 6), (5, 9, 10)]
        assert [tuple(int(value) for value in shift) for shift in trace.shifts] == [
            (0, 1, 6, 10),
            (2, 3, 11, 15),
        ]
        # 1 read, 3 rows, 4 down, 3 across, 1 adder: the last write is in cycle 9 + 1 + 2 + 7 + 1 - 1.
        assert times(trace, 1, 3) == [(9, 12, 20), (14, 17, 25)]
        assert stalls(trace, "matrix_unit")[1:] == [
            (2, 9, "weights", 0, "weight_shifter"),
            (12, 14, "weights", 2, "weight_shifter"),
        ]
        assert stalls(trace, "weight_shifter") == [
            (0, 6, "weights", 0, "weight_loader"),
            (10, 11, "weight_release", 1, "matrix_unit"),
        ]

    def test_tile_period_is_the_larger_of_rows_streamed_and_array_rows_plus_one(self) -> None:
        for rows, period in ((1, 5), (4, 5), (5, 5), (6, 6), (9, 9)):
            trace = run(self.tiles(8, rows))
            starts = trace.events["start"][1:16:2].tolist()
            assert [b - a for a, b in pairwise(starts[2:])] == [period] * 5, rows

    def test_one_weight_buffer_loads_after_the_last_row(self) -> None:
        trace = run(self.tiles(2, rows=8), matrix_unit__weight_buffers=1)
        assert trace.shifts["start"].tolist() == [6, 18]  # 9 + 1 + 7 + 1
        assert times(trace, 3)[0][0] == 21

    def test_without_overlap_loads_after_the_last_result(self) -> None:
        trace = run(self.tiles(2, rows=8), matrix_unit__overlap=False)
        assert trace.shifts["start"].tolist() == [6, 24]  # 9 + 1 + 7 + 4 + 3
        assert times(trace, 3)[0][0] == 27

    def test_loader_waits_for_a_slot(self) -> None:
        trace = run(self.tiles(2, rows=3), weight_fifo__depth_tiles=1)
        assert times(trace, 0, 2) == [(1, 5, 6), (10, 14, 15)]
        assert stalls(trace, "weight_loader")[1:] == [(5, 10, "weight_fifo", 0, "weight_shifter")]
        assert trace.shifts["start"].tolist() == [6, 15]

    def test_matmul_may_issue_before_its_weights_enter(self) -> None:
        # Rows enter 8 cycles after the issue: the lines have to be there only then.
        trace = run(self.tiles(1, rows=3), unified_buffer__read_latency_cycles=8)
        assert trace.shifts["start"].tolist() == [13]
        assert times(trace, 1)[0][0] == 13 + 4 - 8


class TestMatrixUnit:
    def test_accumulating_waits_for_the_adder(self) -> None:
        program = Assembler()
        first = program.add(Opcode.MATMUL, rows=2)
        second = program.add(Opcode.MATMUL, flags=Flag.ACCUMULATE, rows=2)
        third = program.add(Opcode.MATMUL, rows=2)
        trace = run(program, accumulators__adder_latency_cycles=6)
        assert trace.events["start"].tolist()[:3] == [1, 7, 9]
        assert stalls(trace, "matrix_unit")[1:] == [(3, 7, "accumulate", first, "matrix_unit")]
        assert (second, third) == (1, 2)

    def test_drain_waits_for_the_array_and_holds_it(self) -> None:
        program = Assembler()
        matmul = program.add(Opcode.MATMUL, rows=3)
        drain = program.add(Opcode.DRAIN)
        after = program.add(Opcode.MATMUL, flags=Flag.ACCUMULATE, rows=1)
        trace = run(program, matrix_unit__dataflow="os")
        assert times(trace, matmul, drain, after) == [(1, 4, 11), (11, 15, 15), (15, 16, 23)]
        assert stalls(trace, "matrix_unit")[1:] == [(4, 11, "array", matmul, "matrix_unit")]

    def test_completions_retire_in_order(self) -> None:
        program = Assembler()
        program.add(Opcode.MATMUL, rows=3)
        drain = program.add(Opcode.DRAIN)
        after = program.add(Opcode.MATMUL, rows=1)
        trace = run(program, matrix_unit__dataflow="os", accumulators__adder_latency_cycles=20)
        assert times(trace, drain, after) == [(11, 15, 34), (15, 16, 35)]  # alone it would end in cycle 23


class TestTokens:
    def test_a_post_is_usable_in_the_cycle_of_the_end(self) -> None:
        program = Assembler()
        load = program.add(Opcode.LOAD, post=(VECTOR,), **EIGHT)
        vec = program.add(Opcode.VEC, wait=(DMA,), function=Function.ADD, rows=2)
        trace = run(program)
        assert times(trace, load, vec) == [(1, 9, 14), (14, 20, 20)]  # 1 read, 2 beats, 3 to the write
        assert stalls(trace, "vector_unit") == [
            (0, 2, "dispatch", -1, "sequencer"),
            (2, 14, "token", load, "dma"),
        ]

    def test_the_last_of_several_tokens_is_charged(self) -> None:
        program = Assembler()
        program.add(Opcode.LOAD, post=(VECTOR,), **LINE)  # ends in cycle 7
        transpose = program.add(Opcode.TRANSPOSE, post=(VECTOR,), rows=4, tail=3)  # ends in cycle 2 + 1 + 7
        program.add(Opcode.VEC, wait=(DMA, UnitId.TRANSPOSER))
        trace = run(program)
        assert times(trace, transpose) == [(2, 9, 10)]
        assert stalls(trace, "vector_unit")[1:] == [(3, 10, "token", transpose, "transposer")]

    def test_a_wait_may_come_before_its_post_in_the_program(self) -> None:
        program = Assembler()
        vec = program.add(Opcode.VEC, wait=(DMA,))
        load = program.add(Opcode.LOAD, post=(VECTOR,), **LINE)
        trace = run(program)
        assert times(trace, load) == [(2, 3, 8)]
        assert times(trace, vec)[0][0] == 8

    def test_the_vector_unit_starts_after_the_last_write(self) -> None:
        program = Assembler()
        first = program.add(Opcode.VEC, function=Function.DIVIDE, rows=2)  # 1 + 2 * 8 + 1
        second = program.add(
            Opcode.VEC, function=Function.REDUCE_SUM, rows=2, panels=3
        )  # 1 + 3 * (2 * 3 + 1)
        assert times(run(program), first, second) == [(1, 19, 19), (19, 41, 41)]
