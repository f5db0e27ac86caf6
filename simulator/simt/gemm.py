"""A GEMM kernel: tiles and cuts of k as thread blocks in waves over the SMs, and the fastest of them.

All candidates of a GEMM, or of a column of GEMMs, are estimated at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import OutOfDomain
from simulator.machines.simt import Dtype, SimtMachine
from simulator.simt.candidates import Candidates, Cells, candidates
from simulator.simt.choice import Kind, believed, considered
from simulator.simt.ingredients import ALL, Ingredients
from simulator.simt.main_loop import AlongK, main_loops, ways_out
from simulator.simt.memory import (
    COLD,
    AlongRows,
    GemmShape,
    Missing,
    dram_traffic,
    l2_traffic,
    page_misses,
)
from simulator.simt.result import Bound, KernelTiming, Wave
from simulator.simt.tiles import ALIGNED, Alignment, PlacedTile, catalogue

_PARTIAL_BYTES = 4  # a split's sums are float32 (int32)
# Up to the first time the clock under load is the burst's, from the second on the power limit's.
_BURST_US, _LOADED_US = 100.0, 10_000.0


@dataclass(frozen=True)
class Estimate:
    """GEMMs (rows) on candidates (columns).

    The main loops of all waves take ``main``, which is more than each of ``sms``, ``l2`` and ``dram`` alone;
    ``starved`` is what it takes when too few bytes are under way. ``fill`` comes before, ``store`` is what
    of the results' way out nothing overlaps, ``split`` adds the parts of a cut k.

    Units: cycles, but for ``blocks`` and the bytes.
    """

    blocks: Cells
    sms: Cells
    l2: Cells
    dram: Cells
    starved: Cells
    main: Cells
    fill: Cells
    store: Cells
    split: Cells
    l2_bytes: Cells
    dram_bytes: Cells

    @property
    def total(self) -> Cells:
        """Cycles from the first block's start to the last one's end."""
        return self.fill + self.main + self.store + self.split


class GemmTimer:
    """GEMM kernels of one operand type, layout and alignment on one machine.

    Raises:
        OutOfDomain: no tile of the catalogue fits an SM.
    """

    def __init__(
        self,
        machine: SimtMachine,
        dtype: Dtype,
        along_k: AlongK,
        ingredients: Ingredients = ALL,
        alignment: Alignment = ALIGNED,
    ) -> None:
        self.machine, self.ingredients, self._along_k = machine, ingredients, along_k
        self.tiles = catalogue(machine, dtype, alignment)
        if not self.tiles:
            raise OutOfDomain(
                f"{machine.name}: an SM has no room for any thread-block tile of a {dtype} GEMM"
            )
        pipe, effective = self.tiles[0].pipe, machine.effective
        on_tensor = pipe in ("mma", "wgmma")
        lasting = effective.tensor_fraction if on_tensor else effective.fma_fraction
        self._overlap = effective.tensor_overlap if on_tensor else effective.fma_overlap
        self._kind: Kind = (
            "tensor" if on_tensor else "float32" if (pipe, dtype) == ("fma", "float32") else "other"
        )
        self._serial_us = 0.0 if on_tensor else effective.fma_split_serial_us
        self._loaded = effective.tensor_loaded_fraction if on_tensor else 1.0
        port = float(machine.l2.bytes_per_cycle_per_sm)
        self._store_rate = effective.tensor_store_bytes_per_cycle if on_tensor else port
        self._persistent = pipe == "wgmma"  # a block stores one tile while it multiplies the next
        loops = main_loops(machine, self.tiles, along_k)
        self._loops = [[cycles / lasting for cycles in loop.cycles] for loop in loops]
        self._reads = np.array([loop.crossing for loop in loops])
        out = ways_out(machine, self.tiles, alignment.results)
        self._stores = np.array([way.cycles for way in out]), np.array([way.crossing for way in out])
        self.candidates = self._columns(range(len(self.tiles)), None if ingredients.split_k else (1,))
        self._names = [self.tiles[i].tile.name for i in self.candidates.tile]

    def fastest(self, shape: GemmShape, missing: Missing) -> KernelTiming:
        """What the machine's library would pick: the fastest of what it considers."""
        estimate = self.estimate(shape, missing)
        return self._timing(shape, self.candidates, estimate, int(self.chosen(shape, estimate)[0]))

    def chosen(self, shape: GemmShape, estimate: Estimate) -> npt.NDArray[np.int64]:
        """The column of ``candidates`` that the library picks, for each GEMM of an estimate."""
        cycles = estimate.total
        if self.ingredients.choice:
            m, k, n = (np.asarray(size, np.float64).reshape(-1, 1) for size in (shape.m, shape.k, shape.n))
            generation, sms = self.machine.generation, self.machine.sm.count
            mask = considered(generation, self._kind, self._names, self.candidates, (m, k, n), sms)
            cycles = np.where(mask, cycles / believed(generation, self._kind, self._names), np.inf)
        picked: npt.NDArray[np.int64] = np.argmin(cycles, axis=1)
        return picked

    def known(self, shape: GemmShape, missing: Missing, tile: str, splits: int) -> KernelTiming:
        """The kernel with this tile and these splits; of several with the tile's name, the fastest.

        Raises:
            ValueError: the catalogue does not have the tile.
        """
        columns = self.columns_of(tile, splits)
        estimate = self.estimate(shape, missing, columns)
        return self._timing(shape, columns, estimate, int(np.argmin(estimate.total[0])))

    def columns_of(self, tile: str, splits: int) -> Candidates:
        """The candidates with a tile's name and these splits.

        Raises:
            ValueError: the catalogue does not have the tile.
        """
        positions = [i for i, placed in enumerate(self.tiles) if placed.tile.name == tile]
        if not positions:
            known = ", ".join(dict.fromkeys(placed.tile.name for placed in self.tiles))
            raise ValueError(f"tile = {tile!r}: {self.machine.name} has {known}")
        return self._columns(positions, (splits,))

    def estimate(self, shape: GemmShape, missing: Missing, columns: Candidates | None = None) -> Estimate:
        """All candidates, or those of ``columns``, for one GEMM or for columns of them."""
        machine, on = self.machine, self.ingredients
        chosen = columns or self.candidates
        m, k, n = (np.asarray(size, np.float64).reshape(-1, 1) for size in (shape.m, shape.k, shape.n))
        shape = GemmShape(m, k, n, shape.in_bytes, shape.out_bytes)
        absent = missing if on.l2 else COLD
        a, b, c = (np.asarray(x, np.float64).reshape(-1, 1) for x in (absent.a, absent.b, absent.c))
        is_split = chosen.splits > 1
        blocks = np.ceil(m / chosen.along_m) * np.ceil(n / chosen.along_n) * chosen.splits
        k_tiles = np.ceil(np.ceil(k / chosen.block_k) / chosen.splits)
        rows, cols = np.minimum(chosen.along_m, m), np.minimum(chosen.along_n, n)
        way_out = rows * cols
        if self._kind == "tensor":  # a tile passes shared memory as a whole
            whole = machine.effective.tensor_tile_store
            way_out = (rows + whole * (chosen.along_m - rows)) * (cols + whole * (chosen.along_n - cols))
        stored = way_out * np.where(is_split, _PARTIAL_BYTES, shape.out_bytes)
        longer, crossing = (of_tile[chosen.tile] for of_tile in self._stores)
        longer = np.where(is_split, 0.0, longer)  # the parts of a cut k have rows of their own, aligned
        written = np.where(is_split, m * n * _PARTIAL_BYTES * chosen.splits, shape.c_bytes * crossing)
        resident = np.minimum(blocks, machine.sm.count * chosen.residents)
        sms, storing = self._sm_cycles(chosen, blocks, k_tiles, stored / self._store_rate + stored * longer)
        read = l2_traffic(shape, chosen.along_m, chosen.along_n, chosen.cluster)
        l2_rate = self._l2_rate(np.minimum(blocks, machine.sm.count))
        tiles = (chosen.along_m, chosen.along_n)
        along_rows = None
        if self._kind != "tensor" and on.rows:
            depth = k_tiles * chosen.block_k
            along_rows = AlongRows(*self._along_k, chosen.block_k * shape.in_bytes, depth)
            sms = sms * (1 + machine.effective.fma_page_cost * page_misses(shape, *tiles, along_rows))
        fetched = dram_traffic(machine, shape, *tiles, resident, Missing(a, b, c), along_rows)
        crossed = read * self._reads[chosen.tile]
        l2, dram = (crossed / l2_rate) * on.l2, fetched / machine.dram_bytes_per_cycle
        if self._kind == "tensor" and on.waves:  # SMs without a block in the last round ask for nothing
            rounds = np.ceil(blocks / machine.sm.count)
            dram = dram * (rounds * machine.sm.count / blocks) ** machine.effective.tensor_uneven_dram
        out_l2, out_dram = (written / l2_rate) * on.l2, c * shape.c_bytes / machine.dram_bytes_per_cycle
        if self._persistent:
            sms, l2, dram = sms + storing, l2 + out_l2, dram + out_dram
            store = np.zeros_like(sms)
        elif self._kind != "tensor":  # an SM's other blocks multiply meanwhile, but for its last ones
            l2, dram = l2 + out_l2, dram + out_dram
            last = np.minimum(chosen.residents, np.ceil(blocks / machine.sm.count))
            store = last * stored / self._store_rate
        else:
            store = np.maximum(storing, np.maximum(out_l2, out_dram))
        is_cold = np.maximum(a, b)
        latency = machine.l2.latency_cycles + is_cold * self._cycles(machine.effective.dram_ramp_us)
        # A block has all stages but one under way: so much comes in one latency.
        ahead = np.minimum(chosen.stages - 1, k_tiles) * chosen.block_k * shape.in_bytes * (rows + cols)
        starved = read * latency / (ahead * resident)
        power = self._overlap
        main = np.maximum((sms**power + l2**power + dram**power) ** (1 / power), starved)
        parts_us = machine.effective.split_us + chosen.splits * self._serial_us
        split = is_split * (self._cycles(1.0) * parts_us + (written + shape.c_bytes) / l2_rate)
        moved = fetched + c * shape.c_bytes
        through_l2 = crossed + written + is_split * (written + shape.c_bytes)
        fill = latency + np.zeros_like(main)
        return Estimate(blocks, sms, l2, dram, starved, main, fill, store, split, through_l2, moved)

    def _columns(self, positions: Sequence[int], splits: Sequence[int] | None) -> Candidates:
        most = None if self.ingredients.occupancy else 1
        return candidates(positions, self.tiles, self._loops, splits=splits, most_residents=most)

    def _sm_cycles(
        self, chosen: Candidates, blocks: Cells, k_tiles: Cells, store: Cells
    ) -> tuple[Cells, Cells]:
        """Cycles in which the fullest SM runs its main loops, and in which it stores its blocks' results,
        each in ``store`` cycles.

        Waves of as many blocks as it holds, then the rest.
        """
        residents, ends = chosen.residents, self.machine.effective.block_cycles
        wave = k_tiles * chosen.at(residents.astype(np.int64)) + ends
        if self.ingredients.waves:
            per_sm = np.ceil(blocks / self.machine.sm.count)
            full = np.floor(per_sm / residents)
            rest = (per_sm - full * residents).astype(np.int64)
            cycles = full * wave + (rest > 0) * (k_tiles * chosen.at(rest) + ends)
        else:
            per_sm = blocks / self.machine.sm.count
            cycles = per_sm / residents * wave
        us = np.maximum(cycles / self.machine.clock.sustained_mhz, _BURST_US)
        loaded = np.minimum(1.0, np.log(us / _BURST_US) / math.log(_LOADED_US / _BURST_US))
        return cycles / self._loaded**loaded, per_sm * store

    def _l2_rate(self, sms: Any) -> Any:
        """Bytes per cycle that L2 delivers to a number of SMs."""
        l2 = self.machine.l2
        together = l2.bytes_per_cycle * self.machine.effective.l2_fraction
        return np.minimum(together, sms * l2.bytes_per_cycle_per_sm)

    def _cycles(self, us: float) -> float:
        return us * self.machine.clock.sustained_mhz

    def _timing(
        self, shape: GemmShape, columns: Candidates, estimate: Estimate, column: int
    ) -> KernelTiming:
        """The result of one candidate: its waves share the main loops' time by what their SMs do."""

        def of(cells: Cells) -> float:
            return float(cells[0, column])

        placed = self.tiles[columns.tile[column]]
        residents, blocks = int(columns.residents[column]), int(of(estimate.blocks))
        sms, waves_cycles = self.machine.sm.count, of(estimate.main) + of(estimate.store)
        k_tiles = math.ceil(math.ceil(shape.k / placed.block_k) / columns.splits[column])
        counted = [
            (count, math.ceil(count / sms), repeats) for count, repeats in waves_of(blocks, sms * residents)
        ]
        weights = [
            k_tiles * float(columns.k_tile_cycles[per_sm, column]) + self.machine.effective.block_cycles
            for _, per_sm, _ in counted
        ]
        scale = waves_cycles / sum(w * repeats for w, (_, _, repeats) in zip(weights, counted, strict=True))
        waves = tuple(
            Wave(count, per_sm, math.ceil(weight * scale), repeats)
            for weight, (count, per_sm, repeats) in zip(weights, counted, strict=True)
        )
        return KernelTiming(
            fill_cycles=math.ceil(of(estimate.fill)),
            waves=waves,
            drain_cycles=math.ceil(of(estimate.split)),
            parts=_parts(estimate, column),
            occupancy=_occupancy(placed, residents),
            tile=placed.tile.name,
            splits=int(columns.splits[column]),
            dram_bytes=round(of(estimate.dram_bytes)),
            l2_bytes=round(of(estimate.l2_bytes)),
            needed_blocks=blocks,
        )


