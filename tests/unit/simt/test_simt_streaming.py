"""Element-by-element kernels: what L2 keeps from one repetition to the next, and the last blocks' work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.simt.streaming import (
    BLOCK_ELEMENTS,
    StreamShape,
    missed_share,
    stream_occupancy,
    stream_timing,
)
from simulator.simt.timing import elementwise_time


def test_what_a_loop_misses_goes_from_nothing_to_all_within_l2(load) -> None:
    gpu = load("a100_40")
    capacity = gpu.l2.capacity_bytes
    shares = [missed_share(gpu, capacity * part // 100) for part in range(0, 200, 5)]
    assert shares == sorted(shares) and set(shares) >= {0.0, 1.0}
    assert missed_share(gpu, capacity // 2) == 0.0 and missed_share(gpu, capacity) == 1.0


def test_repeated_small_kernel_never_sees_dram_and_a_large_one_always(load) -> None:
    gpu = load("a100_40")
    small, large = gpu.l2.capacity_bytes // 12 // 2, gpu.l2.capacity_bytes  # elements of a tensor
    found = elementwise_time(gpu, "add", small, inputs=2).timing
    assert found.dram_bytes == 0 and found.l2_bytes == 12 * small
    found = elementwise_time(gpu, "add", large, inputs=2).timing
    assert found.dram_bytes == found.l2_bytes == 12 * large


def test_written_bytes_that_stay_in_l2_cost_dram_nothing(load) -> None:
    gpu, n = load("v100"), 10**7
    shape = StreamShape(n, 4 * n, 4 * n, 4 * n, 1, 0, 2)
    all_out, none_out = stream_timing(gpu, shape), stream_timing(gpu, replace(shape, written_back=0.0))
    assert (all_out.dram_bytes, none_out.dram_bytes) == (8 * n, 4 * n)
    assert none_out.parts["dram"] == pytest.approx(all_out.parts["dram"] / 2)


def test_last_blocks_compute_when_the_loads_are_done(load) -> None:
    """Half of the elements that the SMs hold at the end, at the pipe's rate, come after the last load."""
    gpu, n = load("v100"), 10**8
    cheap = stream_timing(gpu, StreamShape(n, 8 * n, 8 * n, 4 * n, 1, 0, 3))
    dear = stream_timing(gpu, StreamShape(n, 8 * n, 8 * n, 4 * n, 33, 0, 3))
    assert cheap.bound(0) == dear.bound(0) == "dram"
    held = stream_occupancy(gpu).blocks * BLOCK_ELEMENTS
    per_instruction = held / 2 / gpu.sm.fp32_fma_per_cycle
    assert dear.cycles - cheap.cycles == pytest.approx(32 * per_instruction, rel=0.1)


def test_parts_add_up_to_the_cycles(load) -> None:
    gpu = load("a100_40")
    for n in (100, 10**5, 10**7):
        for instructions in (1, 30, 300):
            for results in (0, 10):
                found = stream_timing(
                    gpu, StreamShape(n, 8 * n, 8 * n, 4 * n, instructions, 1, 3, results=results)
                )
                waves = sum(wave.repeats for wave in found.waves)
                assert sum(found.parts.values()) == pytest.approx(found.cycles, abs=waves + 4)
