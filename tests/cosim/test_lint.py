"""Verilator's lint is clean under -Wall: every module by itself, and the core in its forms."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from simulator.cosim.build import PACKAGES, SOURCES, find_verilator

# (rule, file, reason). Waivers of single lines stand in the sources, with their reasons.
WAIVERS = (("UNUSEDPARAM", "*/systolic_pkg.sv", "the list of seeded faults: no module has all of them"),)
CORES: tuple[Mapping[str, int], ...] = (
    {"ROWS": 1, "COLS": 1, "LANES": 1, "LINE": 1},
    {"ROWS": 1, "COLS": 4, "LANES": 2, "LINE": 4},
    {"PE_INSTANCES": 1, "PE_LATENCY": 3, "HOP_H": 2, "HOP_V": 2, "ADDER_LATENCY": 3, "UB_LATENCY": 2},
    {"OUTPUT_STATIONARY": 1},
    {"OUTPUT_STATIONARY": 1, "PE_INSTANCES": 1, "PE_LATENCY": 3},
    {"OUTPUT_STATIONARY": 1, "ROWS": 4, "COLS": 1, "LANES": 4, "LINE": 4, "PE_LATENCY": 2, "HOP_V": 2},
    {"ROWS": 4, "COLS": 4, "LANES": 4, "LINE": 4, "FIFO_DEPTH": 1, "QUEUE_DEPTH": 1, "DMA_PORTS": 1},
)
MODULES = sorted(path.stem for path in SOURCES.glob("*.sv") if path.name not in PACKAGES)


def lint(
    top: str, parameters: Mapping[str, int], folder: Path, *sources: Path
) -> subprocess.CompletedProcess[str]:
    """Verilator's lint of a module; any warning makes it fail."""
    verilator = find_verilator()
    rules = [f'lint_off -rule {rule} -file "{file}"\n' for rule, file, _ in WAIVERS]
    waivers = folder / "waivers.vlt"
    waivers.write_text("`verilator_config\n" + "".join(rules))
    files = [waivers, *(SOURCES / name for name in PACKAGES), *(sources or [SOURCES / f"{top}.sv"])]
    values = [f"-G{name}={value}" for name, value in parameters.items()]
    return subprocess.run(
        [
            str(verilator.binary), "--lint-only", "-Wall", "--no-std", "--top-module", top, *values,
            "-y", str(SOURCES), *map(str, files),
        ],
        env={**os.environ, "VERILATOR_ROOT": str(verilator.include.parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("module", MODULES)
def test_module_is_clean(module: str, tmp_path: Path) -> None:
    done = lint(module, {}, tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.parametrize("parameters", CORES, ids=lambda core: "-".join(f"{k}={v}" for k, v in core.items()))
def test_core_is_clean(parameters: Mapping[str, int], tmp_path: Path) -> None:
    done = lint("tpu_top", parameters, tmp_path)
    assert done.returncode == 0 and not done.stderr, done.stderr


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("logic [1:0] a;\n  assign a = d_i;\n  assign q_o = ^a;", "WIDTHEXPAND"),
        ("logic a;\n  assign q_o = d_i;", "UNUSEDSIGNAL"),
        ("always_comb if (d_i) q_o = 1'b1;", "LATCH"),
        ("assign q_o = ~q_o & d_i;", "UNOPTFLAT"),
    ],
)
def test_a_fault_is_found(body: str, rule: str, tmp_path: Path) -> None:
    source = tmp_path / "faulty.sv"
    source.write_text(f"module faulty (\n  input logic d_i,\n  output logic q_o\n);\n  {body}\nendmodule\n")
    done = lint("faulty", {}, tmp_path, source)
    assert done.returncode and f"-{rule}:" in done.stderr, done.stderr


def test_every_waiver_in_the_sources_has_a_reason() -> None:
    missing = []
    for source in sorted(SOURCES.glob("*.sv")):
        lines = source.read_text().splitlines()
        for at, line in enumerate(lines):
            if "verilator lint_off" not in line:
                continue
            above = at - 1
            while above > 0 and "verilator lint_off" in lines[above]:
                above -= 1
            if "*/  //" not in line and not lines[above].lstrip().startswith("//"):
                missing.append(f"{source.name}:{at + 1}: {line.strip()}")
    assert not missing, "\n".join(missing)
