"""GEMM kernels: waves, bounds, conservation, and how time follows the machine."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from simulator.machines.loader import load_machine
from simulator.machines.simt import SimtMachine
from simulator.simt.choice import considered
from simulator.simt.gemm import GemmTimer, gemm_timer, waves_of
from simulator.simt.ingredients import Ingredients
from simulator.simt.machine import simulate_gemm
from simulator.simt.main_loop import AlongK
from simulator.simt.memory import COLD, GemmShape, Missing
from simulator.simt.result import BOUNDS, KernelTiming
from simulator.simt.tiles import catalogue

PRESETS = ["p100", "v100", "a100_40", "a100_80", "h100", "h200"]
SHAPES = [(1, 1, 1), (1, 4096, 4096), (33, 65, 129), (512, 512, 512), (4096, 64, 4096), (128, 50000, 64)]


NT = AlongK(True, True)
_FMA_TILES = catalogue(load_machine("gtx_1080_ti"), "float32")


def timing_of(
    machine: SimtMachine, tile: str, shape: GemmShape, dtype: str = "float32", splits: int = 1
) -> KernelTiming:
    return gemm_timer(machine, dtype, NT).known(shape, COLD, tile, splits)


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
    fast = ("dram.gb_per_s=100000.0", "l2.bytes_per_cycle=100000")
    v100, k = load("v100", *fast, "effective.fma_fraction=1.0", "effective.fma_page_cost=0.0"), 65536
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
    assert cycles == {blocks: pytest.approx(waves, rel=7e-2) for blocks, waves in expected.items()}


def test_an_sm_runs_full_waves_and_then_the_rest_at_their_own_pace(load) -> None:
    """32x32_sliced1x4 on V100: five blocks together are faster than five times one."""
    timer = gemm_timer(load("v100"), "float32", NT)
    columns = timer.columns_of("32x32_sliced1x4", 1)
    pace, ends = columns.k_tile_cycles[:, 0], load("v100").effective.block_cycles
    assert columns.residents[0] == 5 and 5 * pace[1] > 1.2 * pace[5]
    for per_sm in range(1, 13):
        shape = GemmShape(32 * 80 * per_sm, 1600, 32, 4, 4)  # 100 k-tiles
        waves, rest = divmod(per_sm, 5)
        expected = waves * (100 * pace[5] + ends) + (100 * pace[rest] + ends if rest else 0)
        assert timer.estimate(shape, COLD, columns).sms[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "int8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_conservation(load, name: str, dtype: str, shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    result = simulate_gemm(load(name), m, k, n, dtype=dtype, warm=False)
    item, out = {"bfloat16": (2, 2), "float16": (2, 2), "float32": (4, 4), "int8": (1, 4)}[dtype]
    compulsory = (m * k + k * n) * item + m * n * out
    assert result.bytes_dram >= compulsory
    assert result.bytes_l2 >= compulsory
    assert result.macs == m * k * n
    assert 0 < result.utilization <= 1
    assert result.bound in BOUNDS
    assert result.cycles == result.end_cycle
    cols, rows = (int(side) for side in result.tile.split("_")[0].split("x"))
    assert result.blocks == math.ceil(m / rows) * math.ceil(n / cols) * result.splits


@pytest.mark.parametrize("name", PRESETS)
def test_time_is_never_below_the_roofline(load, name: str) -> None:
    gpu = load(name)
    for m, k, n in itertools.product((16, 300, 5000), repeat=3):
        result = simulate_gemm(gpu, m, k, n, warm=False)
        compute = m * k * n / gpu.peak_macs_per_cycle("bfloat16")
        memory = 2 * (m * k + k * n + m * n) / gpu.dram_bytes_per_cycle
        assert result.cycles >= max(compute, memory)


@pytest.mark.parametrize("name", PRESETS)
def test_large_gemm_comes_near_the_peak(load, name: str) -> None:
    assert 0.6 < simulate_gemm(load(name), 8192, 8192, 8192).utilization < 0.98


@pytest.mark.parametrize("name", PRESETS)
def test_small_gemm_is_bound_by_its_launch(load, name: str) -> None:
    result = simulate_gemm(load(name), 32, 32, 32)
    assert result.bound == "launch"
    assert result.launch_us <= result.time_us < 2 * result.launch_us


def test_thin_gemm_is_bound_by_dram_and_few_blocks_split_k(load) -> None:
    assert simulate_gemm(load("a100_80"), 16, 16384, 4096).bound == "dram"
    result = simulate_gemm(load("a100_80"), 16, 65536, 256)
    assert result.splits > 1


def test_split_pays_for_its_sums(load) -> None:
    shape = GemmShape(128, 8192, 128, 2, 2)
    gpu = load("a100_80", "effective.fma_split_serial_us=0.0")
    one, four = (timing_of(gpu, "128x128", shape, "float32", splits) for splits in (1, 4))
    assert four.blocks == 4 * one.blocks
    assert four.l2_bytes >= one.l2_bytes + 2 * 4 * 128 * 128 * 4 - shape.c_bytes
    assert four.parts["launch"] > gpu.effective.split_us * gpu.clock.sustained_mhz
    assert four.cycles < one.cycles
    one_by_one = timing_of(load("a100_80", "effective.fma_split_serial_us=0.5"), "128x128", shape, splits=4)
    serial = 4 * 0.5 * gpu.clock.sustained_mhz
    assert one_by_one.parts["launch"] == pytest.approx(four.parts["launch"] + serial)


def test_the_parts_of_a_kernel_add_up_to_its_cycles(load) -> None:
    for name, dtype in (("a100_80", "bfloat16"), ("h100", "bfloat16"), ("v100", "float32")):
        for m, k, n in itertools.product((1, 300, 5000), repeat=3):
            timer = gemm_timer(load(name), dtype, NT)
            shape = GemmShape(m, k, n, 2, 2)
            timing = timer.fastest(shape, COLD)
            waves = sum(wave.repeats for wave in timing.waves)
            assert sum(timing.parts.values()) <= timing.cycles <= sum(timing.parts.values()) + waves + 2
            estimate = timer.estimate(shape, COLD)
            chosen = estimate.total[0, timer.chosen(shape, estimate)[0]]
            assert timing.cycles == pytest.approx(float(chosen), rel=0.02)


def test_a_column_of_gemms_is_estimated_like_each_of_them(load) -> None:
    timer = gemm_timer(load("h100"), "bfloat16", NT)
    shapes = [(1, 4096, 512), (300, 64, 64), (5000, 8192, 129)]
    m, k, n = (np.array(column, np.float64).reshape(-1, 1) for column in zip(*shapes, strict=True))
    together = timer.estimate(GemmShape(m, k, n, 2, 2), COLD).total
    assert together.shape == (3, len(timer.candidates))
    for row, shape in zip(together, shapes, strict=True):
        assert (timer.estimate(GemmShape(*shape, 2, 2), COLD).total[0] == row).all()


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("waves", "bfloat16"),
        ("occupancy", "bfloat16"),
        ("l2", "bfloat16"),
        ("split_k", "bfloat16"),
        ("choice", "bfloat16"),
        ("choice", "float32"),
        ("rows", "float32"),
    ],
)
def test_every_ingredient_changes_some_gemm(load, name: str, dtype: str) -> None:
    gpu = load("a100_80")
    whole = gemm_timer(gpu, dtype, NT)
    without = GemmTimer(gpu, dtype, NT, Ingredients(**{name: False}))
    changed = [
        (m, k, n)
        for m, k, n in itertools.product((16, 1100, 2100, 50000), repeat=3)
        if whole.fastest(shape := GemmShape(m, k, n, 2, 2), Missing(0.0, 0.0, 0.0)).cycles
        != without.fastest(shape, Missing(0.0, 0.0, 0.0)).cycles
    ]
    assert changed


def test_without_l2_everything_comes_from_dram_and_l2_takes_no_time(load) -> None:
    timer = GemmTimer(load("a100_80"), "bfloat16", NT, Ingredients(l2=False))
    shape = GemmShape(512, 512, 512, 2, 2)
    warm, cold = (timer.estimate(shape, missing) for missing in (Missing(0.0, 0.0, 0.0), COLD))
    assert (warm.total == cold.total).all()
    assert (warm.l2 == 0).all()


def test_an_unknown_tile_is_refused(load) -> None:
    with pytest.raises(ValueError, match=r"tile = '96x96': v100 has 128x128, "):
        timing_of(load("v100"), "96x96", GemmShape(8, 8, 8, 4, 4))


def test_ampere_float32_takes_the_tile_that_its_library_believes_in(load) -> None:
    """On 108 SMs. 1024 x 1024: 128 blocks of 128x64, two rounds, weigh 2 x 8192; 512 of 64x32_sliced1x4, five
    rounds, 5 x 2048 / 0.83. 2116 x 2254: 612 blocks of 128x64 weigh 6 x 8192; 4757 of 32x32_sliced1x4 weigh
    45 x 1024, less, but over 0.815.
    """
    gpu = load("a100_40")
    for m, n, tile in ((1024, 1024, "64x32_sliced1x4"), (2116, 2254, "128x64")):
        result = simulate_gemm(gpu, m, 4096, n, transb=True, dtype="float32")
        assert (result.tile, result.splits) == (tile, 1)


@pytest.mark.parametrize(
    ("m", "n", "tiles"),
    [
        (16, 4096, {"64x32_sliced1x4"}),  # m is what lies across: 16 take the kernel that is half as fast
        (17, 4096, {"128x32", "128x32_sliced1x4", "64x32_sliced1x4"}),
        (64, 64, {"128x128", "128x64", "64x64"}),
        (4096, 16, {"32x128"}),
        (4096, 4096, {"128x128", "128x64", "64x64"}),
        (48, 48, {tile.tile.name for tile in _FMA_TILES}),
    ],
)
def test_pascal_float32_takes_tiles_by_the_sides_of_c(load, m: int, n: int, tiles: set[str]) -> None:
    gpu = load("gtx_1080_ti")
    timer = gemm_timer(gpu, "float32", NT)
    shape = tuple(np.array([[float(size)]]) for size in (m, 1024, n))
    mask = considered("pascal", "float32", timer._names, timer.candidates, shape, gpu.sm.count)
    assert {name for name, taken in zip(timer._names, mask[0], strict=True) if taken} == tiles
    result = simulate_gemm(gpu, m, 1024, n, dtype="float32")
    assert result.tile in tiles


def test_all_tiles_are_considered_where_none_suits(load) -> None:
    timer = gemm_timer(load("gtx_1080_ti"), "float32", NT)
    only = timer.columns_of("128x128", 1)
    shape = tuple(np.array([[size]]) for size in (16.0, 64.0, 4096.0))
    assert considered("pascal", "float32", ["128x128"], only, shape, 28).all()


def test_volta_float32_prefers_what_its_library_believes_in(load) -> None:
    """3000 x 3000: 64x64 and 128x128 are faster by a little, and not taken; the model's ties do not count."""
    gpu = load("v100")
    timer = gemm_timer(gpu, "float32", NT)
    for size in (1000, 3000, 5000):
        shape = GemmShape(size, 2048, size, 4, 4)
        total, names = timer.estimate(shape, COLD).total[0], np.array(timer._names)
        weighed = total / np.where(np.isin(names, ["128x64", "128x32", "32x128"]), 1.0, 0.9)
        expected = np.argmin(np.where(names == "64x64", np.inf, weighed))
        chosen = simulate_gemm(gpu, size, 2048, size, transb=True, dtype="float32", warm=False)
        assert (chosen.tile, chosen.splits) == (names[expected], timer.candidates.splits[expected])
    assert names[np.argmin(total)] != chosen.tile
    sizes = tuple(np.array([[size]]) for size in (100.0, 2048.0, 100.0))
    mask = considered("volta", "float32", timer._names, timer.candidates, sizes, gpu.sm.count)
    assert (mask[0] == (names != "64x64")).all()


