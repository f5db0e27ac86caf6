"""Vector unit and transposer in RTL: values as the interpreter's, cycles as ``simulator.timing``'s."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from simulator import isa
from simulator.isa import Function, Opcode
from simulator.machines.systolic import SystolicMachine
from tests.cosim.arith.verilated import ARITHMETIC, VECTOR, BuildError, build
from tests.cosim.vector.programs import Case, make_case
from tests.support.machines import small_machine

HERE = Path(__file__).parent
PROGRAM = 2048
BUFFER_GRANULES, ACCUMULATOR_LINES = 1024, 32


class Shape(NamedTuple):
    """What is compiled in."""

    lanes: int
    line: int
    ub: int
    alu: int
    divide: int
    sqrt: int
    table: int

    def machine(self) -> SystolicMachine:
        """The machine of these numbers."""
        return small_machine(
            rows=self.line,
            cols=1,
            unified_buffer={"capacity_bytes": BUFFER_GRANULES * self.line, "read_latency_cycles": self.ub},
            accumulators={"lines": ACCUMULATOR_LINES},
            vector_unit={
                "lanes": self.lanes,
                "alu_latency_cycles": self.alu,
                "divide_cycles": self.divide,
                "sqrt_cycles": self.sqrt,
                "table_cycles": self.table,
            },
        )


SHAPES = [
    Shape(lanes=4, line=4, ub=1, alu=1, divide=26, sqrt=25, table=14),  # one beat, all short
    Shape(lanes=2, line=8, ub=2, alu=2, divide=28, sqrt=28, table=36),  # more beats than the adder's latency
    Shape(lanes=1, line=2, ub=1, alu=6, divide=1, sqrt=2, table=20),  # fewer
    Shape(lanes=1, line=1, ub=4, alu=3, divide=9, sqrt=7, table=15),  # the smallest machine
]


SOURCES = [*ARITHMETIC, *VECTOR, HERE / "vector_bench.sv"]


def _parameters(shape: Shape) -> dict[str, int]:
    return {
        "LANES": shape.lanes,
        "LINE": shape.line,
        "UB_LATENCY": shape.ub,
        "ALU_LATENCY": shape.alu,
        "DIVIDE_CYCLES": shape.divide,
        "SQRT_CYCLES": shape.sqrt,
        "TABLE_CYCLES": shape.table,
        "GRANULES": BUFFER_GRANULES,
        "ACC_LINES": ACCUMULATOR_LINES,
        "PROGRAM": PROGRAM,
    }


@cache
def bench(shape: Shape) -> Path:
    """The compiled bench."""
    return build("vector_bench", SOURCES, HERE / "vector_bench.cpp", _parameters(shape))


class Observed(NamedTuple):
    """What the RTL did."""

    buffer: npt.NDArray[np.uint8]
    hashes: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


def _write_hex(path: Path, words: npt.NDArray[np.uint8] | npt.NDArray[np.uint32], digits: int) -> None:
    path.write_text("\n".join(f"{int(word):0{digits}x}" for word in words))


def run(program: Path, folder: Path, case: Case, mutant: int = 0, reset: int = -1) -> Observed:
    """Runs a case on the RTL; ``reset`` is the cycle of a second reset, after which it begins anew."""
    n = len(case.records)
    code = isa.encode(case.records)
    lines = []
    for i in range(n):
        word = int.from_bytes(code[32 * i : 32 * i + 32], "little") | int(case.gaps[i]) << 242
        lines.append(f"{word:064x}")
    (folder / "program.hex").write_text("\n".join(lines))
    _write_hex(folder / "buffer.hex", case.buffer, 2)
    _write_hex(folder / "accumulators.hex", case.accumulators, 8)
    (folder / "result.hex").unlink(missing_ok=True)
    arguments = {name: folder / f"{name}.hex" for name in ("program", "buffer", "accumulators", "result")}
    command = [str(program), *(f"+{name}={path}" for name, path in arguments.items())]
    command += [f"+length={n}", f"+mutant={mutant}"] + ([f"+reset={reset}"] if reset >= 0 else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    times = {kind: np.full(n, -1, np.int64) for kind in "SEH"}
    _, _, log = done.stdout.rpartition("R\n")
    for line in log.splitlines():
        kind, *numbers = line.split()
        if kind in times:
            index, cycle = map(int, numbers)
            times[kind][index] = cycle
    lines = [line for line in (folder / "result.hex").read_text().splitlines() if not line.startswith("//")]
    buffer = np.array([int(word, 16) for line in lines for word in line.split()], np.uint8)
    first = times["S"][0]
    return Observed(buffer, times["H"], times["S"] - first, times["E"] - first)


def differences(case: Case, seen: Observed) -> str:
    """The first instruction with other cycles or other results, or nothing."""
    cycles = (seen.start != case.start) | (seen.end != case.end)
    values = seen.hashes != case.hashes
    wrong = np.flatnonzero(cycles | values)
    if len(wrong):
        i = int(wrong[0])
        record = case.records[i]
        name = Function(record["function"]).name if record["opcode"] == Opcode.VEC else "TRANSPOSE"
        what = "other cycles" if cycles[i] else "other values"
        return (
            f"{len(wrong)} of {len(case.records)} instructions, first {i} ({name}, {what}): "
            f"rtl [{seen.start[i]}, {seen.end[i]}), expected [{case.start[i]}, {case.end[i]}); {record}"
        )
    assert np.array_equal(seen.buffer, case.result)
    return ""


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_random_instructions(tmp_path: Path, shape: Shape, seed: int) -> None:
    case = make_case(shape.machine(), seed, 600)
    assert differences(case, run(bench(shape), tmp_path, case)) == ""


@pytest.mark.parametrize("shape", SHAPES[1:2], ids=str)
def test_nans_with_other_bits(tmp_path: Path, shape: Shape) -> None:
    case = make_case(shape.machine(), 77, 600, foreign_nans=True)
    assert differences(case, run(bench(shape), tmp_path, case)) == ""


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reset_leaves_nothing_behind(tmp_path: Path, shape: Shape) -> None:
    case = make_case(shape.machine(), 9, 60)
    for reset in np.random.default_rng(9).integers(1, int(case.end[-1]), 12):
        assert differences(case, run(bench(shape), tmp_path, case, reset=int(reset))) == ""


@pytest.mark.parametrize(
    "wrong", [{"table": 13}, {"divide": 0}, {"sqrt": 0}, {"ub": 0}, {"alu": 0}, {"lanes": 3}]
)
def test_numbers_that_are_too_small_do_not_elaborate(wrong: dict[str, int]) -> None:
    with pytest.raises(
        BuildError, match=r"TABLE_CYCLES|DIVIDE_CYCLES|SQRT_CYCLES|_LATENCY: at least 1|multiple"
    ):
        build("vector_bench", SOURCES, HERE / "vector_bench.cpp", _parameters(SHAPES[0]._replace(**wrong)))


VECTOR_MUTANTS = (5, 6, 7, 12, 13, 14)
"""Seeded faults of vector unit and transposer (``fp32_pkg::mutant_e``)."""


@pytest.mark.parametrize("mutant", VECTOR_MUTANTS)
def test_seeded_faults_are_caught(tmp_path: Path, mutant: int) -> None:
    shape = SHAPES[1]
    case = make_case(shape.machine(), 5, 300)
    if mutant == 7:  # shows in a sum of negative zeros only
        case = make_case(shape.machine(), 5, 60, functions=[Function.REDUCE_SUM], negative_zeros=0.5)
    assert differences(case, run(bench(shape), tmp_path, case)) == ""
    assert differences(case, run(bench(shape), tmp_path, case, mutant)) != ""
