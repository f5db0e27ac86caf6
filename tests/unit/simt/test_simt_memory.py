"""Bytes of tiled GEMMs, and what L2 keeps."""

from __future__ import annotations

import pytest

from simulator.machines.simt import SimtMachine
from simulator.simt.memory import (
    COLD,
    AlongRows,
    GemmShape,
    L2Residency,
    Missing,
    dram_traffic,
    l2_traffic,
    missing_share,
    repeated,
)

NOTHING, EVERYTHING = "l2.capacity_bytes=1", "l2.capacity_bytes=1000000000000"


def dram(machine: SimtMachine, shape: GemmShape, concurrent: int, missing: Missing = COLD) -> float:
    return float(dram_traffic(machine, shape, 128, 128, concurrent, missing))


def test_every_block_reads_its_panels_through_l2() -> None:
    shape = GemmShape(1024, 512, 256, 4, 4)  # 8 x 2 tiles
    assert l2_traffic(shape, 128, 128, 1) == 2 * shape.a_bytes + 8 * shape.b_bytes


def test_ragged_tiles_read_only_what_there_is() -> None:
    shape = GemmShape(129, 7, 1, 4, 4)
    assert l2_traffic(shape, 128, 128, 1) == shape.a_bytes + 2 * shape.b_bytes


def test_a_cluster_reads_together_the_operand_that_costs_more() -> None:
    wide, tall = GemmShape(128, 512, 2048, 4, 4), GemmShape(2048, 512, 128, 4, 4)  # 16 tiles each
    assert l2_traffic(wide, 128, 128, 2) == 8 * wide.a_bytes + wide.b_bytes
    assert l2_traffic(tall, 128, 128, 2) == tall.a_bytes + 8 * tall.b_bytes


def test_dram_is_compulsory_when_all_blocks_run_at_once_or_l2_holds_all(load) -> None:
    shape = GemmShape(4096, 4096, 4096, 2, 2)
    compulsory = shape.a_bytes + shape.b_bytes
    assert dram(load("v100", NOTHING), shape, 32 * 32) == compulsory
    assert dram(load("v100", EVERYTHING), shape, 16) == compulsory


def test_small_l2_reads_again_and_never_less_than_compulsory(load) -> None:
    shape = GemmShape(4096, 4096, 4096, 2, 2)
    compulsory = shape.a_bytes + shape.b_bytes
    sizes = (1, 2**22, 2**24, 2**26, 2**39)
    traffic = [dram(load("v100", f"l2.capacity_bytes={size}"), shape, 64) for size in sizes]
    assert traffic == sorted(traffic, reverse=True)
    assert traffic[0] > 2 * compulsory
    assert min(traffic) == compulsory


def test_one_block_at_a_time_without_l2_reads_everything_from_dram(load) -> None:
    shape = GemmShape(512, 64, 512, 4, 4)  # 4 x 4 tiles
    assert dram(load("v100", NOTHING), shape, 1) == 4 * (shape.a_bytes + shape.b_bytes)


def rows(k_bytes: int, depth: int = 1, a: bool = True, b: bool = True) -> AlongRows:
    return AlongRows(a, b, k_bytes, depth)


def in_rows(machine: SimtMachine, shape: GemmShape, concurrent: int, how: AlongRows) -> float:
    return float(dram_traffic(machine, shape, 128, 128, concurrent, COLD, how))


def test_a_sector_of_a_row_at_a_time_uses_a_share_of_what_dram_delivers(load) -> None:
    gpu = load("titan_xp", EVERYTHING, "effective.fma_sector_fraction=0.25")
    shape = GemmShape(1024, 512, 256, 4, 4)
    a, b = shape.a_bytes, shape.b_bytes
    assert in_rows(gpu, shape, 16, rows(64)) == a + b
    assert in_rows(gpu, shape, 16, rows(32)) == 4 * (a + b)
    assert in_rows(gpu, shape, 16, rows(32, b=False)) == 4 * a + b
    assert in_rows(gpu, shape, 16, rows(32, a=False)) == a + 4 * b


