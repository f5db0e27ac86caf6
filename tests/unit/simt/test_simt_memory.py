"""Bytes of tiled GEMMs, and what L2 keeps."""

from __future__ import annotations

from simulator.simt.memory import GemmShape, L2Residency, operand_traffic
from simulator.simt.tiles import Tile

TILE = Tile(128, 128, 32, 32, 64, 2)
BIG = 2**40


def test_every_block_reads_its_panels_through_l2() -> None:
    shape = GemmShape(1024, 512, 256, 4, 4)  # 8 x 2 tiles
    traffic = operand_traffic(shape, TILE, 16, BIG)
    assert traffic.l2_bytes == 2 * shape.a_bytes + 8 * shape.b_bytes


def test_ragged_tiles_read_only_what_there_is() -> None:
    shape = GemmShape(129, 7, 1, 4, 4)
    assert operand_traffic(shape, TILE, 2, BIG).l2_bytes == shape.a_bytes + 2 * shape.b_bytes


def test_a_cluster_reads_its_shared_panel_once() -> None:
    shape = GemmShape(1024, 512, 256, 4, 4)
    clustered = Tile(128, 128, 32, 32, 64, 2, cluster_m=2)
    assert operand_traffic(shape, clustered, 16, BIG).l2_bytes == 2 * shape.a_bytes + 4 * shape.b_bytes


def test_dram_is_compulsory_when_all_blocks_run_at_once_or_l2_holds_all() -> None:
    shape = GemmShape(4096, 4096, 4096, 2, 2)
    compulsory = shape.a_bytes + shape.b_bytes
    assert operand_traffic(shape, TILE, 32 * 32, 1).dram_bytes == compulsory
    assert operand_traffic(shape, TILE, 16, BIG).dram_bytes == compulsory


def test_small_l2_reads_again_and_never_less_than_compulsory() -> None:
    shape = GemmShape(4096, 4096, 4096, 2, 2)
    compulsory = shape.a_bytes + shape.b_bytes
    traffic = [operand_traffic(shape, TILE, 64, l2).dram_bytes for l2 in (1, 2**22, 2**24, 2**26, BIG)]
    assert traffic == sorted(traffic, reverse=True)
    assert traffic[0] > 2 * compulsory
    assert min(traffic) == compulsory


def test_one_block_at_a_time_without_l2_reads_everything_from_dram() -> None:
    shape = GemmShape(512, 64, 512, 4, 4)  # 4 x 4 tiles
    assert operand_traffic(shape, TILE, 1, 1).dram_bytes == 4 * (shape.a_bytes + shape.b_bytes)


def test_operands_in_l2_are_not_fetched() -> None:
    shape = GemmShape(512, 512, 512, 2, 2)
    assert operand_traffic(shape, TILE, 16, BIG, a_in_l2=True).dram_bytes == shape.b_bytes
    assert operand_traffic(shape, TILE, 16, BIG, a_in_l2=True, b_in_l2=True).dram_bytes == 0


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
