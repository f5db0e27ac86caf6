"""docs/timing.md shows what the RTL does: its diagrams and measured cycles are made again and compared."""

from __future__ import annotations

from math import ceil
from typing import Any

import pytest

from simulator.cosim.timing_page.__main__ import BEGIN, DOCS, END
from simulator.cosim.timing_page.figures import FIGURES
from simulator.cosim.timing_page.table import machines, measure, rows_of, text
from simulator.isa import Flag
from simulator.machines.systolic import SystolicMachine

COMMAND = "python -m simulator.cosim.timing_page"


def names(machine: SystolicMachine, host: bool) -> dict[str, Any]:
    """The names that docs/timing.md uses in its formulas."""
    unit, vector = machine.matrix_unit, machine.vector_unit
    memory = machine.host_link if host else machine.hbm
    pe, v = unit.pe_latency_cycles, unit.vertical_hop_cycles
    return {
        "R": unit.rows, "C": unit.cols, "pe": pe, "v": v, "h": unit.horizontal_hop_cycles, "D": pe + v - 1,
        "ub": machine.unified_buffer.read_latency_cycles, "adder": machine.accumulators.adder_latency_cycles,
        "beats": ceil(max(unit.rows, unit.cols, vector.lanes) / vector.lanes),
        "alu": vector.alu_latency_cycles, "divide": vector.divide_cycles, "sqrt": vector.sqrt_cycles,
        "table": vector.table_cycles, "bytes": 4 * 4 * machine.line_elements, "rate": memory.bytes_per_cycle,
        "memory": memory.latency_cycles, "ceil": ceil, "max": max,
    }  # fmt: skip


def test_the_measured_table_is_the_page_s() -> None:
    page = (DOCS / "timing.md").read_text(encoding="utf-8")
    shown = page.split(BEGIN)[1].split(END)[0]
    assert shown == text(), f"run {COMMAND}"


@pytest.mark.parametrize("name", machines())
def test_every_formula_of_the_table_gives_what_is_measured(name: str) -> None:
    machine = machines()[name]
    for row in rows_of(machine):
        known = names(machine, bool(row.instruction.get("flags", Flag.NONE) & Flag.HOST))
        formulas = tuple(eval(formula, {}, known) for formula in (row.occupancy, row.latency))
        assert measure(machine, row) == formulas, row.name


@pytest.mark.parametrize("name", FIGURES)
def test_the_diagrams_are_the_page_s(name: str) -> None:
    stored = (DOCS / "images" / f"{name}.svg").read_text(encoding="utf-8")
    assert stored == FIGURES[name](), f"run {COMMAND}"
    assert f"(images/{name}.svg)" in (DOCS / "timing.md").read_text(encoding="utf-8")
