"""The SIMT model's speed: a table of 10,000 different GEMMs through the command line."""

from __future__ import annotations

import atexit
import csv
import io
import shutil
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from simulator.cli.main import main
from tests.bench.harness import Row, Side

GEMMS, QUICK_GEMMS = 10_000, 50
AIM_S = 60.0
MACHINES = (("h100", "bfloat16"), ("a100_80", "bfloat16"), ("v100", "float32"))


def rows(quick: bool) -> list[Row]:
    """One row per machine; tiles are in the cache after the first repeat, which is not counted."""
    count = QUICK_GEMMS if quick else GEMMS
    folder = Path(tempfile.mkdtemp(prefix="bench_simt."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shapes = _shapes(count)
    found = []
    for machine, dtype in MACHINES:
        run = _table(folder, machine, dtype, shapes)
        ours = Side("simt", run, count)
        case = f"{count:,} GEMMs from a table, {machine} {dtype}"
        found.append(Row("SIMT", case, ours, unit="GEMMs", aim_rate=GEMMS / AIM_S))
    return found


def _shapes(count: int) -> list[tuple[int, int, int]]:
    """Different m, k, n, from launch-bound to large."""
    rng = np.random.default_rng(6)
    sizes = np.unique(np.exp(rng.uniform(0, np.log(16384), (2 * count, 3))).astype(int), axis=0)
    return [(int(m), int(k), int(n)) for m, k, n in rng.permutation(sizes)[:count]]


def _table(folder: Path, machine: str, dtype: str, shapes: list[tuple[int, int, int]]) -> Callable[[], None]:
    path = folder / f"{machine}.csv"
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["m", "k", "n", "dtype"])
        writer.writerows((*shape, dtype) for shape in shapes)
    arguments = ["gemm", "--machine", machine, "--csv", str(path), "--out", str(path) + ".out"]

    def run() -> None:
        try:
            with redirect_stdout(io.StringIO()):
                main(arguments)
        except SystemExit as leave:
            assert leave.code == 0, leave.code

    return run
