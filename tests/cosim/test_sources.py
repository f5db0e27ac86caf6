"""The generated package is current, and the RTL is clean under Verilator's -Wall."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from simulator.cosim import generate
from simulator.cosim.build import PACKAGES, SOURCES, find_verilator
from simulator.validate import MAX_OUTSTANDING_TOKENS

VARIANTS = {
    "defaults": {},
    "output-stationary": {"OUTPUT_STATIONARY": 1, "PE_LATENCY": 3, "UB_LATENCY": 2, "ADDER_LATENCY": 3},
    "one row": {"ROWS": 1, "COLS": 4, "LANES": 2, "LINE": 4, "HOP_H": 2, "HOP_V": 3, "DMA_PORTS": 1},
    "one element": {"ROWS": 1, "COLS": 1, "LANES": 1, "LINE": 1},
    "PE instances": {"PE_INSTANCES": 1, "PE_LATENCY": 2},
    "output-stationary PE instances": {"OUTPUT_STATIONARY": 1, "PE_INSTANCES": 1, "PE_LATENCY": 2},
}


def test_the_package_is_what_the_instruction_set_says() -> None:
    assert generate.PACKAGE.read_text() == generate.package_text()


def test_a_token_counter_holds_what_a_valid_program_has() -> None:
    bits = re.search(r"COUNTER_BITS = (\d+)", (SOURCES / "token_counters.sv").read_text())
    assert bits and 2 ** int(bits[1]) - 1 == MAX_OUTSTANDING_TOKENS


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_lint(variant: dict[str, int]) -> None:
    verilator = find_verilator()
    command = [
        str(verilator.binary), "--lint-only", "-Wall", "--no-timing", "--top-module", "harness",
        *(f"-G{name}={value}" for name, value in variant.items()),
        "-y", str(SOURCES), *(str(SOURCES / name) for name in (*PACKAGES, "harness.sv")),
    ]  # fmt: skip
    environment = {**os.environ, "VERILATOR_ROOT": str(verilator.include.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr[-3000:]
