"""Matrix multiplications in the array's order against BLAS in float32, by shape and storage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.numerics import kernels
from tests.bench.harness import Row, Side
from tests.bench.threads import COUNTS, isa, on_threads

BENCH = "ordered GEMM against BLAS"
ROWS = 128  # of the array
LARGE_AIM, NARROW_AIM, INT8_AIM = 1.1, 1.5, 0.6
NARROW = 10
# (operands, N or T as stored; m, k, n). The GEMMs of training steps, and squares.
SHAPES = (
    *(("NN", 128, 784, 512), ("TN", 784, 128, 512), ("NT", 128, 512, 512)),
    *(("NN", 512, 512, 512), ("TN", 1000, 1000, 1000), ("NT", 1024, 1024, 1024), ("NN", 777, 1025, 513)),
    *(("NN", 512, 4096, 4096), ("TN", 4096, 512, 4096), ("NT", 512, 4096, 4096)),
    *(("NN", 128, 512, NARROW), ("TN", 512, 128, NARROW), ("NN", 2048, 512, NARROW)),
)


def rows(quick: bool) -> list[Row]:
    """Every shape in two orders and in int8; on two threads the stationary order of the larger ones."""
    shapes = (("NN", 20, 30, 40),) if quick else SHAPES
    found = []
    for threads in COUNTS:
        for stored, m, k, n in shapes:
            if threads > 1 and n == NARROW:
                continue
            blas, sides = _sides(stored, m, k, n)
            for name, run in sides.items():
                if threads > 1 and name == "os":
                    continue
                found.append(
                    Row(
                        BENCH,
                        f"{m} x {k} x {n} {stored}, {name}",
                        Side(isa(), on_threads(threads, run)),
                        Side("BLAS", on_threads(threads, blas)),
                        unit="GEMMs",
                        threads=threads,
                        aim_ratio=_aim(name, min(m, k, n)),
                    )
                )
    return found


def _aim(name: str, smallest: int) -> float | None:
    if smallest >= 512:
        return INT8_AIM if name == "int8" else LARGE_AIM
    return NARROW_AIM if smallest == NARROW and name != "int8" else None


def _sides(stored: str, m: int, k: int, n: int) -> tuple[Callable[[], Any], dict[str, Callable[[], Any]]]:
    """float32 in BLAS, and the same product on the machine."""
    rng = np.random.default_rng(0)
    transpose_a, transpose_b = (letter == "T" for letter in stored)
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(np.float32)
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(np.float32)
    left, right = a.T if transpose_a else a, b.T if transpose_b else b
    half = kernels.to_bfloat16(a), kernels.to_bfloat16(b)
    integers = (20 * a).astype(np.int8), (20 * b).astype(np.int8)

    def ordered(dataflow: str) -> Callable[[], Any]:
        return lambda: kernels.gemm(
            *half, transpose_a=transpose_a, transpose_b=transpose_b, rows=ROWS, dataflow=dataflow
        )

    def int8() -> Any:
        return kernels.gemm_int8(*integers, transpose_a=transpose_a, transpose_b=transpose_b)

    return (lambda: left @ right), {"ws": ordered("ws"), "os": ordered("os"), "int8": int8}
