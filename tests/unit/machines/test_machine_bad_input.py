"""Wrong machine files and overrides: each one line that names place, field, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import ConfigError
from simulator.machines.loader import load_machine, provenance

SIDE = "an integer from 1 to 4096 is allowed"
MHZ = "a number above 0 and at most 100000 is allowed"
INHERIT = 'inherit = "tpu_v2"\n'


def message(name: str, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_machine(name, overrides)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    assert caught.value.__cause__ is None
    return text


# What the file holds, and what the line must say after the file's name.
FILES = [
    ("[matrix_unit]\nrows = -4\n", f"matrix_unit.rows = -4: {SIDE}"),
    ("[matrix_unit]\nrows = 0\n", f"matrix_unit.rows = 0: {SIDE}"),
    ("[matrix_unit]\nrows = 8192\n", f"matrix_unit.rows = 8192: {SIDE}"),
    ("[matrix_unit]\nrows = 64.0\n", f"matrix_unit.rows = 64.0: {SIDE}"),
    ("[matrix_unit]\nrows = true\n", f"matrix_unit.rows = true: {SIDE}"),
    ('[matrix_unit]\nrows = "64"\n', f'matrix_unit.rows = "64": {SIDE}'),
    ("[matrix_unit]\nrows = [64]\n", f"matrix_unit.rows = an array: {SIDE}"),
    ("[matrix_unit]\nrows = 1979-05-27\n", f"matrix_unit.rows = 1979-05-27: {SIDE}"),
    ("[matrix_unit]\nweight_buffers = true\n", "matrix_unit.weight_buffers = true: 1 or 2 is allowed"),
    ("[matrix_unit]\nweight_buffers = 3\n", "matrix_unit.weight_buffers = 3: 1 or 2 is allowed"),
    ("[matrix_unit]\noverlap = 1\n", "matrix_unit.overlap = 1: true or false is allowed"),
    ('[matrix_unit]\ndataflow = "WS"\n', 'matrix_unit.dataflow = "WS": "ws", "os" or "is" is allowed'),
    ("[matrix_unit]\nrosw = 4\n", 'matrix_unit.rosw: unknown field; did you mean "rows"? (known: '),
    ("[matrx_unit]\nrows = 4\n", 'matrx_unit: unknown table; did you mean "matrix_unit"? (known: '),
    ("speed = 3\n", "speed: unknown table (known: "),
    ("hbm = 3\n", "hbm = 3: a table with bytes_per_cycle, latency_cycles, capacity_bytes is needed"),
    ("[clock]\nmhz = -700\n", f"clock.mhz = -700: {MHZ}"),
    ("[clock]\nmhz = nan\n", f"clock.mhz = nan: {MHZ}"),
    ("[clock]\nmhz = inf\n", f"clock.mhz = inf: {MHZ}"),
    ("[clock]\nmhz = true\n", f"clock.mhz = true: {MHZ}"),
    ('[clock]\nmhz = "fast"\n', f'clock.mhz = "fast": {MHZ}'),
    ("[hbm]\nbytes_per_cycle = -1\n", "hbm.bytes_per_cycle = -1: a positive number"),
    ("[hbm]\nbytes_per_cycle = nan\n", "hbm.bytes_per_cycle = nan: a positive number"),
    ('[hbm]\nbytes_per_cycle = "1/0"\n', 'hbm.bytes_per_cycle = "1/0": a positive number'),
    (
        '[hbm]\nbytes_per_cycle = "1e999999999"\n',
        'hbm.bytes_per_cycle = "1e999999999": a positive number',
    ),
    ("[hbm]\ncapacity_bytes = 1099511627776\n", "hbm.capacity_bytes = 1099511627776: an integer from 1"),
    ("[hbm]\nlatency_cycles = -1\n", "hbm.latency_cycles = -1: an integer from 0 to 1000000 is allowed"),
    (
        "[unified_buffer]\ncapacity_bytes = 1024\n",
        "unified_buffer.capacity_bytes = 1024: at least 393216 is needed (six tiles of 128 x 128 float32)",
    ),
    ('kind = "simt"\n', 'kind = "simt": it inherits "systolic"; leave kind out'),
    ('name = ""\n', 'name = "": a text is needed'),
    ("name = 3\n", "name = 3: a text is needed"),
    ('name = "two\\nlines"\n', 'name = "two\\nlines": a text is needed'),
    ("[matrix_unit]\nrows = -1\ncols = -1\n", f"matrix_unit.rows = -1: {SIDE} (and 1 more)"),
    ('[sources]\n"matrix_unit.rosw" = "x"\n', 'sources."matrix_unit.rosw": no such field; did you mean'),
    ("sources = 3\n", 'sources = 3: "unit.field" = "text" is needed'),
    ('[sources]\n"clock.mhz" = 3\n', "sources.clock.mhz = 3: a text is needed"),
]


@pytest.mark.parametrize(("text", "said"), FILES, ids=[said[:60] for _, said in FILES])
def test_wrong_field_in_a_file(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(INHERIT + text)
    assert message(str(path)).startswith(f"{path}: {said}")


def test_wrong_field_is_blamed_on_the_file_that_set_it(tmp_path: Path) -> None:
    base, leaf = tmp_path / "base.toml", tmp_path / "leaf.toml"
    base.write_text(INHERIT + "[matrix_unit]\nrows = -4\n")
    leaf.write_text('inherit = "base.toml"\n[clock]\nmhz = 5\n')
    assert message(str(leaf)).startswith(f"{base}: matrix_unit.rows = -4")


def test_missing_kind_table_and_field(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[clock]\nmhz = 5\n")
    kinds = '"systolic" or "simt" is allowed'
    assert message(str(path)) == f"{path}: kind is missing: {kinds} (or inherit from a preset)"
    path.write_text('kind = "gpu"\n')
    assert message(str(path)) == f'{path}: kind = "gpu": {kinds}'
    path.write_text('kind = "systolic"\n[technology]\nprocess_nm = 7\n[clock]\n')
    assert message(str(path)).startswith(f"{path}: clock.mhz is missing: a number above 0")
    path.write_text('kind = "systolic"\n[technology]\nprocess_nm = 7\n[clock]\nmhz = 5\n')
    assert message(str(path)).startswith(
        f"{path}: table [host_link] is missing: a table with bytes_per_cycle, "
    )
    path.write_text("")
    assert "kind is missing" in message(str(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"[clock\nmhz = 5\n",
            "not TOML: Expected ']' at the end of a table declaration (at line 1, column 7)",
        ),
        (b"kind = 'systolic'\nmhz = = 5\n", "not TOML: Invalid value (at line 2, column 7)"),
        (b"a = 1\na = 2\n", "not TOML: Cannot overwrite a value (at line 2, column 6)"),
        (b'name = "\xff"\n', "not UTF-8 at byte 8: TOML is UTF-8"),
        (b"#" * 1_000_001, "more than 1000000 bytes is no machine file: "),
        (b"a = " + b"[" * 5000, "not TOML: "),
        (b"a = 1" + b"0" * 5000, "not TOML: "),
    ],
)
def test_file_that_is_not_toml(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    assert message(str(path)).startswith(f"{path}: {said}")


def test_absent_file_directory_and_unreadable_place(tmp_path: Path) -> None:
    allowed = "a preset's name or a .toml file is allowed"
    absent = str(tmp_path / "absent.toml")
    assert message(absent) == f"{absent}: no such file: {allowed}"
    assert message(str(tmp_path)) == f"{tmp_path}: is a directory: {allowed}"
    assert message("tpu_v2.toml") == f'tpu_v2.toml: no such file: {allowed}; did you mean "tpu_v2"?'
    assert message("/dev/null").startswith("/dev/null: is not a regular file")
    file = tmp_path / "file.toml"
    file.write_text("")
    assert message(f"{file}/x.toml") == f"{file}/x.toml: cannot be read: Not a directory"
    assert message("x" * 300 + ".toml").endswith("cannot be read: File name too long")
    assert "unknown preset" in message("x" * 300)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tpu_v5", 'machine "tpu_v5": unknown preset; did you mean "tpu_v'),
        ("TPU_V2", 'machine "TPU_V2": unknown preset'),
        ("tpu-v2", 'machine "tpu-v2": unknown preset; did you mean "tpu_v2"?'),
        ("", 'machine "": a preset\'s name or a .toml file is allowed'),
        ("a\0b", 'machine "a\\x00b": a preset\'s name or a .toml file is allowed'),
        ("a\nb", 'machine "a\\nb": unknown preset'),
    ],
)
def test_unknown_preset(name: str, said: str) -> None:
    text = message(name)
    assert text.startswith(said)


def test_unknown_preset_lists_the_known_ones() -> None:
    text = message("nonsense")
    assert "(presets: a100_40, a100_40_pcie, a100_80, a100_80_pcie, edge_8x8, gtx_1080, gtx_1080_ti, " in text
    assert text.endswith("tpu_v1, tpu_v2, tpu_v3, tpu_v4, v100, v100_pcie; or give a .toml file)")


def test_wrong_inherit(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("inherit = 3\n")
    assert message(str(path)) == f"{path}: inherit = 3: a preset's name or a .toml file is allowed"
    path.write_text('inherit = "tpu_v9"\n')
    assert message(str(path)).startswith(f'{path}: inherit = "tpu_v9": machine "tpu_v9": unknown preset')
    path.write_text('inherit = "gone.toml"\n')
    assert message(str(path)).startswith(
        f'{path}: inherit = "gone.toml": {tmp_path / "gone.toml"}: no such file'
    )
    path.write_text('inherit = "mine.toml"\n')
    assert message(str(path)) == f'{path}: inherit = "mine.toml": inherits in a circle: mine -> mine'
    path.write_text('inherit = "other.toml"\n')
    (tmp_path / "other.toml").write_text('inherit = "mine.toml"\n')
    assert message(str(path)).endswith("inherits in a circle: mine -> other -> mine")


OVERRIDES = [
    ("matrix_unit.rows", "unit.field=value is needed, such as matrix_unit.rows=64"),
    ("matrix_unit.rows=", "unit.field=value is needed, such as matrix_unit.rows=64"),
    ("=64", "unit.field=value is needed, such as matrix_unit.rows=64"),
    ("matrix_unit.rosw=64", 'matrix_unit.rosw: unknown field; did you mean "rows"? (known: '),
    ("matrx_unit.rows=64", 'matrx_unit: unknown table; did you mean "matrix_unit"? (known: '),
    ("rows=64", "rows: unknown table (known: "),
    ("matrix_unit=64", "matrix_unit is a table: set one of its fields (rows, cols, "),
    ("matrix_unit.rows.x=64", "matrix_unit.rows is a field and has no fields of its own"),
    ("name.x=64", "name is a field and has no fields of its own"),
    ("kind=simt", "kind cannot be set on the command line; write a machine file"),
    ("sources.clock=x", "sources cannot be set on the command line; write a machine file"),
    ("inherit=tpu_v1", "inherit cannot be set on the command line; write a machine file"),
    ("clock.mhz=1\nhbm.x=2", "the value is neither a word nor a TOML value"),
    ('matrix_unit.dataflow="os', "the value is neither a word nor a TOML value"),
]


@pytest.mark.parametrize(("override", "said"), OVERRIDES, ids=[override for override, _ in OVERRIDES])
def test_wrong_override(override: str, said: str) -> None:
    shown = override.replace("\n", "\\n")
    assert message("tpu_v2", override).startswith(f"--set {shown}: {said}")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("matrix_unit.rows=-4", f"--set: matrix_unit.rows = -4: {SIDE}"),
        ("matrix_unit.rows=many", f'--set: matrix_unit.rows = "many": {SIDE}'),
        ("matrix_unit.rows={a=1}", f"--set: matrix_unit.rows = a table: {SIDE}"),
        ("clock.mhz=nan", f"--set: clock.mhz = nan: {MHZ}"),
        ("hbm.bytes_per_cycle=0/5", '--set: hbm.bytes_per_cycle = "0/5": a positive number'),
        ("unified_buffer.capacity_bytes=4096", "--set: unified_buffer.capacity_bytes = 4096: at least "),
    ],
)
def test_override_of_a_wrong_value(override: str, said: str) -> None:
    assert message("tpu_v2", override).startswith(said)


def test_override_that_makes_the_buffer_too_small_for_a_tile() -> None:
    assert message("edge_8x8", "matrix_unit.rows=256").startswith(
        "edge_8x8: unified_buffer.capacity_bytes = 262144: at least 1572864 is needed"
    )


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "clock.sustained_mhz=9999",
            "--set: clock.sustained_mhz = 9999: at most clock.boost_mhz = 1410 is allowed",
        ),
        ("sm.max_threads=4096", "--set: sm.max_threads = 4096: at most 32 x sm.max_warps = 2048 is allowed"),
        (
            "dram.achieved_fraction=1.5",
            "--set: dram.achieved_fraction = 1.5: a number from 0.5 to 1 is allowed",
        ),
        ("launch.device_us=-1.0", "--set: launch.device_us = -1.0: a number from 0 to 20 is allowed"),
        (
            "generation=turing",
            '--set: generation = "turing": "pascal", "volta", "ampere" or "hopper" is allowed',
        ),
        ("generation=pascal", '--set: generation = "pascal": tensor cores came with'),
        ("sm.register_file_bytes=1024", "--set: sm.register_file_bytes = 1024: too small for "),
    ],
)
def test_wrong_simt_fields(override: str, said: str) -> None:
    assert message("a100_40", override).startswith(said)


ODD_VALUES = [
    *("-1", "0", "1.5", "1e400", "1e-400", "-inf", "nan", "true", "x", "1/3", "0x7fffffffffffffff"),
    *("[]", "[[1]]", "{}", "{a=1}", "07:32:00", "1979-05-27T07:32:00Z", '""', "''"),
    *('"\\u0000"', '"\\u2028"', "9" * 30, "9" * 5000),
]


@pytest.mark.parametrize("preset", ["edge_8x8", "v100"])
def test_no_odd_value_of_any_field_ends_in_a_traceback(preset: str) -> None:
    fields = [entry.field for entry in provenance(load_machine(preset))]
    for field in [*fields, "name", "description", "generation", "nothing"]:
        for value in ODD_VALUES:
            try:
                load_machine(preset, [f"{field}={value}"])
            except ConfigError as error:
                assert "\n" not in str(error)
                assert field.split(".")[0] in str(error)
                assert len(str(error)) < 500
