"""Yosys takes every module: no latch, no combinational loop. The table of areas is that of the sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cosim.synth.__main__ import CSV, PAGE
from simulator.cosim.synth.area import synthesise, to_csv
from simulator.cosim.synth.check import Design, check_commands, check_design, designs
from simulator.cosim.synth.page import page
from simulator.cosim.synth.yosys import SynthesisError, read, run
from simulator.energy.area_table import from_csv

FAULTS = {
    "latch": (
        "module faulty (input logic en_i, input logic d_i, output logic q_o);\n"
        "  always_latch if (en_i) q_o = d_i;\nendmodule\n"
    ),
    "forgotten default": (
        "module faulty (input logic en_i, input logic d_i, output logic q_o);\n"
        "  always_comb if (en_i) q_o = d_i;\nendmodule\n"
    ),
    "loop": (
        "module faulty (input logic en_i, input logic d_i, output logic q_o);\n"
        "  logic a;\n  assign a = q_o & en_i;\n  assign q_o = a ^ d_i;\nendmodule\n"
    ),
    "loop through an instance": (
        "module inner (input logic a_i, output logic b_o);\n  assign b_o = ~a_i;\nendmodule\n"
        "module faulty (input logic en_i, output logic q_o);\n  logic back;\n"
        "  inner u_inner (.a_i(back), .b_o(q_o));\n  assign back = q_o & en_i;\nendmodule\n"
    ),
}


@pytest.mark.parametrize("design", designs(), ids=str)
def test_no_latch_and_no_loop(design: Design) -> None:
    check_design(design, limit=120)


@pytest.mark.slow
@pytest.mark.parametrize("design", designs(), ids=str)
def test_maps_to_gates(design: Design) -> None:
    check_design(design, gates=True, limit=600)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, tmp_path: Path) -> None:
    source = tmp_path / "faulty.sv"
    source.write_text(FAULTS[name])
    with pytest.raises(SynthesisError, match=r"selection is not empty|found logic loop"):
        run([read("faulty", first=[source]), *check_commands("faulty")], 60)


def test_the_page_and_the_file_agree() -> None:
    text = CSV.read_text(encoding="utf-8")
    rows = from_csv(text)
    assert to_csv(rows) == text
    assert page(rows) == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("unit", ["sequencer", "token_counters", "bf16_fma", "pe"])
def test_the_table_is_of_these_sources(unit: str) -> None:
    row = next(row for row in from_csv(CSV.read_text(encoding="utf-8")) if row.unit == unit)
    fresh = synthesise(unit, {}, None)
    assert (fresh.flip_flops, fresh.memory_bits) == (row.flip_flops, row.memory_bits)
    assert fresh.cells == pytest.approx(row.cells, rel=0.05)  # another version of Yosys may differ a little
