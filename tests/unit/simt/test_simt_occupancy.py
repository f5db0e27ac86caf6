"""Occupancy against the rules and examples of NVIDIA's occupancy calculator, worked out by hand."""

from __future__ import annotations

import pytest

from simulator.simt.occupancy import occupancy


@pytest.mark.parametrize(
    ("machine", "threads", "registers", "shared", "blocks", "warps", "limit"),
    [
        # 256 threads are 8 warps; 64 warps fit: 8 blocks. 32 registers: 2048 x 32 = 65536, just enough.
        ("v100", 256, 32, 0, 8, 64, "warps"),
        # 64 registers: 2048 per warp, 16384 / 2048 = 8 warps per sub-core, 32 per SM, 4 warps a block.
        ("v100", 128, 64, 0, 8, 32, "registers"),
        # 37 registers: 1184 per warp, allocated as 1280; 16384 / 1280 = 12 per sub-core, 48 per SM.
        ("v100", 256, 37, 0, 6, 48, "registers"),
        # 255 registers: 8160, allocated as 8192; 2 warps per sub-core, 8 per SM: one block of 256 threads.
        ("v100", 256, 255, 0, 1, 8, "registers"),
        # Blocks of one warp: 32 blocks are the limit, half of the 64 warps.
        ("v100", 32, 32, 0, 32, 32, "blocks"),
        # 33 threads are 2 warps.
        ("a100_40", 33, 16, 0, 32, 64, "warps"),
        # 48 KiB + 1 KiB of the system: 164 / 49 = 3 blocks.
        ("a100_40", 128, 32, 48 * 1024, 3, 12, "shared_memory"),
        # The same on V100, which reserves nothing: 96 / 48 = 2 blocks.
        ("v100", 128, 32, 48 * 1024, 2, 8, "shared_memory"),
        # P100: 2 sub-cores of 32768 registers; 168 registers are 5376 per warp, 6 warps each, 12 in all.
        ("p100", 128, 168, 0, 3, 12, "registers"),
        # V100: 192 registers are 6144 per warp, 2 warps in each of 4 sub-cores, 8 in all.
        ("v100", 128, 192, 0, 2, 8, "registers"),
        ("p100", 96, 16, 0, 21, 63, "warps"),
        # Hopper's producer and two consumer warp groups: 384 threads of 168 registers fill the register
        # file.
        ("h100", 384, 168, 196608, 1, 12, "registers"),
        ("h100", 1024, 32, 0, 2, 64, "warps"),
    ],
)
def test_hand_examples(
    load, machine: str, threads: int, registers: int, shared: int, blocks: int, warps: int, limit: str
) -> None:
    found = occupancy(load(machine), threads, registers, shared)
    assert (found.blocks, found.warps, found.limit) == (blocks, warps, limit)
    assert found.fraction == warps / 64


@pytest.mark.parametrize(
    ("threads", "registers", "shared"),
    [(2048, 32, 0), (0, 32, 0), (256, 256, 0), (256, 32, 164 * 1024), (1024, 255, 0)],
)
def test_block_that_does_not_fit(load, threads: int, registers: int, shared: int) -> None:
    assert occupancy(load("a100_40"), threads, registers, shared).blocks == 0


@pytest.mark.parametrize("machine", ["p100", "v100", "a100_80", "h100"])
def test_more_of_anything_never_fits_more_blocks(load, machine: str) -> None:
    gpu = load(machine)
    for threads in (32, 96, 128, 256, 512, 1024):
        by_registers = [occupancy(gpu, threads, r, 4096).blocks for r in range(16, 256, 7)]
        by_shared = [occupancy(gpu, threads, 32, s).blocks for s in range(0, 49152, 1024)]
        assert by_registers == sorted(by_registers, reverse=True)
        assert by_shared == sorted(by_shared, reverse=True)
