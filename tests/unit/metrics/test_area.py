"""Area of a machine from the synthesised units: exact at the measured sizes, scaled by the stated rules."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.energy import MachineArea, systolic_area
from simulator.energy.area_table import area_table
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from tests.support.command import call
from tests.support.machines import small_machine


def area_of(n: int, **fields: Any) -> MachineArea:
    return systolic_area(small_machine(rows=n, cols=n, lanes=n, **fields))


def um2(area: MachineArea, name: str) -> float:
    (part,) = (part for part in area.parts if part.name == name)
    return part.um2


@pytest.mark.parametrize("n", [4, 8, 16])
def test_a_measured_machine_is_its_rows_of_the_table(n: int) -> None:
    rows = list(area_table())
    core = next(row for row in rows if row.unit == "core" and row.parameters == f"{n}x{n}")
    first = next(i for i, r in enumerate(rows) if r.unit == "systolic_array" and r.parameters == f"{n}x{n}")
    units = {row.unit: row for row in rows[first : rows.index(core)]}
    control = next(row for row in rows if row.unit == "control")
    parts = [row for unit, row in units.items() if unit != "systolic_array"] + [control]
    area = area_of(n)
    assert area.logic_um2 == sum(row.um2 for row in parts)
    assert sum(part.nand2 for part in area.parts) == sum(row.nand2 for row in parts)
    assert abs(area.logic_um2 - core.um2) < len(parts)  # the table's rows are rounded
    assert um2(area, "systolic array") + um2(area, "matrix unit without PEs") == units["matrix_unit"].um2
    assert um2(area, "vector lanes") + um2(area, "vector unit without lanes") == units["vector_unit"].um2


def test_between_and_beyond_the_measured_sizes() -> None:
    four, eight, sixteen = (area_of(n) for n in (4, 8, 16))
    six = systolic_area(small_machine(rows=8, cols=4, lanes=6))
    between = (um2(four, "vector unit without lanes") + um2(eight, "vector unit without lanes")) / 2
    assert um2(six, "vector unit without lanes") == between
    assert um2(six, "systolic array") == (um2(four, "systolic array") + um2(four, "systolic array"))
    inside = (32 - 16) / (64 - 16)  # 32 PEs between 16 and 64
    edges = [um2(area, "matrix unit without PEs") for area in (four, eight)]
    assert um2(six, "matrix unit without PEs") == edges[0] + inside * (edges[1] - edges[0])
    twice = um2(sixteen, "accumulators") - um2(eight, "accumulators")
    assert um2(area_of(24), "accumulators") == um2(sixteen, "accumulators") + twice
    assert not any("last slope" in note for note in sixteen.notes)
    assert any("16 x 16" in note and "last slope" in note for note in area_of(24).notes)
    assert all(part.um2 > 0 and part.nand2 > 0 for part in area_of(1).parts)


def test_memories_are_bits_of_this_machine() -> None:
    machine = small_machine(rows=4, cols=8, lanes=2, depth_tiles=3, lines=100)
    bits = {part.name: part.memory_bits for part in systolic_area(machine).parts if part.memory_bits}
    assert bits == {
        "unified buffer": 8 * 2**18,
        "accumulators": 100 * 8 * 32,
        "weight FIFO": 3 * 4 * 8 * 16,
        "transposer": 8 * 8 * 32,
    }


def test_what_the_machine_has_not_and_what_was_not_synthesised() -> None:
    plain, other = area_of(8), area_of(8, dataflow="os", pe_latency_cycles=2)
    assert {part.name for part in plain.parts} - {part.name for part in other.parts} == {"weight FIFO"}
    assert [len(area.notes) for area in (plain, other)] == [2, 4]
    assert "further pipeline registers" in other.notes[2] and "weight-stationary" in other.notes[3]


def test_the_commands_show_it() -> None:
    machine = load_machine("edge_8x8")
    assert isinstance(machine, SystolicMachine)
    expected = systolic_area(machine).summary()
    assert expected["node_nm"] == 45 and expected["logic_um2"] > 0
    sizes = ["--hidden", "8", "--inputs", "8", "--outputs", "4", "--batch", "8", "--machine", "edge_8x8"]
    for arguments in (["machines", "edge_8x8"], ["step", *sizes]):
        assert call(*arguments, "--json").json["area"] == expected
        assert f"{expected['logic_um2'] / 1e6:.3f} mm2 of logic" in call(*arguments).out
    assert "area" not in call("machines", "p100", "--json").json
