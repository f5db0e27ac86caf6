"""Control proven (k-induction) or checked to a depth: every claim with seeded faults that it must find.

``slow`` are the same claims on more machines, and the reset of the whole core.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from simulator.cosim.build import SOURCES
from simulator.cosim.synth.yosys import read, run
from tests.cosim.formal.smt import Model, Patch, bounded, induction, reachable, translate

LIMIT = 300.0  # seconds for the solver, on a busy machine
FMA = ("bf16_fma",)  # the values of sums do not matter to control
SLOW = pytest.mark.slow


class Claim(NamedTuple):
    """A property module with parameters, proven by induction over ``depth`` cycles, or bounded to it."""

    module: str
    proof: bool
    depth: int
    parameters: Mapping[str, int] = {}
    seen: tuple[str, ...] = ()


TOKENS = Claim("token_properties", True, 1, {}, ("seen_three_o", "seen_emptied_o"))
QUEUE = Claim("queue_properties", True, 1, {}, ("seen_full_o", "seen_last_o", "seen_done_at_once_o"))
LATENCY = Claim("latency_properties", True, 6, {}, ("seen_done_o",))
OS = Claim("latency_os_properties", False, 12, {"PE_LATENCY": 2}, ("seen_done_o", "seen_drain_o"))
WEIGHTS = Claim("weight_properties", False, 16, {}, ("seen_full_o", "seen_second_o"))


def _with(claim: Claim, depth: int, **parameters: int) -> Claim:
    return claim._replace(depth=depth, parameters=parameters, seen=())


CLAIMS = [
    TOKENS, QUEUE, LATENCY, OS, WEIGHTS,
    *(
        pytest.param(claim, marks=SLOW)
        for claim in (
            _with(LATENCY, 10, PE_LATENCY=2, UB_LATENCY=2, ADDER_LATENCY=2, PE_INSTANCES=1),
            _with(LATENCY, 12, PE_LATENCY=2, HOP_H=2, HOP_V=2, COLS=4, ROWS=1),
            _with(OS, 14, HOP_H=2, UB_LATENCY=2, PE_LATENCY=3),
            _with(WEIGHTS, 18, PE_LATENCY=3),
            _with(WEIGHTS, 18, ROWS=4, COLS=1, PE_LATENCY=3),
            _with(WEIGHTS, 18, COLS=1, HOP_H=2, HOP_V=2, UB_LATENCY=2),
        )
    ),
]  # fmt: skip

# The claim with another parameter (a fault that the RTL has built in, or a wrong table), or a patched source.
FAULTS: dict[str, tuple[Claim, int, Patch | None]] = {
    "a token is late": (_with(TOKENS, 3, MUTANT=17), 3, None),
    "a token is lost": (_with(TOKENS, 3, MUTANT=30), 3, None),
    "counters without reset": (TOKENS, 2, Patch("token_counters.sv", "i < UNITS * UNITS; i++", "i < 1; i++")),
    "one more than the depth": (_with(QUEUE, 5, MUTANT=16), 5, None),
    "a pointer wraps early": (QUEUE, 6, Patch("issue_queue.sv", "SLOTS - 1)", "SLOTS - 2)")),
    "a count without reset": (QUEUE, 2, Patch("issue_queue.sv", "      count_q <= '0;\n", "")),
    "the mask of another": (
        QUEUE, 5, Patch("issue_queue.sv", "_write_q] <= instr_o.post_mask", "_write_q] <= instr_i.post_mask")
    ),
    "a table with a cycle more": (_with(LATENCY, 7, EXTRA=1), 7, None),
    "results leave the edge too early": (
        _with(LATENCY, 8, HOP_H=2), 8, Patch("skew.sv", "STEP*i*(i+1)/2-1", "STEP*i*(i-1)/2")
    ),
    "valid bits without reset": (
        LATENCY, 4, Patch("matrix_unit.sv", "<= UB_LATENCY; s++) row_q[s] <= '0", "< 1; s++) row_q[s] <= '0")
    ),
    "os: a table with a cycle more": (_with(OS, 9, EXTRA=1), 9, None),
    "a MATMUL before its weights": (_with(WEIGHTS, 10, MUTANT=21), 10, None),
    "a MATMUL a cycle too early": (_with(WEIGHTS, 12, EARLY=1), 12, None),
    "a slot is free too early": (_with(WEIGHTS, 12, MUTANT=22), 12, None),
    "the old weight": (_with(WEIGHTS, 12, MUTANT=23), 12, None),
}  # fmt: skip


def _model(claim: Claim, patch: Patch | None = None) -> Model:
    boxes = () if claim.module in ("token_properties", "queue_properties") else FMA
    return translate(claim.module, claim.parameters, [patch] if patch else [], any_outputs=boxes)


def _name(claim: Claim) -> str:
    return " ".join([claim.module, *(f"{name}={value}" for name, value in claim.parameters.items())])


@pytest.mark.parametrize("claim", CLAIMS, ids=_name)
def test_holds(claim: Claim) -> None:
    model = _model(claim)
    outcome = (induction if claim.proof else bounded)(model, claim.depth, LIMIT)
    assert outcome.holds
    for signal in claim.seen:  # the assumptions leave something to check
        assert reachable(model, signal, max(claim.depth, 8), LIMIT), signal


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str) -> None:
    claim, depth, patch = FAULTS[name]
    assert not bounded(_model(claim, patch), depth, LIMIT).holds


# By unit, the registers of the core that a reset leaves as they are: data, and what a reset valid bit guards.
DATA = {
    "u_accumulators": {"mem", "result_q", "sum_q", "data_q"},
    "u_div_sqrt": {"state_q"},
    "u_dma": {"job_q", "kind_q"},
    "u_issue_queue": {"slot_q", "mask_q"},
    "u_lane": {"pipe_q"},
    "u_matrix_unit": {"job_q", "flight_q", "kind_q"},
    "u_table": {"state_q"},
    "u_transposer": {"instr_q", "read_q", "current_q", "step_q", "element_q"},
    "u_unified_buffer": {"mem", "data_q"},
    "u_vector_unit": {
        "instr_q", "beat_q", "row_q", "panel_q", "line_q",
        "write_beat_q", "write_row_q", "write_panel_q", "write_line_q",
    },
    "u_weight_fifo": {"tile_q"},
    "u_weight_loader": {"job_q"},
}  # fmt: skip
CORE = {
    "ROWS": 2, "COLS": 2, "LANES": 2, "LINE": 2, "UB_GRANULES": 16, "ACC_LINES": 4, "QUEUE_DEPTH": 2,
    "FIFO_DEPTH": 2, "DMA_PORTS": 1, "DMA_INFLIGHT": 4, "ADDER_LATENCY": 2, "UB_LATENCY": 2,
}  # fmt: skip


def without_reset(folder: Path, os: int, patch: Patch | None = None) -> set[tuple[str, str]]:
    """(unit, register) of the core's registers that no reset sets to a constant."""
    first = []
    if patch:
        text = (SOURCES / patch.file).read_text()
        assert text.count(patch.old) == 1
        first.append(folder / patch.file)
        first[0].write_text(text.replace(patch.old, patch.new))
    names = folder / "names"
    run(
        [
            read("tpu_top", {**CORE, "OUTPUT_STATIONARY": os}, first=first), "hierarchy -top tpu_top", "proc",
            "flatten", "opt_expr", "opt_dff -simple-dffe -nosdff",
            f"tee -q -o {names} select -list t:$dff t:$dffe t:$aldff t:$aldffe t:$ff t:$sdff* m:*",
        ],
        120,
    )  # fmt: skip
    found = set()
    for name in names.read_text().splitlines():
        match = re.search(r"(\w+)(?:\[\d+\])?\.(\w+)$", re.sub(r"(\w_q)[.\[].*$", r"\1", name))
        found.add((match[1], match[2]) if match else ("", name))
    return found


