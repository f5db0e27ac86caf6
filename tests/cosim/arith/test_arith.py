"""Every arithmetic unit in RTL against other arithmetic: the processor's, exact fractions, NumPy."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from simulator.isa import Function
from simulator.reference import table_unit
from tests.cosim.arith import exact
from tests.cosim.arith.verilated import ARITHMETIC, ROOT, build

HERE = Path(__file__).parent
FMA = 31
DIVIDE_CYCLES, SQRT_CYCLES, TABLE_CYCLES = 28, 28, 14

Words = npt.NDArray[np.uint32]

OPERATIONS = {
    "fma": FMA,
    "add": Function.ADD,
    "multiply": Function.MULTIPLY,
    "divide": Function.DIVIDE,
    "sqrt": Function.SQRT,
    "maximum": Function.MAXIMUM,
    "minimum": Function.MINIMUM,
    "equal": Function.EQUAL,
    "unordered": Function.NOT_EQUAL,
    "less": Function.LESS,
    "less_equal": Function.LESS_EQUAL,
    "to_bfloat16": Function.TO_BFLOAT16,
    "float32_from_int32": Function.FLOAT32_FROM_INT32,
    "float32_from_int8": Function.FLOAT32_FROM_INT8,
    "int32_from_float32": Function.INT32_FROM_FLOAT32,
    "int32_from_int8": Function.INT32_FROM_INT8,
}
TABLES = {"exp": Function.EXP, "log": Function.LOG, "tanh": Function.TANH}


class Outcome(NamedTuple):
    """What the bench found."""

    vectors: int
    mismatches: int
    latency: int
    text: str


@pytest.fixture(scope="session")
def bench() -> Path:
    """The compiled bench."""
    sources = [*ARITHMETIC, HERE / "arith_bench.sv"]
    cycles = {"DIVIDE_CYCLES": DIVIDE_CYCLES, "SQRT_CYCLES": SQRT_CYCLES, "TABLE_CYCLES": TABLE_CYCLES}
    return build("arith_bench", sources, HERE / "arith_bench.cpp", cycles)


def run(*command: object) -> Outcome:
    """Runs the bench and reads its last line."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    found = re.search(r"vectors (\d+) mismatches (\d+) latency (-?\d+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    vectors, mismatches, latency = (int(group) for group in found.groups())
    return Outcome(vectors, mismatches, latency, done.stdout)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_million_vectors_against_the_processor(bench: Path, name: str) -> None:
    outcome = run(bench, "random", int(OPERATIONS[name]), 1_000_000, 20261120, 0)
    assert outcome.vectors > 1_000_000
    assert outcome.mismatches == 0, outcome.text
    assert outcome.latency == {"divide": DIVIDE_CYCLES, "sqrt": SQRT_CYCLES}.get(name, -1)


def _words(rng: np.random.Generator, n: int) -> Words:
    """Float32 bits: any exponent, near one, at both ends of the range; full and sparse significands."""
    sign = rng.integers(0, 2, n) << 31
    exponent = rng.integers(0, 256, n)
    exponent = np.where(rng.random(n) < 0.5, rng.integers(100, 154, n), exponent)
    exponent = np.where(rng.random(n) < 0.2, rng.integers(0, 3, n), exponent)
    exponent = np.where(rng.random(n) < 0.1, rng.integers(253, 256, n), exponent)
    fraction = rng.integers(0, 1 << 23, n)
    sparse = rng.random(n)
    fraction = np.where(sparse < 0.3, fraction & -(1 << 18), fraction)
    fraction = np.where(sparse > 0.8, fraction & 3, fraction)
    return (sign | exponent << 23 | fraction).astype(np.uint32)


EXACT: dict[str, tuple[int, Callable[..., int]]] = {
    "fma": (3, lambda a, b, c: exact.fma(a << 16, b << 16, c)),
    "add": (2, exact.add),
    "multiply": (2, exact.multiply),
    "divide": (2, exact.divide),
    "sqrt": (1, exact.sqrt),
    "to_bfloat16": (1, exact.to_bfloat16),
    "float32_from_int32": (1, exact.from_int32),
    "int32_from_float32": (1, exact.to_int32),
}


@pytest.mark.parametrize("name", EXACT)
def test_against_exact_fractions(bench: Path, tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(7)
    n = 3000
    operands = np.stack([_words(rng, n) for _ in range(3)])
    operands[1, : n // 4] = operands[0, : n // 4] ^ rng.choice([0, 1, 2, 1 << 31], n // 4).astype(np.uint32)
    count, function = EXACT[name]
    if name == "fma":
        operands[:2] >>= 16
    records = np.zeros((n, 6), np.uint32)
    records[:, 0] = OPERATIONS[name]
    records[:, 2:5] = operands.T
    records[:, 5] = [function(*row) for row in operands[:count].T.tolist()]
    outcome = _from_file(bench, tmp_path, records)
    assert (outcome.vectors, outcome.mismatches) == (n, 0), outcome.text


def _from_file(bench: Path, folder: Path, records: Words, mutant: int = 0) -> Outcome:
    path = folder / "vectors.bin"
    records.tofile(path)
    return run(bench, "file", path, mutant)


def _table_vectors(name: str, n: int) -> Words:
    """Arguments and results by the NumPy reference."""
    rng = np.random.default_rng(len(name))
    edges = (1, 1.5, 0.75, 9.25, -9.25, 2**-12, -(2**-12), 88.72283, -103.972084, -87.33655, np.inf)
    tiny = rng.uniform(-10, 10, n // 4) * 2.0 ** rng.integers(-20, 2, n // 4)
    x = np.concatenate(
        [
            _words(rng, n // 4),
            rng.integers(0, 1 << 32, n // 4, dtype=np.uint64).astype(np.uint32),
            rng.uniform(-105, 90, n // 4).astype(np.float32).view(np.uint32),
            tiny.astype(np.float32).view(np.uint32),
            np.arange(-1000, 1000, dtype=np.int64).astype(np.uint32),  # around zero: subnormals, NaNs
            *(
                (int(np.float32(edge).view(np.uint32)) + np.arange(-200, 200)).astype(np.uint32)
                for edge in edges
            ),
        ]
    )
    with np.errstate(all="ignore"):
        y = np.asarray(getattr(table_unit, name)(x.view(np.float32)), np.float32)
    records = np.zeros((len(x), 6), np.uint32)
    records[:, 0] = TABLES[name]
    records[:, 2] = x
    records[:, 5] = np.where(np.isnan(y), np.uint32(exact.NAN), y.view(np.uint32))
    return records


@pytest.mark.parametrize("name", TABLES)
def test_a_million_table_values_against_the_reference(bench: Path, tmp_path: Path, name: str) -> None:
    outcome = _from_file(bench, tmp_path, _table_vectors(name, 1_000_000))
    assert outcome.vectors > 1_000_000
    assert outcome.mismatches == 0, outcome.text
    assert outcome.latency == TABLE_CYCLES


MUTANTS = {
    1: "fma", 2: "fma", 3: "add", 4: "divide", 8: "multiply", 9: "exp", 10: "int32_from_float32",
    11: "minimum", 15: "divide",
}  # fmt: skip
"""Seeded faults of the arithmetic (``fp32_pkg::mutant_e``) and an operation that shows each."""


@pytest.mark.parametrize("mutant", MUTANTS)
def test_seeded_faults_are_caught(bench: Path, tmp_path: Path, mutant: int) -> None:
    name = MUTANTS[mutant]

    def mismatches(number: int) -> int:
        if name in TABLES:
            return _from_file(bench, tmp_path, _table_vectors(name, 4000), number).mismatches
        return run(bench, "random", int(OPERATIONS[name]), 20_000, 3, number).mismatches

    assert mismatches(0) == 0
    assert mismatches(mutant) > 0


def test_table_package_is_what_its_generator_writes() -> None:
    command = [sys.executable, "-m", "simulator.cosim.generate_tables", "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