def test_results_leave_while_the_other_blocks_of_an_sm_multiply(load) -> None:
    """float32, 128x128 on V100, two blocks per SM: of however many waves, the last one's stores count."""
    gpu = load("v100")
    timer = gemm_timer(gpu, "float32", NT)
    columns = timer.columns_of("128x128", 1)
    one = 128 * 128 * 4 / gpu.l2.bytes_per_cycle_per_sm
    for blocks, stores in ((80, 1), (81, 2), (160, 2), (1600, 2)):
        estimate = timer.estimate(GemmShape(128 * blocks, 512, 128, 4, 4), COLD, columns)
        assert estimate.store[0, 0] == stores * one


def test_long_rows_wait_for_pages(load) -> None:
    """128 + 128 rows of k floats reach over 32 MiB from k = 32768 on; at twice that half of them miss."""
    cost = 0.4
    free, paid = (load("v100", f"effective.fma_page_cost={c}") for c in (0.0, cost))
    for k, missed in ((32768, 0.0), (65536, 0.5), (131072, 0.75)):
        shape = GemmShape(1024, k, 1024, 4, 4)
        base, slow = (
            GemmTimer(gpu, "float32", NT).estimate(shape, COLD).sms[0, 0] for gpu in (free, paid)
        )
        assert slow == pytest.approx(base * (1 + cost * missed))
    across = AlongK(False, False)  # k lies along no row: neighbours in memory
    base, same = (GemmTimer(gpu, "float32", across).estimate(shape, COLD).sms for gpu in (free, paid))
    assert (base == same).all()


