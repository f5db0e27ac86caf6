"""Closed forms: points per second over shapes and machines, with the check that each is in the domain."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.api.gemm import gemm_graph
from simulator.compiler import compile_graph
from simulator.fast import cycles, gemm_cycles_where
from simulator.machines.loader import load_machine
from tests.bench.harness import Row, Side

POINTS, QUICK_POINTS = 1_000_000, 1000
BENCH = "closed forms: one thread"


def rows(quick: bool) -> list[Row]:
    """Shapes on one core; shapes and cores; against the Program of one of the points."""
    machine: Any = load_machine("tpu_v2", ["unified_buffer.capacity_bytes=33554432"])
    count, rng = QUICK_POINTS if quick else POINTS, np.random.default_rng(0)
    m, k, n = (rng.integers(128, 2048, count) for _ in range(3))
    fields = {
        "matrix_unit.rows": rng.choice([64, 128, 256], count),
        "matrix_unit.cols": rng.choice([64, 128, 256], count),
        "hbm.bytes_per_cycle": rng.integers(300, 900, count),
        "hbm.latency_cycles": rng.integers(50, 500, count),
    }

    def one() -> int:
        graph = gemm_graph(512, 512, 512, False, False, "bfloat16")
        return cycles(machine, compile_graph(graph, machine).records)

    def form(varied: dict[str, Any]) -> Side:
        return Side("form", lambda: gemm_cycles_where(machine, m, k, n, fields=varied), count)

    program = Side("compiled and run", one)
    cases = {"GEMMs of any shape": {}, "GEMMs of any shape, cores of any size": fields}
    return [
        *(Row(BENCH, case, form(varied), unit="points", aim_rate=1e7) for case, varied in cases.items()),
        Row(BENCH, "one GEMM", form({}), program, unit="points"),
    ]
