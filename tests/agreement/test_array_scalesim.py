"""SCALE-Sim's totals, observed on the per-PE oracle.

With one weight buffer, no overlap and all latencies 1 a fold of T rows takes ``2R + C + T - 2`` cycles from
its first weight to its last result at the array's edge, and an os fold ``R + C + T - 2`` from its first pair
to its last sum, without the shift-out. Intervals are half-open here: SCALE-Sim prints one cycle less.

Source: Samajdar et al., "A systematic methodology for characterizing scalability of DNN accelerators using
SCALE-Sim", ISPASS 2020: ``2 S_R + S_C + T - 2`` per fold.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.units import ceil_div
from tests.oracles.pe_arithmetic import Arithmetic
from tests.oracles.pe_array import PairStream
from tests.oracles.pe_cases import Gemm, operands, output_case, stationary_case
from tests.oracles.pe_machines import machine_of
from tests.oracles.pe_output import run_output
from tests.oracles.pe_schedule import earliest_output, earliest_stationary, parameters_of
from tests.oracles.pe_stationary import run_stationary

INTEGER = Arithmetic(integer=True)
SIZES = st.integers(1, 12)
SIDES = st.integers(1, 5)


def gemm_of(m: int, k: int, n: int, tile_rows: int | None) -> Gemm:
    """Random int8 operands."""
    rng = np.random.default_rng(1)
    return Gemm(operands(rng, INTEGER, (m, k)), operands(rng, INTEGER, (k, n)), INTEGER, tile_rows)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["ws", "is"]), SIDES, SIDES, SIZES, SIZES, SIZES)
def test_stationary(dataflow: str, rows: int, cols: int, m: int, k: int, n: int) -> None:
    machine = machine_of(rows, cols, dataflow=dataflow, weight_buffers=1, overlap=False)
    transposed = dataflow == "is"
    streamed, held = (n, m) if transposed else (m, n)
    folds = ceil_div(k, rows) * ceil_div(held, cols)
    case = stationary_case(gemm_of(m, k, n, rows), rows, cols, [[streamed]] * folds, transposed)
    schedule = earliest_stationary(machine, case.shifts, case.streams)
    report = run_stationary(parameters_of(machine), INTEGER, schedule.shifts, schedule.streams, case.lines)
    assert not report.violations
    np.testing.assert_array_equal(case.result(report), case.gemm.expected())
    first_weight, last_result = schedule.shifts[0].cycle, max(report.complete.values())
    assert last_result - first_weight == folds * (2 * rows + cols + streamed - 2)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIZES, SIZES, SIZES)
def test_output(rows: int, cols: int, m: int, k: int, n: int) -> None:
    machine = machine_of(rows, cols, dataflow="os")
    folds = ceil_div(m, rows) * ceil_div(n, cols)
    case = output_case(gemm_of(m, k, n, None), rows, cols, [[k]] * folds)
    schedule = earliest_output(machine, case.events)
    report = run_output(parameters_of(machine), INTEGER, schedule.events, case.lines)
    assert not report.violations
    np.testing.assert_array_equal(case.result(report), case.gemm.expected())
    for event, what in enumerate(schedule.events):
        if isinstance(what, PairStream):
            assert report.complete[event, k - 1] - what.cycle == rows + cols + k - 2