def _parts(estimate: Estimate, column: int) -> dict[Bound, float]:
    """Cycles by what bounds them: the main loops have the slowest of their parts to thank."""
    main: dict[Bound, Cells] = {
        "compute": estimate.sms,
        "l2": estimate.l2,
        "dram": estimate.dram,
        "latency": estimate.starved,
    }
    slowest = max(main, key=lambda bound: float(main[bound][0, column]))
    way_out: Bound = "dram" if estimate.dram_bytes[0, column] else "l2"
    parts: dict[Bound, float] = {}
    for bound, cells in (
        (slowest, estimate.main),
        ("latency", estimate.fill),
        (way_out, estimate.store),
        ("launch", estimate.split),
    ):
        parts[bound] = parts.get(bound, 0.0) + float(cells[0, column])
    return parts


def _occupancy(placed: PlacedTile, residents: int) -> float:
    return placed.occupancy.fraction * residents / placed.occupancy.blocks


@functools.lru_cache(maxsize=256)
def gemm_timer(
    machine: SimtMachine,
    dtype: Dtype,
    along_k: AlongK,
    ingredients: Ingredients = ALL,
    alignment: Alignment = ALIGNED,
) -> GemmTimer:
    """The timer of a machine, an operand type, a layout and an alignment, made once."""
    return GemmTimer(machine, dtype, along_k, ingredients, alignment)


def waves_of(blocks: int, slots: int) -> Iterator[tuple[int, int]]:
    """(blocks, repeats) of the waves in which ``slots`` places take ``blocks`` blocks: full ones, then the
    tail.
    """
    full, tail = divmod(blocks, slots)
    if full:
        yield slots, full
    if tail:
        yield tail, 1
