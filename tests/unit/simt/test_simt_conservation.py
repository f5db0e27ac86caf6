"""Bytes of GEMM kernels, counted block by block."""

from __future__ import annotations

import itertools

import pytest

from simulator.machines.simt import SimtMachine
from simulator.simt.gemm import GemmTimer, gemm_timer
from simulator.simt.main_loop import AlongK
from simulator.simt.memory import COLD, GemmShape, Missing

CASES = [
    ("gtx_1080_ti", "float32"),
    ("p100", "float32"),
    ("v100", "float32"),
    ("v100", "float16"),
    ("a100_80", "bfloat16"),
    ("a100_40", "float32"),
    ("h100", "bfloat16"),
    ("h100", "int8"),
]
ITEM = {"float32": (4, 4), "float16": (2, 2), "bfloat16": (2, 2), "int8": (1, 4)}
SHAPES = [(1, 1, 1), (64, 64, 64), (33, 129, 65), (500, 777, 1000), (4096, 64, 16), (300, 100, 2049)]
NN = AlongK(True, False)
IN_STEP = ("effective.fma_sector_fraction=1.0", "effective.fma_drift=0.0")


def sides(length: int, tile: int) -> list[int]:
    """What each block along a side of C has of it."""
    return [min(tile, length - start) for start in range(0, length, tile)]


def panels(shape: GemmShape, along_m: int, along_n: int, cluster: int) -> int:
    """Bytes of A and B that blocks read; a cluster of neighbours reads one panel of theirs once."""
    rows, cols = sides(shape.m, along_m), sides(shape.n, along_n)
    column_heads = [i % cluster == 0 for i in range(len(cols))]
    row_heads = [i % cluster == 0 for i in range(len(rows))]
    together_a = together_b = 0
    for (row, is_row_head), (col, is_col_head) in itertools.product(
        zip(rows, row_heads, strict=True), zip(cols, column_heads, strict=True)
    ):
        together_a += (row * is_col_head + col) * shape.k * shape.in_bytes
        together_b += (row + col * is_row_head) * shape.k * shape.in_bytes
    return min(together_a, together_b)


def kernels(machine: SimtMachine, dtype: str) -> tuple[GemmTimer, list[int]]:
    """The timer, and its candidates that cut k into 1, 4 or 32."""
    timer = gemm_timer(machine, dtype, NN)
    return timer, [i for i, cut in enumerate(timer.candidates.splits) if cut in (1, 4, 32)]


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_l2_delivers_every_blocks_panels_and_takes_the_results(load, name: str, dtype: str) -> None:
    """Parts of a cut k: each writes float32 sums, which are read again before C is written."""
    timer, columns = kernels(load(name), dtype)
    chosen = timer.candidates
    for m, k, n in SHAPES:
        shape = GemmShape(m, k, n, *ITEM[dtype])
        counted = timer.estimate(shape, Missing(0.0, 0.0, 0.0)).l2_bytes[0]
        for i in columns:
            splits = int(chosen.splits[i])
            operands = panels(shape, int(chosen.along_m[i]), int(chosen.along_n[i]), int(chosen.cluster[i]))
            sums = 2 * splits * m * n * 4 if splits > 1 else 0
            assert counted[i] == operands + sums + shape.c_bytes


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_dram_delivers_what_l2_lacks_once(load, name: str, dtype: str) -> None:
    """Where L2 holds all of both operands, whatever the tile; what it holds beforehand comes from nowhere.

    float32: but for sectors of which a part is used, and blocks that drift apart.
    """
    timer, columns = kernels(load(name, *IN_STEP), dtype)
    for m, k, n in SHAPES:
        shape = GemmShape(m, k, n, *ITEM[dtype])
        a, b, c = shape.a_bytes, shape.b_bytes, shape.c_bytes
        for missing, expected in (
            (COLD, a + b + c),
            (Missing(0.0, 1.0, 0.0), b),
            (Missing(1.0, 0.0, 0.5), a + c / 2),
            (Missing(0.0, 0.0, 0.0), 0),
        ):
            assert (timer.estimate(shape, missing).dram_bytes[0][columns] == expected).all()


@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_the_kernel_that_runs_reports_those_bytes(load, name: str, dtype: str) -> None:
    timer = gemm_timer(load(name, *IN_STEP), dtype, NN)
    for m, k, n in SHAPES:
        shape = GemmShape(m, k, n, *ITEM[dtype])
        estimate = timer.estimate(shape, COLD)
        column, timing = int(timer.chosen(shape, estimate)[0]), timer.fastest(shape, COLD)
        assert timing.l2_bytes == estimate.l2_bytes[0, column]
        assert timing.dram_bytes == shape.a_bytes + shape.b_bytes + shape.c_bytes
