"""Steady states of main loops, what they say of tiles, and how they are remembered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.simt import warp
from simulator.simt.tiles import PlacedTile, Tile, catalogue
from simulator.simt.warp import Layout, cache, loop_of, main_loop_timing
from simulator.simt.warp.instructions import Instruction, Op, WarpProgram
from simulator.simt.warp.sm import Sm
from simulator.simt.warp.timing import simulate


def ideal(machine, dtype: str, timing: warp.WarpTiming) -> float:
    """Share of the pipe's peak."""
    peak = machine.peak_macs_per_cycle(dtype) // machine.sm.count
    return timing.blocks * timing.macs_per_k_tile / peak / float(timing.cycles_per_k_tile)


def placed(machine, dtype: str, tile: Tile) -> PlacedTile:
    """A tile that need not be in the catalogue, as the catalogue would place it."""
    first = catalogue(machine, dtype)[0]
    return PlacedTile(tile, first.pipe, first.item_bytes, first.registers, 0, first.occupancy)


@pytest.mark.parametrize(
    ("machine", "dtype", "tile"),
    [
        ("v100", "float32", Tile(128, 128, 32, 64, 32, 2)),
        ("v100", "float16", Tile(128, 128, 64, 64, 64, 2)),
        ("a100_40", "bfloat16", Tile(128, 128, 64, 64, 64, 4)),
        ("h100", "bfloat16", Tile(128, 256, 128, 16, 256, 4)),
    ],
)
def test_large_tiles_come_near_the_peak_and_never_above(load, machine: str, dtype: str, tile: Tile) -> None:
    gpu = load(machine)
    at = placed(gpu, dtype, tile)
    timings = [simulate(loop_of(gpu, at, blocks)) for blocks in range(1, at.occupancy.blocks + 1)]
    shares = [ideal(gpu, dtype, timing) for timing in timings]
    assert 0.8 < max(shares) <= 1
    assert shares[-1] >= shares[0] - 0.01


def test_a_period_is_the_mean_of_a_long_run(load) -> None:
    """What repeats itself over a few k-tiles is also the average over many."""
    gpu = load("a100_40")
    loop = loop_of(gpu, placed(gpu, "bfloat16", Tile(256, 64, 64, 64, 64, 4)), 1)
    timing = simulate(loop)
    assert timing.period > 1
    ends = Sm(loop.core, loop.program(), 1, 30 + 10 * timing.period).run().k_tile_ends[0]
    steps = [later - sooner for sooner, later in pairwise(ends)]
    assert len(set(steps[10 : 10 + timing.period])) > 1
    assert ends[10 + 10 * timing.period] - ends[10] == 10 * timing.period * timing.cycles_per_k_tile


def test_wavefronts_matter_where_fragments_are_small(load) -> None:
    """Twice the wavefronts of every fragment: nothing for 8x8 of C per thread, a lot for 4x4."""
    gpu = load("v100")
    slower = []
    for tile in (Tile(128, 128, 32, 64, 32, 2), Tile(128, 32, 32, 32, 16, 2)):
        loop = loop_of(gpu, placed(gpu, "float32", tile), 1)
        program = loop.program()
        conflicting = replace(program, warps=tuple(conflicts(w) for w in program.warps))
        ends = [Sm(loop.core, p, 1, 8).run().k_tile_ends[0] for p in (program, conflicting)]
        slower.append((ends[1][6] - ends[1][2]) / (ends[0][6] - ends[0][2]))
    assert slower[0] < 1.1
    assert slower[1] > 1.15