@pytest.mark.parametrize("os", [0, 1])
def test_reset_reaches_all_control(os: int, tmp_path: Path) -> None:
    left = {item for item in without_reset(tmp_path, os) if item[1] not in DATA.get(item[0], ())}
    assert not left


@pytest.mark.parametrize(
    "patch",
    [
        Patch("weight_fifo.sv", "      placed_q <= '0;\n", ""),
        Patch("dma.sv", "      loads_q <= '0;\n", ""),
        Patch("matrix_unit.sv", "      for (int unsigned s = 1; s <= UB_LATENCY; s++) row_q[s] <= '0;\n", ""),
        Patch("sequencer.sv", "      wait_q <= '0;\n", ""),
    ],
    ids=lambda patch: patch.file,
)
def test_a_missing_reset_is_found(patch: Patch, tmp_path: Path) -> None:
    fresh = without_reset(tmp_path, 0, patch)
    assert {item for item in fresh if item[1] not in DATA.get(item[0], ())}


ARITHMETIC = ("unified_buffer", "bf16_fma", "fp32_add", "fp32_mul", "fp32_compare", "fp32_convert")


FORGOTTEN = Patch("weight_loader.sv", "      busy_q <= 1'b0;\n", "")


@SLOW
@pytest.mark.parametrize("patch", [None, FORGOTTEN], ids=["core", "fault"])
def test_reset_leaves_nothing_behind(patch: Patch | None) -> None:
    model = translate("reset_properties", None, [patch] if patch else [], any_outputs=ARITHMETIC)
    assert bounded(model, 7, 3 * LIMIT).holds == (patch is None)
    if patch is None:
        for unit in ("dma", "vector", "matrix", "halt"):
            assert reachable(model, f"seen_{unit}_o", 7, LIMIT)
