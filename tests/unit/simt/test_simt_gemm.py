"""GEMM kernels: waves, bounds, conservation, and how time follows the machine."""

from __future__ import annotations

import itertools
import math

import pytest

from simulator.machines.simt import SimtMachine
from simulator.simt.gemm import gemm_timer, waves_of
from simulator.simt.machine import simulate_gemm
from simulator.simt.memory import GemmShape
from simulator.simt.result import BOUNDS, KernelTiming
from simulator.simt.tiles import catalogue

PRESETS = ["p100", "v100", "a100_40", "a100_80", "h100", "h200"]
SHAPES = [(1, 1, 1), (1, 4096, 4096), (33, 65, 129), (512, 512, 512), (4096, 64, 4096), (128, 50000, 64)]


def timing_of(
    machine: SimtMachine, tile: str, shape: GemmShape, dtype: str = "float32", splits: int = 1
) -> KernelTiming:
    timer = gemm_timer(machine, dtype)  # type: ignore[arg-type]
    placed, loop = next(pair for pair in timer.tiles if pair[0].tile.name == tile)
    return timer.timing(shape, placed, loop, splits)


@pytest.mark.parametrize(
    ("blocks", "slots", "waves"),
    [
        (1, 160, [(1, 1)]),
        (160, 160, [(160, 1)]),
        (161, 160, [(160, 1), (1, 1)]),
        (500, 160, [(160, 3), (20, 1)]),
    ],
)
def test_waves_are_full_but_the_last(blocks: int, slots: int, waves: list[tuple[int, int]]) -> None:
    assert list(waves_of(blocks, slots)) == waves