def conflicts(program: WarpProgram) -> WarpProgram:
    """The program with two-way bank conflicts in every load from shared memory."""

    def conflicting(code: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        return tuple(replace(i, wavefronts=2 * i.wavefronts) if i.op is Op.LDS else i for i in code)

    return replace(program, bodies=tuple(conflicting(body) for body in program.bodies))


def test_transposed_operands_cost_stores_not_sectors(load) -> None:
    gpu = load("v100")
    at = placed(gpu, "float32", Tile(128, 128, 32, 64, 32, 2))
    along, across = (
        simulate(loop_of(gpu, at, 1, layout)) for layout in (Layout(True, True), Layout(False, False))
    )
    assert along.issued["STS"] == 4 * across.issued["STS"]  # a word of each of four columns, or a vector
    assert along.loaded_bytes == across.loaded_bytes
    assert along.fill_cycles >= across.fill_cycles


def test_a_farther_memory_delays_the_start_not_the_loop(load) -> None:
    gpu = load("a100_40")
    at = placed(gpu, "bfloat16", Tile(128, 128, 64, 64, 64, 4))
    near, far = (simulate(loop_of(gpu, at, 1, memory_latency=latency)) for latency in (200, 700))
    assert far.fill_cycles == near.fill_cycles + 500
    assert far.cycles_per_k_tile == near.cycles_per_k_tile


def test_a_narrow_port_bounds_the_loop(load) -> None:
    gpu = load("a100_40")
    at = placed(gpu, "bfloat16", Tile(128, 128, 64, 64, 64, 4))
    timing = simulate(loop_of(gpu, at, 1, port_bytes=8))
    assert timing.cycles_per_k_tile == 256 * 64 / 8


@pytest.fixture
def kept(load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A loop whose simulation is quick, an empty cache, and how often it was simulated."""
    monkeypatch.setenv("PULSETRAIN_CACHE", str(tmp_path))
    warp._timing.cache_clear()
    gpu = load("v100")
    at = catalogue(gpu, "float32")[-1]
    simulated: list[object] = []

    def counted(loop):
        simulated.append(loop)
        return simulate(loop)

    monkeypatch.setattr(warp, "simulate", counted)
    yield gpu, at, simulated
    warp._timing.cache_clear()


def stored() -> list[Path]:
    return sorted(cache.folder().iterdir())


def test_timings_are_kept_in_memory_and_on_disk(kept) -> None:
    gpu, at, simulated = kept
    first = main_loop_timing(gpu, at, 1)
    assert main_loop_timing(gpu, at, 1) is first
    warp._timing.cache_clear()
    assert main_loop_timing(gpu, at, 1) == first
    assert len(simulated) == 1
    assert [path.suffix for path in stored()] == [".json"]


def test_another_loop_is_another_entry(kept, load) -> None:
    gpu, at, simulated = kept
    main_loop_timing(gpu, at, 1)
    main_loop_timing(gpu, at, 1, Layout(False, True))
    main_loop_timing(gpu, at, 2)
    main_loop_timing(load("v100", "sm.fma_latency_cycles=5"), at, 1)
    main_loop_timing(load("v100", "dram.gb_per_s=800"), at, 1)  # the loop does not depend on it
    assert len(simulated) == len(stored()) == 4


DAMAGES = ["", "{}", "[1]", '{"check": "0", "timing": {}}', "cut", "changed", "\udc80"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_again(kept, damage: str) -> None:
    gpu, at, simulated = kept
    first = main_loop_timing(gpu, at, 1)
    (path,) = stored()
    whole = path.read_text()
    if damage == "changed":
        content = json.loads(whole)
        content["timing"]["cycles_per_k_tile"] = "1"
        damage = json.dumps(content)
    elif damage == "cut":
        damage = whole[:-9]
    path.write_bytes(damage.encode(errors="surrogateescape"))
    warp._timing.cache_clear()
    assert main_loop_timing(gpu, at, 1) == first
    assert len(simulated) == 2
    assert path.read_text() == whole


def test_other_code_has_other_entries(kept, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, at, _ = kept
    loop = loop_of(gpu, at, 1)
    before = cache.key(loop)
    monkeypatch.setattr(cache, "_sources", lambda: b"changed")
    assert cache.key(loop) != before


def test_it_works_without_a_place_to_write(kept, monkeypatch, tmp_path: Path) -> None:
    gpu, at, simulated = kept
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PULSETRAIN_CACHE", str(tmp_path / "file"))
    assert main_loop_timing(gpu, at, 1).blocks == 1
    assert len(simulated) == 1


_CHILD = """
from simulator.machines.loader import load_machine
from simulator.simt.tiles import catalogue
from simulator.simt.warp import main_loop_timing
gpu = load_machine("v100")
at = catalogue(gpu, "float32")[-1]
print([str(main_loop_timing(gpu, at, blocks).cycles_per_k_tile) for blocks in (1, 2, 3)])
"""


def test_processes_share_a_cache(kept, tmp_path: Path) -> None:
    """Four at once, nothing half-written, the same answers, no left-over."""
    environment = os.environ | {"PULSETRAIN_CACHE": str(tmp_path)}

    def child(_: int) -> str:
        command = [sys.executable, "-c", _CHILD]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(child, range(4)))
    assert len(answers) == 1
    assert [path.suffix for path in stored()] == [".json"] * 3


@pytest.mark.parametrize("blocks", [0, -1, 99])
def test_more_blocks_than_fit(load, blocks: int) -> None:
    gpu = load("v100")
    at = catalogue(gpu, "float32")[0]
    with pytest.raises(ValueError, match=rf"blocks = {blocks}: 1 to {at.occupancy.blocks} fit an SM"):
        main_loop_timing(gpu, at, blocks)