def test_blocks_that_drift_apart_lose_what_they_share(load) -> None:
    """16 blocks at a time of 128 x 128, groups of 512 x 512: what lies between them is drift x root(waves) of
    their two panels. 16 waves and 0.1: 0.4 of 4 KiB x depth, at a depth of 5120 the 8 MiB that are kept.
    """
    mega = 2**20
    gpu = load(
        "v100",
        f"l2.capacity_bytes={8 * mega}",
        "effective.l2_kept_fraction=1.0",
        "effective.fma_sector_fraction=1.0",
        "effective.fma_drift=0.1",
    )
    shape = GemmShape(2048, 8192, 2048, 4, 4)  # 256 blocks
    alone = 2 * 16 * (shape.a_bytes + shape.b_bytes)  # 64 bytes for every sector that a block reads
    together = dram(gpu, shape, 16)
    assert in_rows(gpu, shape, 16, rows(64, 2**20)) == together  # whole pieces: nothing is lost
    assert in_rows(gpu, shape, 16, rows(32, 8 * mega // 4096)) == together
    assert in_rows(gpu, shape, 16, rows(32, 10 * 1024)) == pytest.approx(together + (alone - together) / 2)
    assert in_rows(gpu, shape, 16, rows(32, 2**40)) == pytest.approx(alone, rel=1e-6)
    depths = [in_rows(gpu, shape, 16, rows(32, depth)) for depth in (512, 4096, 8192, 16384, 65536)]
    assert depths == sorted(depths) and depths[0] < depths[-1] <= alone
    # In one wave blocks are a tenth of a main loop apart: a quarter as far.
    assert in_rows(gpu, shape, 256, rows(32, 8 * mega // 4096)) == dram(gpu, shape, 256)


def test_operands_in_l2_are_not_fetched(load) -> None:
    shape, gpu = GemmShape(512, 512, 512, 2, 2), load("v100", EVERYTHING)
    assert dram(gpu, shape, 16, Missing(a=0.0)) == shape.b_bytes
    assert dram(gpu, shape, 16, Missing(0.0, 0.0)) == 0


def test_a_repeated_gemm_finds_what_fits_beside_all_that_comes_between(load) -> None:
    """A100: 40 MiB, of which a share is left; a weight counts as often as there are copies."""
    gpu = load("a100_80", "effective.l2_left_fraction=0.5", "effective.l2_kept_fraction=0.3")
    mega = 2**20
    fits, some, gone = (GemmShape(1, 1024, size * mega // 2048, 2, 2) for size in (3, 4.5, 6))
    assert repeated(gpu, fits, 5) == Missing(0.0, 0.0, 0.0)
    middle = repeated(gpu, some, 5)
    assert middle.a == 0.0 and 0 < middle.b == middle.c < 1
    assert repeated(gpu, gone, 5).b == 1.0
    assert repeated(gpu, gone, 1).b == 0.0
    huge = GemmShape(65536, 1024, 64, 2, 2)  # A of 128 MiB
    assert repeated(gpu, huge, 1).a == 1.0


def test_missing_share_grows_with_what_went_through(load) -> None:
    gpu = load("h100", "effective.l2_kept_fraction=0.8")
    kept = 0.8 * gpu.l2.capacity_bytes
    shares = [missing_share(gpu, part * kept) for part in (0, 0.5, 1, 1.125, 1.25, 2)]
    assert shares == [0, 0, 0, pytest.approx(0.5), 1, 1]


def test_least_recently_used_tensor_leaves() -> None:
    cache = L2Residency(100)
    cache.touch(1, 40)
    cache.touch(2, 40)
    cache.touch(1, 40)
    cache.touch(3, 40)
    assert [cache.holds(tensor) for tensor in (1, 2, 3)] == [True, False, True]


def test_tensor_larger_than_l2_is_never_held_and_pushes_nothing_out() -> None:
    cache = L2Residency(100)
    cache.touch(1, 60)
    cache.touch(2, 101)
    assert (cache.holds(1), cache.holds(2)) == (True, False)
