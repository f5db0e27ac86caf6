"""Tensor-core GEMMs: which kernels a library considers, and what the last round and a cut tile cost."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.machines.simt import SimtMachine
from simulator.simt.choice import considered
from simulator.simt.gemm import GemmTimer, gemm_timer
from simulator.simt.ingredients import Ingredients
from simulator.simt.main_loop import AlongK
from simulator.simt.memory import COLD, GemmShape

NT = AlongK(True, True)


def taken(gpu: SimtMachine, m: int, k: int, n: int, dtype: str = "bfloat16") -> set[tuple[str, int]]:
    """Tiles and splits that are considered."""
    timer = gemm_timer(gpu, dtype, NT)
    shape = tuple(np.array([[float(size)]]) for size in (m, k, n))
    mask = considered(
        gpu.generation, timer._kind, timer._names, timer.candidates, shape, gpu.sm.count
    )
    splits = timer.candidates.splits.astype(int)
    return {(name, cut) for name, cut, on in zip(timer._names, splits, mask[0], strict=True) if on}


def everything(gpu: SimtMachine, dtype: str = "bfloat16") -> set[tuple[str, int]]:
    timer = gemm_timer(gpu, dtype, NT)
    return set(zip(timer._names, timer.candidates.splits.astype(int), strict=True))


LARGEST = ("256x128", "128x256")


@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (3328, 5120, 1024),  # 13 x 8 = 104 blocks of 128x256 on 108 SMs
        (3584, 64, 1024),  # one k-tile
        (127, 5120, 65536),  # narrower than the largest tile
        (65536, 5120, 127),
    ],
)
def test_ampere_leaves_the_choice_open_where_the_largest_tiles_do_not_fill_the_sms(
    load, m: int, k: int, n: int
) -> None:
    gpu = load("a100_80")
    assert taken(gpu, m, k, n) == everything(gpu)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("m", "k", "n"), [(3584, 5120, 1024), (3584, 65, 1024), (128, 1024, 30000), (3584, 6144, 1024)]
)
def test_ampere_takes_the_largest_tiles_uncut_where_they_fill_the_sms(
    load, dtype: str, m: int, k: int, n: int
) -> None:
    """3584 x 1024: 112 blocks; 128 x 30000: 118 of 256x128."""
    assert taken(load("a100_80"), m, k, n, dtype) == {(tile, 1) for tile in LARGEST}


def test_ampere_cuts_a_deep_k_of_them(load) -> None:
    gpu = load("a100_80")
    assert taken(gpu, 3584, 6145, 1024) == {each for each in everything(gpu) if each[0] in LARGEST}
    assert taken(gpu, 3328, 6145, 1024) == everything(gpu)


def test_ampere_runs_a_slower_kernel_than_the_fastest(load) -> None:
    """224 blocks of 128x128 are two rounds of which the second is almost empty; the library takes 256x128."""
    gpu = load("a100_80")
    timer, shape = gemm_timer(gpu, "bfloat16", NT), GemmShape(3584, 5120, 1024, 2, 2)
    total = timer.estimate(shape, COLD).total[0]
    chosen = timer.fastest(shape, COLD)
    assert (chosen.tile in LARGEST, chosen.splits) == (True, 1)
    assert timer._names[int(np.argmin(total))] not in LARGEST
    assert chosen.cycles > 1.1 * total.min()


@pytest.mark.parametrize(("name", "dtype"), [("v100", "float16"), ("h100", "bfloat16")])
def test_other_tensor_cores_take_the_fastest(load, name: str, dtype: str) -> None:
    gpu = load(name)
    timer, shape = gemm_timer(gpu, dtype, NT), GemmShape(3584, 5120, 1024, 2, 2)
    assert taken(gpu, 3584, 5120, 1024, dtype) == everything(gpu, dtype)
    estimate = timer.estimate(shape, COLD)
    assert timer.chosen(shape, estimate)[0] == np.argmin(estimate.total[0])


def test_a_tile_that_c_cuts_stores_a_part_of_the_rest_too(load) -> None:
    """64x64 on A100, 16 rows of C: 16, 40 and 64 rows' way out."""
    for whole, rows in ((0.0, 16), (0.5, 40), (1.0, 64)):
        gpu = load("a100_80", f"effective.tensor_tile_store={whole}")
        timer = GemmTimer(gpu, "bfloat16", NT)
        estimate = timer.estimate(GemmShape(16, 512, 64, 2, 2), COLD, timer.columns_of("64x64", 1))
        rate = gpu.effective.tensor_store_bytes_per_cycle
        assert estimate.store[0, 0] == pytest.approx(rows * 64 * 2 / rate)


@pytest.mark.parametrize(("blocks", "factor"), [(1, 108), (54, 2), (108, 1), (162, 4 / 3), (216, 1)])
def test_dram_slows_down_by_what_is_missing_in_the_last_round(load, blocks: int, factor: float) -> None:
    """108 SMs, 64x64, at a power of 1: rounds x 108 / blocks; without waves nothing is missing."""
    shape = GemmShape(64 * blocks, 512, 64, 2, 2)

    def dram(power: float, waves: bool = True) -> float:
        gpu = load("a100_80", f"effective.tensor_uneven_dram={power}")
        timer = GemmTimer(gpu, "bfloat16", NT, Ingredients(waves=waves))
        return float(timer.estimate(shape, COLD, timer.columns_of("64x64", 1)).dram[0, 0])

    assert dram(1.0) == pytest.approx(factor * dram(0.0))
    assert dram(0.5) == pytest.approx(factor**0.5 * dram(0.0))
    assert dram(1.0, waves=False) == pytest.approx(dram(0.0, waves=False))


def test_float32_pays_neither(load) -> None:
    shape = GemmShape(16, 512, 100, 4, 4)
    plain, paid = (
        gemm_timer(
            load("a100_40", f"effective.tensor_tile_store={x}", f"effective.tensor_uneven_dram={x}"),
            "float32",
            NT,
        ).estimate(shape, COLD)
        for x in (0.0, 1.0)
    )
    assert (plain.dram == paid.dram).all() and (plain.store == paid.store).all()
