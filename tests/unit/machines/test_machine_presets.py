"""Presets: all there, all load, a source beside every number, numbers that fit one another."""

from __future__ import annotations

import tomllib
from fractions import Fraction
from pathlib import Path

import pytest

from simulator.machines import loader
from simulator.machines.files import PRESETS
from simulator.machines.loader import list_presets, load_machine, provenance
from simulator.machines.simt import SimtMachine
from simulator.machines.systolic import SystolicMachine

SYSTOLIC = ["edge_8x8", "tpu_v1", "tpu_v2", "tpu_v3", "tpu_v4"]
SIMT = [
    *("a100_40", "a100_40_pcie", "a100_80", "a100_80_pcie", "gtx_1080", "gtx_1080_ti", "h100", "h200"),
    *("p100", "p100_pcie", "titan_x_pascal", "titan_xp", "v100", "v100_pcie"),
]
NAMES = SYSTOLIC + SIMT


def raw_tables(name: str) -> dict[str, dict[str, object]]:
    """A preset's own file, without what it inherits."""
    tables: dict[str, dict[str, object]] = tomllib.loads((PRESETS / f"{name}.toml").read_text())
    return tables


def test_all_presets_are_there_systolic_first() -> None:
    assert [preset.name for preset in list_presets()] == NAMES
    assert [preset.kind for preset in list_presets()] == ["systolic"] * 5 + ["simt"] * len(SIMT)
    assert all(preset.description for preset in list_presets())


@pytest.mark.parametrize("name", NAMES)
def test_preset_loads_under_its_own_name(name: str) -> None:
    machine = load_machine(name)
    assert machine.name == name
    assert isinstance(machine, SystolicMachine if name in SYSTOLIC else SimtMachine)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_meaning_and_source(name: str) -> None:
    entries = provenance(load_machine(name))
    assert [entry.field for entry in entries if not entry.source or not entry.meaning] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_number_of_a_file_has_its_source_in_the_same_file(name: str) -> None:
    tables = raw_tables(name)
    numbers = {
        f"{table}.{field}"
        for table, fields in tables.items()
        if isinstance(fields, dict) and table != "sources"
        for field in fields
    }
    assert numbers == set(tables["sources"])


@pytest.mark.parametrize("name", NAMES)
def test_sources_say_more_than_a_word_and_what_was_fitted_on_which_data(name: str) -> None:
    for key, source in raw_tables(name)["sources"].items():
        text = str(source)
        assert len(text) > 15, key
        assert "calibrated" not in text, key
        if "fitted by" in text:
            assert "fitted by python -m simulator.measured.fit on " in text and "/" in text, key


def test_no_gpu_but_those_of_the_data_has_fitted_constants_of_its_own() -> None:
    fitted = {
        name for name in SIMT for source in raw_tables(name)["sources"].values() if "fitted by" in str(source)
    }
    assert fitted == {"a100_40", "a100_80", "h100", "titan_x_pascal", "v100"}


@pytest.mark.parametrize("name", SYSTOLIC)
def test_systolic_presets_can_be_built(name: str) -> None:
    machine = load_machine(name)
    assert isinstance(machine, SystolicMachine)
    assert machine.is_power_of_two
    assert machine.line_elements == machine.matrix_unit.cols == machine.vector_unit.lanes
    assert 32 <= machine.sequencer.queue_depth <= 64


@pytest.mark.parametrize(
    ("name", "gb_per_s"),
    [("tpu_v1", 34), ("tpu_v2", 350), ("tpu_v3", 225), ("tpu_v4", 150), ("edge_8x8", 3.2)],
)
def test_memory_rates_are_exact_at_the_core_clock(name: str, gb_per_s: float) -> None:
    machine = load_machine(name)
    assert isinstance(machine, SystolicMachine)
    assert machine.hbm.bytes_per_cycle == Fraction(str(gb_per_s)) * 1000 / Fraction(str(machine.clock.mhz))


@pytest.mark.parametrize(
    ("name", "units", "tflops"),
    [("tpu_v2", 2, 46), ("tpu_v3", 4, 123), ("tpu_v4", 8, 275), ("tpu_v1", 1, 92)],
)
def test_tpu_peak_matches_the_published_chip(name: str, units: int, tflops: float) -> None:
    machine = load_machine(name)
    assert isinstance(machine, SystolicMachine)
    array = machine.matrix_unit.rows * machine.matrix_unit.cols
    assert 2 * array * machine.clock.mhz * units / 1e6 == pytest.approx(tflops, rel=0.01)


@pytest.mark.parametrize(
    ("name", "dtype", "mhz", "tflops"),
    [
        ("p100", "float32", 1480, 10.6),
        ("v100", "float32", 1530, 15.7),
        ("v100", "float16", 1530, 125),
        ("a100_40", "float32", 1410, 19.5),
        ("a100_80", "bfloat16", 1410, 312),
        ("a100_40", "int8", 1410, 624),
        ("h100", "float32", 1980, 66.9),
        ("h100", "bfloat16", 1830, 989.4),
        ("h200", "int8", 1830, 1978.9),
    ],
)
def test_gpu_peak_matches_the_datasheet(name: str, dtype: str, mhz: float, tflops: float) -> None:
    machine = load_machine(name)
    assert isinstance(machine, SimtMachine)
    peak = 2 * machine.peak_macs_per_cycle(dtype) * mhz / 1e6
    assert peak == pytest.approx(tflops, rel=0.01)


def test_tensor_cores_came_with_volta_and_bfloat16_with_ampere() -> None:
    p100, v100 = load_machine("p100"), load_machine("v100")
    assert isinstance(p100, SimtMachine)
    assert isinstance(v100, SimtMachine)
    assert p100.tensor_macs_per_cycle("float16") == 0
    assert v100.tensor_macs_per_cycle("float16") > 0 == v100.tensor_macs_per_cycle("bfloat16")


def test_h200_is_an_h100_with_other_memory() -> None:
    h100, h200 = load_machine("h100"), load_machine("h200")
    assert isinstance(h100, SimtMachine)
    assert isinstance(h200, SimtMachine)
    assert h100.sm == h200.sm
    assert h200.dram.gb_per_s == 4800


def test_presets_lie_beside_the_loader() -> None:
    assert Path(loader.__file__).parent / "presets" == PRESETS
