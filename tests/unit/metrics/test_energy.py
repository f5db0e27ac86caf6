"""Energy by hand, and the rules for reading the table."""

from __future__ import annotations

from types import ModuleType

import pytest

from simulator.energy import (
    energy_table,
    nearest_node,
    simt_energy,
    sram_class,
    systolic_energy,
    total_energy,
)
from simulator.errors import ConfigError
from simulator.metrics import Counters


def test_every_entry_has_a_source_and_a_sane_range() -> None:
    for entry in energy_table().values():
        assert entry.source and entry.status
        assert 0 < entry.low_pj <= entry.high_pj
    assert (energy_table()["HBM2_64b", 7].low_pj, energy_table()["HBM2_64b", 7].high_pj) == (250, 450)


@pytest.mark.parametrize(
    ("process_nm", "node"), [(3, 7), (7, 7), (12, 7), (16, 7), (18, 45), (28, 45), (45, 45), (90, 45)]
)
def test_the_nearest_node_by_ratio(process_nm: float, node: int) -> None:
    assert nearest_node(process_nm) == node


@pytest.mark.parametrize(
    ("capacity", "name", "bounded"),
    [
        (1, "sram_8KB_64b", False), (8 << 10, "sram_8KB_64b", False), ((8 << 10) + 1, "sram_32KB_64b", False),
        (1 << 20, "sram_1MB_64b", False), ((1 << 20) + 1, "sram_1MB_64b", True),
    ],
)  # fmt: skip
def test_the_capacity_class(capacity: int, name: str, bounded: bool) -> None:
    assert sram_class(capacity) == (name, bounded)


def by_name(energy: object) -> dict[str, tuple[float, float]]:
    return {part.name: (part.low_pj, part.high_pj) for part in energy.components}


def test_systolic_energy_by_hand_at_7_nm(synthetic: ModuleType) -> None:
    machine = synthetic.machine(8)  # 256 KiB buffer, 16 KiB of accumulators, 512 B FIFO
    counters = Counters(
        macs_useful=90,
        macs_executed={"bfloat16": 100},
        accumulator_adds={"bfloat16": 10},
        vector_elements={"add": 4, "multiply": 5, "exp": 2, "divide": 1, "copy": 1000, "add.int32": 3},
        buffer_read_bytes={"dma": 80},
        buffer_written_bytes={"dma": 160},
        accumulator_read_bytes=16,
        accumulator_written_bytes=48,
        weight_fifo_bytes=32,
        hbm_read_bytes=40,
        hbm_written_bytes=24,
        host_read_bytes=16,
    )
    energy = systolic_energy(machine, counters)
    parts = by_name(energy)
    assert energy.node_nm == 7
    assert parts["matrix unit"] == pytest.approx((100 * (0.21 + 0.38),) * 2)
    vector = (4 + 2 * 7 + 14) * 0.38 + (5 + 2 * 9) * 1.31 + 3 * 0.03 + 2 * 4 / 8 * 7.5  # divide: 14 cycles
    assert parts["vector unit"] == pytest.approx((vector, vector))
    assert parts["unified buffer"] == pytest.approx((30 * 14,) * 2)
    assert parts["accumulators"] == pytest.approx((8 * 8.5 + 10 * 0.38,) * 2)
    assert parts["weight FIFO"] == pytest.approx((8 * 7.5,) * 2)
    assert parts["HBM"] == pytest.approx((8 * 250, 8 * 450))
    assert parts["host memory"] == pytest.approx((2 * 1300,) * 2)
    assert energy.high_pj - energy.low_pj == pytest.approx(8 * 200)
    assert energy.energy_pj == pytest.approx((energy.low_pj + energy.high_pj) / 2)


def test_at_45_nm_fp16_stands_in_for_bfloat16_and_int8_is_its_own(synthetic: ModuleType) -> None:
    machine = synthetic.machine(8, technology={"process_nm": 28})
    energy = systolic_energy(machine, Counters(macs_executed={"bfloat16": 10, "int8": 10}, hbm_read_bytes=8))
    parts = by_name(energy)
    assert energy.node_nm == 45
    assert parts["matrix unit"][0] == pytest.approx(10 * (1.1 + 0.9) + 10 * (0.2 + 0.1))
    assert parts["HBM"] == pytest.approx((1300, 2600))


def test_large_memories_are_marked_as_a_lower_bound(synthetic: ModuleType) -> None:
    machine = synthetic.machine(8, unified_buffer={"capacity_bytes": 24 << 20})
    energy = systolic_energy(machine, Counters(buffer_read_bytes={"dma": 8}))
    assert [part.name for part in energy.components if part.lower_bound] == ["unified buffer"]
    assert any("unified buffer" in note and "Lower bound" in note for note in energy.notes)
    assert "leakage" in energy.notes[0]


def test_totals_scale_and_add(synthetic: ModuleType) -> None:
    machine = synthetic.machine(8)
    one = systolic_energy(machine, Counters(macs_executed={"bfloat16": 10}, hbm_read_bytes=80))
    two = systolic_energy(machine, Counters(macs_executed={"bfloat16": 30}, host_read_bytes=8))
    total = total_energy([(one, 3), (two, 2)])
    assert total.energy_pj == pytest.approx(3 * one.energy_pj + 2 * two.energy_pj)
    assert total.low_pj == pytest.approx(3 * one.low_pj + 2 * two.low_pj)
    assert one.times(3).energy_pj == pytest.approx(3 * one.energy_pj)
    assert [part.name for part in total.components] == [part.name for part in one.components]


def test_simt_energy_uses_the_same_table() -> None:
    energy = simt_energy(
        5, {"bfloat16": 100, "float32": 10}, dram_bytes=80, l2_bytes=160, l2_capacity_bytes=50 << 20,
        host_bytes=8, adds=7, multiplications=3,
    )  # fmt: skip
    parts = by_name(energy)
    assert parts["tensor cores"][0] == pytest.approx(100 * (0.21 + 0.38) + 10 * (1.31 + 0.38))
    assert parts["vector lanes"][0] == pytest.approx(7 * 0.38 + 3 * 1.31)
    assert parts["L2"] == pytest.approx((20 * 14,) * 2)
    assert parts["HBM"] == pytest.approx((2500, 4500))
    assert parts["host memory"][0] == pytest.approx(1300)
    assert any("L2" in note for note in energy.notes[1:])
    with pytest.raises(ConfigError, match="float8"):
        simt_energy(5, {"float8": 1}, dram_bytes=0, l2_bytes=0)


def test_the_summary_adds_up(synthetic: ModuleType) -> None:
    energy = systolic_energy(
        synthetic.machine(8), Counters(macs_executed={"bfloat16": 10}, hbm_read_bytes=80)
    )
    summary = energy.summary()
    parts = summary["components"].values()
    assert sum(part["energy_pj"] for part in parts) == pytest.approx(summary["energy_pj"])
    assert summary["components"]["HBM"]["uses"] == {"HBM2_64b": 10.0}
