"""The same GEMMs in SCALE-Sim 3, where ``make bench-peers`` has made its environment.

Both simulate the array alone with memories that nobody waits for, in one process without its start-up,
and find the same cycles, which is checked. Ours is the whole way from sizes to cycles: ``event`` compiles the
Program and runs it, and so does ``fast, compiled``; ``fast`` is one call for the list, which does so only
where no closed form holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from simulator.api.engines import time_program
from simulator.api.gemm import array_cycles, scalesim_machine
from simulator.api.gemms import GemmCycles, gemm_cycles
from simulator.compiler.array_program import compile_array_gemm
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from tests.bench.harness import Row, Side, Taken, run_once
from tests.bench.peers.memory import peak_mib

PYTHON = Path(os.environ.get("PULSETRAIN_PEERS", "build/peers")) / "bin" / "python"
SCRIPT = Path(__file__).parent / "peers" / "scalesim_gemms.py"
BENCH = "the same GEMMs in SCALE-Sim 3"
Gemms = tuple[tuple[int, int, int], ...]

STEP: Gemms = (
    *((128, 784, 512), (128, 512, 512), (128, 512, 10)),
    *((784, 128, 512), (512, 128, 512), (512, 128, 10), (128, 10, 512), (128, 512, 512)),
)
MEDIUM: Gemms = ((512, 1024, 1024), (1024, 512, 1024))
WIDE: Gemms = ((512, 4096, 4096), (4096, 512, 4096))
LISTS: dict[str, tuple[int, Gemms]] = {
    "8 GEMMs of a 784-512-512-10 step, 128x128": (128, STEP),
    "8 GEMMs of a 784-512-512-10 step, 16x16": (16, STEP),
    "2 GEMMs 1024 wide, 128x128": (128, MEDIUM),
    "2 GEMMs 4096 wide, 128x128": (128, WIDE),
}
LONG = "2 GEMMs 4096 wide, 128x128"  # many minutes and 10 GB in SCALE-Sim: if asked for


def rows(quick: bool) -> list[Row]:
    """Rows of each list, one for each way; of ours alone where there is no SCALE-Sim."""
    there = PYTHON.exists() and not quick
    found = []
    for name, (side, gemms) in LISTS.items():
        if quick and name != "8 GEMMs of a 784-512-512-10 step, 128x128":
            continue
        machine = array_of(side)
        with_rival = there and (name != LONG or "PULSETRAIN_LONG_PEERS" in os.environ)
        rival = Side("SCALE-Sim", _scalesim(side, gemms), len(gemms)) if with_rival else None
        by_sizes = _by_sizes(machine, gemms)
        note = f"{by_sizes().by_form.sum()} of {len(gemms)} by closed form"
        ways: list[tuple[str, Callable[[], Any], float | None, str]] = [("fast", by_sizes, 1e-5, note)]
        for engine, way, aim in (("event", "event", 1e-3), ("fast", "fast, compiled", None)):
            run = by_program(machine, gemms, engine)
            assert run() == by_sizes().cycles.tolist(), f"{way} finds other cycles"
            run = _apart(name, engine) if name == LONG else run
            ways.append((way, run, aim, ""))
        for way, run, aim, note in ways:
            ours, aim = Side(way, run, len(gemms)), aim if rival else None
            found.append(Row(BENCH, name, ours, rival, unit="GEMMs", aim_ratio=aim, note=note))
    return found


def array_of(side: int) -> SystolicMachine:
    fields = ("matrix_unit.rows", "matrix_unit.cols", "vector_unit.lanes")
    sides = [f"{field}={side}" for field in fields]
    machine = load_machine("tpu_v2", [*sides, "matrix_unit.pe_latency_cycles=1"])
    assert isinstance(machine, SystolicMachine)
    return machine


def by_program(machine: SystolicMachine, gemms: Gemms, engine: str) -> Callable[[], list[int]]:
    def run() -> list[int]:
        cycles = []
        for m, k, n in gemms:
            ideal = scalesim_machine(machine, m, k, n)
            program = compile_array_gemm(ideal, m, k, n, "bfloat16")
            cycles.append(array_cycles(ideal, program, time_program(ideal, program, engine)) - 1)
        return cycles

    return run


def _apart(name: str, engine: str) -> Callable[[], Taken]:
    """Ours in a process of its own, which tells how much memory that takes."""

    def run() -> Taken:
        command = [sys.executable, "-m", "tests.bench.bench_peers", name, engine]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return Taken(*json.loads(done.stdout))

    return run


def _by_sizes(machine: SystolicMachine, gemms: Gemms) -> Callable[[], GemmCycles]:
    m, k, n = np.array(gemms).T.copy()

    def run() -> GemmCycles:
        return gemm_cycles(machine, m, k, n, compat="scalesim")

    return run


def _scalesim(side: int, gemms: Gemms) -> Callable[[], Taken]:
    """SCALE-Sim once: it takes long, and its processor time is the same each time."""

    @cache
    def run() -> Taken:
        job = json.dumps({"rows": side, "cols": side, "dataflow": "ws", "gemms": gemms})
        done = subprocess.run([PYTHON, SCRIPT], input=job, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        expected = _by_sizes(array_of(side), gemms)().cycles.tolist()
        assert found["cycles"] == expected, "SCALE-Sim finds other cycles"
        return Taken(found["processor"], found["elapsed"], found["mib"])

    return run


def main() -> None:
    """What ``_apart`` runs: prints the fields of Taken."""
    side, gemms = LISTS[sys.argv[1]]
    run = by_program(array_of(side), gemms, sys.argv[2])
    run()
    taken = run_once(run)
    json.dump([taken.processor, taken.elapsed, peak_mib()], sys.stdout)


if __name__ == "__main__":
    main()