def test_tail_wave_costs_what_its_fullest_sm_costs(load) -> None:
    """V100, 128x128 tile, two blocks per SM: 160 slots. Long k, so that fill and memory are small."""
    v100, k = load("v100", "dram.gb_per_s=100000.0", "l2.bytes_per_cycle=100000"), 65536
    one_block = k * 128 * 128 / 64
    cycles = {}
    for blocks in (80, 81, 160, 161, 240, 241, 320):
        shape = GemmShape(128 * blocks, k, 128, 4, 4)
        timing = timing_of(v100, "128x128", shape)
        assert timing.occupancy == 2 * 8 / 64
        assert timing.blocks == timing.needed_blocks == blocks
        cycles[blocks] = timing.cycles / one_block
    # A full wave is two blocks' time; a tail of up to 80 blocks is one more, of 81 to 160 two more.
    expected = {80: 1, 81: 2, 160: 2, 161: 3, 240: 3, 241: 4, 320: 4}
    assert cycles == {blocks: pytest.approx(waves, rel=2e-2) for blocks, waves in expected.items()}


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_conservation(load, name: str, dtype: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    result = simulate_gemm(load(name), m, k, n, dtype=dtype)
    item, out = {"bfloat16": (2, 2), "float16": (2, 2), "float32": (4, 4), "int8": (1, 4)}[dtype]
    compulsory = (m * k + k * n) * item + m * n * out
    assert result.bytes_dram >= compulsory
    assert result.bytes_l2 >= compulsory
    assert result.macs == m * k * n
    assert 0 < result.utilization <= 1
    assert result.bound in BOUNDS
    assert result.cycles == result.end_cycle
    rows, cols = (int(side) for side in result.tile.split("_")[0].split("x"))
    assert result.blocks == math.ceil(m / rows) * math.ceil(n / cols) * result.splits


@pytest.mark.parametrize("name", PRESETS)
def test_time_is_never_below_the_roofline(load, name: str) -> None:
    gpu = load(name)
    for m, k, n in itertools.product((16, 300, 5000), repeat=3):
        result = simulate_gemm(gpu, m, k, n)
        compute = m * k * n / gpu.peak_macs_per_cycle("bfloat16")
        memory = 2 * (m * k + k * n + m * n) / gpu.dram_bytes_per_cycle
        assert result.cycles >= max(compute, memory)


@pytest.mark.parametrize("name", PRESETS)
def test_large_gemm_comes_near_the_peak(load, name: str) -> None:
    assert simulate_gemm(load(name), 8192, 8192, 8192).utilization > 0.85


@pytest.mark.parametrize("name", PRESETS)
def test_small_gemm_is_bound_by_its_launch(load, name: str) -> None:
    result = simulate_gemm(load(name), 32, 32, 32)
    assert result.bound == "launch"
    assert result.launch_us <= result.time_us < 1.6 * result.launch_us


def test_thin_gemm_is_bound_by_dram_and_few_blocks_split_k(load) -> None:
    assert simulate_gemm(load("a100_80"), 16, 16384, 4096).bound == "dram"
    result = simulate_gemm(load("a100_80"), 16, 65536, 256)
    assert result.splits > 1


def test_split_pays_for_its_sums(load) -> None:
    shape = GemmShape(128, 8192, 128, 2, 2)
    one = timing_of(load("a100_80"), "128x128", shape, "bfloat16", 1)
    four = timing_of(load("a100_80"), "128x128", shape, "bfloat16", 4)
    assert four.blocks == 4 * one.blocks
    assert four.l2_bytes >= one.l2_bytes + 2 * 4 * 128 * 128 * 4 - shape.c_bytes
    assert four.parts["launch"] == load("a100_80").to_cycles(2.0)
    assert four.cycles < one.cycles


def test_tensor_cores_are_used_where_they_take_the_type(load) -> None:
    def pipe(name: str, dtype: str) -> str:
        return catalogue(load(name), dtype)[0].pipe  # type: ignore[arg-type]

    assert [pipe(name, "bfloat16") for name in ("p100", "v100", "a100_40", "h100")] == [
        "fma",
        "fma",
        "mma",
        "wgmma",
    ]
    assert [pipe(name, "float16") for name in ("p100", "v100")] == ["fma", "mma"]
    assert [pipe(name, "int8") for name in ("p100", "v100", "h200")] == ["fma", "dp4a", "wgmma"]
    assert [pipe(name, "float32") for name in PRESETS] == ["fma"] * len(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int8"])
def test_every_tile_of_a_catalogue_fits(load, name: str, dtype: str) -> None:
    gpu = load(name)
    for placed in catalogue(gpu, dtype):  # type: ignore[arg-type]
        blocks = placed.occupancy.blocks
        assert blocks >= 1
        assert (
            blocks * (placed.shared_bytes + gpu.sm.shared_memory_reserved_bytes) <= gpu.sm.shared_memory_bytes
        )
        assert blocks * placed.registers * placed.tile.threads <= gpu.registers


def test_more_sms_are_not_slower(load) -> None:
    """For a tile whose SMs are the bottleneck never; for the fastest tile up to the 2 % within which bytes
    decide.
    """
    fast = ("dram.gb_per_s=100000.0", "l2.bytes_per_cycle=1000000", "l2.bytes_per_cycle_per_sm=10000")
    machines = [
        load("a100_80", f"sm.count={count}", *fast) for count in (1, 2, 5, 27, 54, 80, 108, 109, 132, 400)
    ]
    for m, k, n in itertools.product((64, 500, 4096), (300, 4096), (16, 333, 4096)):
        fixed = [timing_of(gpu, "128x128", GemmShape(m, k, n, 4, 4)).cycles for gpu in machines]
        assert fixed == sorted(fixed, reverse=True)
        best = [simulate_gemm(gpu, m, k, n).cycles for gpu in machines]
        assert all(after <= 1.02 * before for before, after in itertools.pairwise(best))


@pytest.mark.parametrize(
    "override",
    ["dram.gb_per_s=4000.0", "l2.bytes_per_cycle=10240", "launch.device_us=1.0", "l2.latency_cycles=100"],
)
def test_a_better_part_is_not_slower(load, override: str) -> None:
    for m, k, n in itertools.product((16, 500, 4096), repeat=3):
        base = simulate_gemm(load("a100_80"), m, k, n).cycles
        assert simulate_gemm(load("a100_80", override), m, k, n).cycles <= 1.02 * base


def test_warm_operands_come_from_l2(load) -> None:
    h100 = load("h100")
    cold, warm = (simulate_gemm(h100, 1024, 1024, 1024, warm=warm) for warm in (False, True))
    assert warm.bytes_dram < cold.bytes_dram
    assert warm.cycles < cold.cycles
    big = [simulate_gemm(h100, 16384, 16384, 16384, warm=warm) for warm in (False, True)]
    assert big[0] == big[1]


def test_layout_is_in_the_name(load) -> None:
    result = simulate_gemm(load("v100"), 8, 8, 8, transa=True, dtype="float32")
    assert (result.name, result.label) == ("gemm_float32_tn", "gemm 8x8x8 tn")


def test_dimension_below_one_is_refused(load) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        simulate_gemm(load("v100"), 0, 1, 1)


def test_result_time_is_cycles_at_the_sustained_clock(load) -> None:
    slow, fast = load("v100", "clock.sustained_mhz=765.0"), load("v100")
    result = simulate_gemm(slow, 2048, 2048, 2048, dtype="float32")
    assert result.time_us == result.cycles / 765
    assert result.time_us > simulate_gemm(fast, 2048, 2048, 2048, dtype="float32").time_us
