"""``pulsetrain gemm``: one product, a table of them, and SCALE-Sim's way of counting."""

from __future__ import annotations

import csv
import importlib
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.api.gemm import GemmResult, gemm
from simulator.machines.loader import load_machine
from simulator.machines.simt import SimtMachine
from simulator.simt.machine import simulate_gemm
from simulator.simt.memory import WEIGHT_COPIES, GemmShape, Missing, repeated
from tests.support.command import call

GEMM = ("gemm", "--machine", "edge_8x8")
DOCUMENTED = {"cycles", "time_us", "utilization", "macs", "stalls", "energy_pj", "engine", "machine"}


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows_of(path: str) -> list[dict[str, str]]:
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
@pytest.mark.parametrize("machine", ["edge_8x8", "tpu_v1", "tpu_v4", "v100", "h100"])
def test_json(machine: str, dtype: str) -> None:
    if machine == "v100":
        dtype = "float16"
    outcome = call("gemm", "--machine", machine, "--shape", "40,50,60", "--dtype", dtype, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    result = outcome.json
    assert result.keys() >= DOCUMENTED
    assert result["macs"] == 40 * 50 * 60
    assert result["machine"] == machine
    assert result["cycles"] > 0 and result["energy_pj"] > 0
    assert 0 < result["utilization"] <= 1


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_text(dataflow: str) -> None:
    outcome = call(*GEMM, "--shape", "9,10,11", "--dataflow", dataflow)
    assert (outcome.code, outcome.err) == (0, "")
    result = call(*GEMM, "--shape", "9,10,11", "--dataflow", dataflow, "--json").json
    assert f"{result['cycles']:,}" in outcome.out and "C[9,11] = A[9,10] @ B[10,11]" in outcome.out


def test_table_of_ten_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row per row, in order, input columns first; equal rows are solved once."""
    rng = np.random.default_rng(0)
    shapes = [tuple(shape) for shape in rng.integers(1, 40, (12, 3)).tolist()]
    given = [
        (*shapes[rng.integers(len(shapes))], rng.choice(["N", "T", ""]), rng.choice(["bfloat16", "int8", ""]))
        for _ in range(10_000)
    ]
    with open("in.csv", "w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["n", "transb", "k", "m", "dtype"])
        writer.writerows([n, transb, k, m, dtype] for m, k, n, transb, dtype in given)
    solved_once: Counter[str] = Counter()

    def counted(*arguments: Any, **options: Any) -> GemmResult:
        solved_once[f"{arguments} {options}"] += 1
        return gemm(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("simulator.api.gemm"), "gemm", counted)
        outcome = call(*GEMM, "--csv", "in.csv", "--out", "out.csv", "--json")
    assert set(solved_once.values()) == {1}
    assert (outcome.code, outcome.err) == (0, "")
    rows = rows_of("out.csv")
    assert len(rows) == 10_000
    results = ["cycles", "time_us", "utilization", "bound", "instructions", "hbm_bytes"]
    columns = ["n", "transb", "k", "m", "dtype", *results]
    assert list(rows[0]) == columns
    solved: dict[tuple[str, ...], list[str]] = {}
    for (m, k, n, transb, dtype), row in zip(given, rows, strict=True):
        cells = list(row.values())
        assert cells[:5] == [str(n), transb, str(k), str(m), dtype]
        assert solved.setdefault(tuple(cells[:5]), cells[5:]) == cells[5:]
        assert int(row["cycles"]) > 0
    for (n_, transb, k_, m_, dtype), cells in list(solved.items())[:5]:
        more = ("--transb", transb or "N", "--dtype", dtype or "bfloat16", "--json")
        single = call(*GEMM, "--shape", f"{m_},{k_},{n_}", *more).json
        assert [str(single["cycles"]), single["bound"]] == [cells[0], cells[3]]
        assert float(cells[2]) == pytest.approx(single["utilization"], rel=1e-5)
    total = outcome.json
    assert total["rows"] == 10_000
    assert total["cycles"] == sum(int(row["cycles"]) for row in rows)
    assert total["macs"] == sum(m * k * n for m, k, n, _, _ in given)


def test_table_on_a_gpu() -> None:
    Path("in.csv").write_text("m,k,n,transa\n64,64,64,N\n\n128,32,16,T\n")
    outcome = call("gemm", "--machine", "a100_40", "--csv", "in.csv", "--out", "in.csv")
    assert (outcome.code, outcome.err) == (0, "")
    rows = rows_of("in.csv")
    assert [row["m"] for row in rows] == ["64", "128"] and all(float(row["time_us"]) > 0 for row in rows)
    for row in rows:
        alone = ("--shape", f"{row['m']},{row['k']},{row['n']}", "--transa", row["transa"])
        details = json.loads(call("gemm", "--machine", "a100_40", *alone, "--json").out)
        for name in ("tile", "splits", "blocks", "waves", "l2_bytes", "dram_bytes"):
            assert row[name] == str(details[name])


def test_table_is_readable_by_others_and_replaces() -> None:
    Path("in.csv").write_text("m,k,n\n1,1,1\n")
    Path("out.csv").write_text("old\n")
    assert call(*GEMM, "--csv", "in.csv", "--out", "out.csv").code == 0
    assert Path("out.csv").read_bytes().startswith(
        b"m,k,n,cycles,time_us,utilization,bound,instructions,hbm_bytes\n1,1,1,"
    )
    plain = Path("plain.txt")
    plain.touch()
    assert Path("out.csv").stat().st_mode == plain.stat().st_mode
    assert sorted(path.name for path in Path().iterdir()) == ["in.csv", "out.csv", "plain.txt"]


def test_row_that_does_not_fit_is_named() -> None:
    Path("in.csv").write_text("m,k,n\n4,4,4\n4,4,4\n64,64,64\n")
    small = ("--set", "hbm.capacity_bytes=4096")
    outcome = call(*GEMM, *small, "--csv", "in.csv", "--out", "out.csv")
    assert outcome.code == 2
    assert outcome.err.startswith("pulsetrain: in.csv:4: hbm.capacity_bytes = 4096")
    assert not Path("out.csv").exists()


def test_progress_on_a_terminal_only() -> None:
    Path("in.csv").write_text("m,k,n\n" + "4,4,4\n" * 50)
    outcome = call(*GEMM, "--csv", "in.csv", "--out", "out.csv", "--json", terminal=True)
    assert "GEMM" in outcome.err and outcome.json["rows"] == 50
    assert call(*GEMM, "--csv", "in.csv", "--out", "out.csv").err == ""


# -- SCALE-Sim's count ---------------------------------------------------------------------------------------


def published(dataflow: str, rows: int, cols: int, m: int, k: int, n: int) -> int:
    """Source: Samajdar et al., ISPASS 2020, as SCALE-Sim 3 prints it."""
    down, across, time = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[dataflow]
    folds = math.ceil(down / rows) * math.ceil(across / cols)
    return folds * ((1 if dataflow == "os" else 2) * rows + cols + time - 2) - 1


def scalesim(rows: int, cols: int, dataflow: str, shape: tuple[int, int, int], *more: str) -> int:
    sets = (f"--set=matrix_unit.rows={rows}", f"--set=matrix_unit.cols={cols}", f"--dataflow={dataflow}")
    outcome = call(*GEMM, *sets, "--compat=scalesim", f"--shape={','.join(map(str, shape))}", "--json", *more)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json["compat"] == "scalesim"
    return int(outcome.json["cycles"])


def random_cases(count: int) -> list[tuple[int, int, tuple[int, int, int]]]:
    """Arrays of any size, powers of two or not, with shapes around theirs."""
    rng = np.random.default_rng(20)
    cases = []
    for _ in range(count):
        rows, cols = rng.integers(1, 20, 2).tolist()
        m, k, n = rng.integers(1, 70, 3).tolist()
        cases.append((rows, cols, (m, k, n)))
    return cases


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_scalesim_rule(dataflow: str) -> None:
    for rows, cols, shape in [*random_cases(25), (8, 8, (8, 8, 8)), (16, 4, (1, 1, 1)), (1, 1, (3, 3, 3))]:
        assert scalesim(rows, cols, dataflow, shape) == published(dataflow, rows, cols, *shape)


@pytest.mark.parametrize("machine", ["edge_8x8", "tpu_v2", "tpu_v4"])
@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_scalesim_rule_on_presets(machine: str, dataflow: str) -> None:
    """Memories, buffers and overlap of the machine do not matter; the array's size and latencies do."""
    arguments = ["gemm", "--machine", machine, "--dataflow", dataflow, "--shape=300,200,400"]
    arguments += ["--compat=scalesim", "--json", "--set=matrix_unit.pe_latency_cycles=1"]
    side = 8 if machine == "edge_8x8" else 128
    assert call(*arguments).json["cycles"] == published(dataflow, side, side, 300, 200, 400)


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_hop_latency_moves_the_count(dataflow: str) -> None:
    """Every fold's last result comes (cols - 1) hops later across, and rows hops later down."""
    rows, cols, shape = 5, 7, (11, 13, 17)
    down, across = {"ws": (13, 17), "is": (13, 11), "os": (11, 17)}[dataflow]
    folds = math.ceil(down / rows) * math.ceil(across / cols)
    before = scalesim(rows, cols, dataflow, shape)
    wide = scalesim(rows, cols, dataflow, shape, "--set=matrix_unit.horizontal_hop_cycles=3")
    assert wide - before == folds * 2 * (cols - 1)
    tall = scalesim(rows, cols, dataflow, shape, "--set=matrix_unit.vertical_hop_cycles=2")
    assert tall - before == folds * (rows - 1 if dataflow == "os" else rows)
    slow = scalesim(rows, cols, dataflow, shape, "--set=matrix_unit.pe_latency_cycles=2")
    assert slow > before


def test_help_says_what_l2_holds_on_a_gpu() -> None:
    """A benchmark's loop: five of B (and C) fit the H100's L2 or do not; help says so."""
    assert "over one A and five copies of B and C" in " ".join(call("gemm", "--help").out.split())
    machine = load_machine("h100")
    assert isinstance(machine, SimtMachine)
    result = call("gemm", "--machine", "h100", "--shape", "1024,1024,1024", "--json").json
    warm, cold = (simulate_gemm(machine, 1024, 1024, 1024, warm=warm).cycles for warm in (True, False))
    assert result["cycles"] == warm < cold
    shape = GemmShape(1024, 1024, 1024, 2, 2)
    assert (repeated(machine, shape, 5), repeated(machine, shape, 50)) == (Missing(0, 0, 0), Missing(0, 1, 1))
    assert WEIGHT_COPIES == 5
