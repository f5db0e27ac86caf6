"""What rows cost whose length is no multiple of 16 bytes: on tensor cores something, elsewhere nothing."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.machines.simt import SimtMachine
from simulator.simt.alignment import alignment_of
from simulator.simt.gemm import gemm_timer
from simulator.simt.machine import simulate_gemm
from simulator.simt.main_loop import AlongK, main_loops, ways_out
from simulator.simt.memory import COLD, GemmShape, Missing
from simulator.simt.tiles import ALIGNED, Alignment, catalogue
from simulator.simt.warp import main_loop_timing

NN, NT, TN = AlongK(True, False), AlongK(True, True), AlongK(False, False)
TENSOR_PRESETS = [
    ("v100", "float16"),
    ("a100_40", "bfloat16"),
    ("a100_80", "bfloat16"),
    ("h100", "bfloat16"),
    ("h200", "bfloat16"),
]
SHAPES = list(itertools.product((1, 100, 4096), (128, 777, 8192), (16, 777, 4096)))
IN_L2 = Missing(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("along_k", "m", "k", "n", "expected"),
    [
        (NT, 4095, 4096, 4096, (16, 16)),  # m is no row's length
        (NT, 8, 4100, 4096, (8, 16)),
        (NT, 8, 4096, 4098, (16, 4)),  # n is a row of C alone
        (NN, 8, 4096, 4098, (4, 4)),  # and of B
        (NN, 8, 4095, 4096, (2, 16)),
        (TN, 8, 4095, 4096, (16, 16)),  # k is no row's length
        (TN, 4094, 4095, 4100, (4, 8)),
        (NN, 8, 4096, 1, (16, 16)),  # vectors lie along k, and along m
        (NN, 7, 4096, 1, (16, 2)),
    ],
)
def test_rows_that_lie_in_memory_decide(
    load, along_k: AlongK, m: int, k: int, n: int, expected: tuple[int, int]
) -> None:
    shape = GemmShape(m, k, n, 2, 2)
    assert alignment_of(load("a100_40"), "bfloat16", shape, along_k) == expected
    assert alignment_of(load("p100"), "bfloat16", shape, along_k) == ALIGNED  # float32 lanes


def test_bytes_are_what_counts(load) -> None:
    gpu, along = load("h100"), NT
    assert alignment_of(gpu, "int8", GemmShape(8, 100, 100, 1, 4), along) == (4, 16)
    assert alignment_of(gpu, "int8", GemmShape(8, 101, 101, 1, 4), along) == (1, 4)
    assert alignment_of(gpu, "bfloat16", GemmShape(8, 100, 100, 2, 4), along) == (8, 16)
    assert alignment_of(gpu, "float32", GemmShape(8, 101, 101, 4, 4), along) == ALIGNED


@pytest.mark.parametrize(("name", "dtype"), TENSOR_PRESETS)
def test_aligned_rows_cost_nothing(load, name: str, dtype: str) -> None:
    """Every copy in one access, every byte across the port once, nothing added to the way out: exactly."""
    gpu: SimtMachine = load(name)
    tiles = catalogue(gpu, dtype)[::5]
    for along_k in (NT, TN) if tiles[0].pipe == "mma" else (NT,):
        assert {loop.crossing for loop in main_loops(gpu, tiles, along_k)} == {1.0}
    assert set(ways_out(gpu, tiles, 16)) == {(0.0, 1.0)}
    for m, k, n in itertools.product((1, 333, 4096), (64, 8192), (16, 50304)):
        result = simulate_gemm(gpu, m, k, n, transb=True, dtype=dtype, warm=False)
        timing = gemm_timer(gpu, dtype, NT).fastest(GemmShape(m, k, n, 2, 2), COLD)
        assert result.cycles == timing.cycles + gpu.to_cycles(gpu.launch.device_us)
        assert (result.tile, result.bytes_l2) == (timing.tile, timing.l2_bytes)


@pytest.mark.parametrize(("name", "dtype"), TENSOR_PRESETS)
def test_less_aligned_operands_are_never_faster(load, name: str, dtype: str) -> None:
    gpu = load(name)
    for shape, missing in itertools.product(SHAPES, (COLD, IN_L2)):
        cycles = [
            gemm_timer(gpu, dtype, NT, alignment=Alignment(operands, 16))
            .fastest(GemmShape(*shape, 2, 2), missing)
            .cycles
            for operands in (16, 8, 4, 2)
        ]
        assert cycles == sorted(cycles), (shape, cycles)
        if min(shape) == 4096:
            assert len(set(cycles)) == 4


def test_no_loop_is_faster_than_that_of_aligned_rows(load) -> None:
    """V100, (T,N): copies of 8 bytes happen to be issued in a better order, which counts for nothing."""
    gpu = load("v100")
    tiles = catalogue(gpu, "float16", Alignment(8, 16))
    less, aligned = (
        main_loops(gpu, tuple(replace(tile, alignment=rows) for tile in tiles), TN) for rows in (8, 16)
    )
    for slow, fast in zip(less, aligned, strict=True):
        assert all(most >= least for most, least in zip(slow.cycles, fast.cycles, strict=True))


@pytest.mark.parametrize(("name", "dtype"), TENSOR_PRESETS)
def test_less_aligned_results_are_never_faster(load, name: str, dtype: str) -> None:
    gpu = load(name)
    for shape, missing in itertools.product(SHAPES, (COLD, IN_L2)):
        timings = [
            gemm_timer(gpu, dtype, NT, alignment=Alignment(16, results)).fastest(
                GemmShape(*shape, 2, 2), missing
            )
            for results in (16, 8, 4, 2)
        ]
        cycles = [timing.cycles for timing in timings]
        assert cycles == sorted(cycles), (shape, cycles)


@pytest.mark.parametrize(("name", "dtype"), TENSOR_PRESETS)
def test_an_odd_k_is_slower_though_there_is_less_to_do(load, name: str, dtype: str) -> None:
    gpu = load(name)
    aligned, *less = (
        simulate_gemm(gpu, 4096, k, 4096, transb=True, dtype=dtype).cycles for k in (4096, 4092, 4094, 4095)
    )
    assert aligned < less[0] < less[1] < less[2]
    across = simulate_gemm(gpu, 4096, 4095, 4096, transa=True, dtype=dtype).cycles
    assert across <= simulate_gemm(gpu, 4096, 4096, 4096, transa=True, dtype=dtype).cycles


@pytest.mark.parametrize(
    ("title", "name", "dtype"),
    [("V100", "v100", "float16"), ("A100 80 GB", "a100_80", "bfloat16"), ("H100", "h100", "bfloat16")],
)
def test_the_page_says_what_is_simulated(load, title: str, name: str, dtype: str) -> None:
    page = (Path(__file__).parents[3] / "docs" / "simt.md").read_text(encoding="utf-8")
    (row,) = (line for line in page.splitlines() if line.startswith(f"| {title} (N,T) |"))
    aligned, *less = (
        simulate_gemm(load(name), 4096, k, n, transb=True, dtype=dtype).time_us
        for k, n in ((4096, 4096), (4092, 4096), (4094, 4096), (4095, 4096), (4096, 4095))
    )
    assert row.split("|")[2:-1] == [f" {time_us / aligned:.1f} " for time_us in less]


@pytest.mark.parametrize("name", ["p100", "v100", "a100_40", "h100"])
def test_float32_does_not_ask(load, name: str) -> None:
    gpu = load(name)
    for k, n in ((4095, 4096), (4096, 4095), (4095, 4095)):
        odd, even = (
            simulate_gemm(gpu, 4096, *sizes, transb=True, dtype="float32").cycles
            for sizes in ((k, n), (4096, 4096))
        )
        assert odd <= even


def test_partial_sectors_cross_l2(load) -> None:
    """64 bytes of k from every multiple of 2 bytes in turn: 64 + 30 on average; C: 64 bytes per store."""
    gpu = load("a100_40")
    odd = catalogue(gpu, "bfloat16", Alignment(2, 2))
    assert {(placed.tile.k_bytes, placed.tile.stages) for placed in odd} == {(64, 2)}
    for loop in main_loops(gpu, odd, NT):
        assert loop.crossing == pytest.approx((64 + 30) / 64)
    for way in ways_out(gpu, odd, 2):
        assert way.crossing == pytest.approx((64 + 30) / 64)
        assert way.cycles > 0
    shape = GemmShape(4096, 4096, 4096, 2, 2)
    exact, more = (
        gemm_timer(gpu, "bfloat16", NT, alignment=Alignment(2, results)).known(shape, COLD, "256x128", 1)
        for results in (16, 2)
    )
    assert more.l2_bytes - exact.l2_bytes == pytest.approx(30 / 64 * shape.c_bytes)
    assert more.dram_bytes == exact.dram_bytes


def test_without_bulk_copies_hopper_multiplies_like_ampere(load) -> None:
    """Rows of 8 bytes for A, B or C: mma, whose fragments keep shared memory busy: two thirds of the rate."""
    gpu = load("h100")
    assert {placed.pipe for placed in catalogue(gpu, "bfloat16")} == {"wgmma"}
    for alignment in (Alignment(16, 8), Alignment(8, 16), Alignment(2, 2)):
        assert {placed.pipe for placed in catalogue(gpu, "bfloat16", alignment)} == {"mma"}
    largest = catalogue(gpu, "bfloat16", Alignment(16, 8))[0]
    timing = main_loop_timing(gpu, largest, 1, port_bytes=4096)
    share = timing.macs_per_k_tile / float(timing.cycles_per_k_tile) / 2048
    assert 0.55 < share <= 2 / 3
    assert timing.wavefronts > 0.8 * timing.cycles