def test_tensor_cores_are_used_where_they_take_the_type(load) -> None:
    def pipe(name: str, dtype: str) -> str:
        return catalogue(load(name), dtype)[0].pipe

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
    for placed in catalogue(gpu, dtype):
        blocks = placed.occupancy.blocks
        assert blocks >= 1
        assert (
            blocks * (placed.shared_bytes + gpu.sm.shared_memory_reserved_bytes) <= gpu.sm.shared_memory_bytes
        )
        assert blocks * placed.registers * placed.tile.threads <= gpu.registers


def test_more_sms_are_not_slower(load) -> None:
    """For a tile whose SMs are the bottleneck."""
    fast = ("dram.gb_per_s=100000.0", "l2.bytes_per_cycle=1000000", "l2.bytes_per_cycle_per_sm=10000")
    machines = [
        load("a100_80", f"sm.count={count}", *fast) for count in (1, 2, 5, 27, 54, 80, 108, 109, 132, 400)
    ]
    for m, k, n in itertools.product((64, 500, 4096), (300, 4096), (16, 333, 4096)):
        fixed = [timing_of(gpu, "128x128", GemmShape(m, k, n, 4, 4)).cycles for gpu in machines]
        assert all(after <= before + 3 for before, after in itertools.pairwise(fixed))
        best = [simulate_gemm(gpu, m, k, n).cycles for gpu in machines]
        assert all(after <= before + 3 for before, after in itertools.pairwise(best))


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
    slow, fast = load("v100", "clock.sustained_mhz=1000.0"), load("v100")
    result = simulate_gemm(slow, 2048, 2048, 2048, dtype="float32")
    assert result.time_us == result.cycles / 1000
    assert result.time_us > simulate_gemm(fast, 2048, 2048, 2048, dtype="float32").time_us
