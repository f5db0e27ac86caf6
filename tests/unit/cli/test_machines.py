"""``pulsetrain machines``: every preset, and a source for every number."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import call

SYSTOLIC = ("edge_8x8", "tpu_v1", "tpu_v2", "tpu_v3", "tpu_v4")
SIMT = (
    *("p100", "v100", "a100_40", "a100_80", "h100", "h200"),
    *("p100_pcie", "v100_pcie", "a100_40_pcie", "a100_80_pcie"),
    *("gtx_1080", "gtx_1080_ti", "titan_x_pascal", "titan_xp"),
)


def numbers(description: dict[str, Any]) -> dict[str, Any]:
    """``unit.field`` -> value of a machine file."""
    return {
        f"{table}.{field}": value
        for table, fields in description.items()
        if isinstance(fields, dict) and table != "sources"
        for field, value in fields.items()
    }


def preset(name: str) -> dict[str, Any]:
    """The file itself, without what it inherits."""
    text = resources.files("simulator.machines").joinpath("presets", f"{name}.toml").read_text()
    return tomllib.loads(text)


def test_list() -> None:
    outcome = call("machines", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    kinds = {machine["name"]: machine["kind"] for machine in outcome.json["machines"]}
    assert kinds == dict.fromkeys(SYSTOLIC, "systolic") | dict.fromkeys(SIMT, "simt")
    text = call("machines").out
    assert len(text.splitlines()) == len(kinds)
    for machine in outcome.json["machines"]:
        assert machine["description"] and machine["description"] in text


@pytest.mark.parametrize("name", [*SYSTOLIC, *SIMT])
def test_every_number_has_a_source(name: str) -> None:
    outcome = call("machines", name, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    area = {"area"} if name in SYSTOLIC else set()
    assert outcome.json.keys() == {"machine", "kind", "description", "fields"} | area
    fields = {field["field"]: field for field in outcome.json["fields"]}
    assert len(fields) == len(outcome.json["fields"])
    for field in fields.values():
        assert len(field["source"]) > 10, field
        assert field["meaning"], field
    written = numbers(preset(name))
    assert fields.keys() >= written.keys()
    text = call("machines", name).out
    assert text.count("    source: ") == len(fields)
    for field in fields.values():
        assert f"{field['field']} = {field['value']}" in text and field["source"] in text


def test_own_file_and_override(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('inherit = "tpu_v2"\nname = "mine"\n[matrix_unit]\nrows = 64\n')
    outcome = call("machines", str(mine), "--set", "matrix_unit.cols=32", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    fields = {field["field"]: field for field in outcome.json["fields"]}
    inherited = {field["field"]: field for field in call("machines", "tpu_v2", "--json").json["fields"]}
    assert outcome.json["machine"] == "mine"
    assert (fields["matrix_unit.rows"]["value"], fields["matrix_unit.cols"]["value"]) == (64, 32)
    for name, field in fields.items():
        assert field["source"]
        changed = name in ("matrix_unit.rows", "matrix_unit.cols")
        assert (field["source"] != inherited[name]["source"]) == changed
