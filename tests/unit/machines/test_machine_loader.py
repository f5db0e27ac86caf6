"""Machine files: inheritance, merging of tables, overrides, provenance."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from simulator.machines.loader import load_machine, provenance
from simulator.machines.provenance import unit_of
from simulator.machines.simt import SimtMachine
from simulator.machines.systolic import SystolicMachine


def systolic(name: str, *overrides: str) -> SystolicMachine:
    machine = load_machine(name, overrides)
    assert isinstance(machine, SystolicMachine)
    return machine


def write(folder: Path, text: str, name: str = "mine.toml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def source(machine: SystolicMachine | SimtMachine, field: str) -> str:
    return next(entry.source for entry in provenance(machine) if entry.field == field)


def test_file_inherits_and_overrides_single_fields(tmp_path: Path) -> None:
    path = write(tmp_path, 'inherit = "tpu_v2"\n[matrix_unit]\nrows = 64\n')
    machine, base = systolic(path), systolic("tpu_v2")
    assert machine.matrix_unit.rows == 64
    assert machine.matrix_unit.cols == base.matrix_unit.cols
    assert machine.hbm == base.hbm
    assert machine.name == "mine"


def test_inherited_path_is_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, 'inherit = "edge_8x8"\n[clock]\nmhz = 123\n', "base.toml")
    path = write(tmp_path / "sub", 'inherit = "../base.toml"\nname = "leaf"\n[hbm]\nlatency_cycles = 7\n')
    machine = systolic(path)
    assert (machine.name, machine.clock.mhz, machine.hbm.latency_cycles) == ("leaf", 123, 7)


def test_full_file_without_inheritance(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "simulator/machines/presets/edge_8x8.toml").read_text()
    machine = systolic(write(tmp_path, text.split("[sources]")[0]))
    assert machine.matrix_unit.rows == 8
    assert {entry.source for entry in provenance(machine)} == {str(tmp_path / "mine.toml")}


def test_file_without_toml_suffix(tmp_path: Path) -> None:
    assert systolic(write(tmp_path, 'inherit = "tpu_v2"\n', "machine.txt")).name == "machine"


def test_loading_twice_gives_equal_machines() -> None:
    assert load_machine("h100") == load_machine("h100")
    assert hash(load_machine("h100")) == hash(load_machine("h100"))


@pytest.mark.parametrize(
    ("override", "unit", "field", "value"),
    [
        ("matrix_unit.rows=64", "matrix_unit", "rows", 64),
        (" matrix_unit.rows = 64 ", "matrix_unit", "rows", 64),
        ("matrix_unit.dataflow=os", "matrix_unit", "dataflow", "os"),
        ('matrix_unit.dataflow="is"', "matrix_unit", "dataflow", "is"),
        ("matrix_unit.overlap=false", "matrix_unit", "overlap", False),
        ("matrix_unit.weight_buffers=1", "matrix_unit", "weight_buffers", 1),
        ("hbm.bytes_per_cycle=1000/7", "hbm", "bytes_per_cycle", Fraction(1000, 7)),
        ('hbm.bytes_per_cycle="64/5"', "hbm", "bytes_per_cycle", Fraction(64, 5)),
        ("hbm.bytes_per_cycle=12.5", "hbm", "bytes_per_cycle", Fraction(25, 2)),
        ("clock.mhz=700.5", "clock", "mhz", 700.5),
        ("clock.mhz=1_000", "clock", "mhz", 1000),
        ("hbm.capacity_bytes=0x1000000", "hbm", "capacity_bytes", 2**24),
    ],
)
def test_override_is_a_toml_value_or_a_bare_word(override: str, unit: str, field: str, value: object) -> None:
    assert getattr(getattr(systolic("tpu_v2", override), unit), field) == value


def test_last_override_wins_and_top_level_fields_can_be_set() -> None:
    machine = systolic("tpu_v2", "clock.mhz=1", "clock.mhz=2", "name=other core")
    assert (machine.clock.mhz, machine.name) == (2, "other core")


def test_overrides_come_after_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'inherit = "tpu_v2"\n[clock]\nmhz = 5\n')
    assert systolic(path, "clock.mhz=6").clock.mhz == 6


def test_sources_follow_the_last_writer(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        'inherit = "tpu_v2"\n[clock]\nmhz = 5\n[hbm]\nlatency_cycles = 9\n'
        '[sources]\n"clock.mhz" = "my data sheet"\n',
    )
    machine = systolic(path, "matrix_unit.rows=64")
    assert source(machine, "clock.mhz") == "my data sheet"
    assert source(machine, "hbm.latency_cycles") == path
    assert source(machine, "matrix_unit.rows") == "command line"
    assert source(machine, "matrix_unit.cols") == source(systolic("tpu_v2"), "matrix_unit.cols")


def test_sources_may_be_nested_tables(tmp_path: Path) -> None:
    path = write(tmp_path, 'inherit = "tpu_v2"\n[clock]\nmhz = 5\n[sources.clock]\nmhz = "my data sheet"\n')
    assert source(systolic(path), "clock.mhz") == "my data sheet"


def test_file_of_a_file_keeps_the_sources_of_the_one_in_between(tmp_path: Path) -> None:
    base = write(tmp_path, 'inherit = "edge_8x8"\n[clock]\nmhz = 123\n', "base.toml")
    path = write(tmp_path, 'inherit = "base.toml"\n')
    assert source(systolic(path), "clock.mhz") == base


def test_provenance_lists_every_field_with_unit_and_meaning() -> None:
    entries = {entry.field: entry for entry in provenance(load_machine("tpu_v2"))}
    rate = entries["hbm.bytes_per_cycle"]
    assert (rate.value, rate.unit) == (Fraction(500), "bytes/cycle")
    assert entries["clock.mhz"].unit == "MHz"
    assert entries["matrix_unit.rows"].unit == ""
    assert "k" in entries["matrix_unit.rows"].meaning
    assert len(entries) == 26


@pytest.mark.parametrize(
    ("field", "unit"),
    [
        ("latency_cycles", "cycles"),
        ("capacity_bytes", "bytes"),
        ("bytes_per_cycle_per_sm", "bytes/cycle"),
        ("sustained_mhz", "MHz"),
        ("gb_per_s", "GB/s"),
        ("device_us", "us"),
        ("process_nm", "nm"),
        ("bf16_macs_per_cycle", "MACs/cycle"),
        ("depth_tiles", "tiles"),
        ("lanes", ""),
        ("status", ""),
    ],
)
def test_unit_is_read_from_the_name(field: str, unit: str) -> None:
    assert unit_of(field) == unit
