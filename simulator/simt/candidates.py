"""The kernels that a library could launch for a GEMM, as columns: each tile with each cut of k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.simt.tiles import PlacedTile

SPLITS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)

Cells = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Columns of kernels.

    ``tile`` numbers the tiles of a catalogue; ``along_m``, ``along_n`` are a block's rows and columns of C;
    ``k_tile_cycles[r]`` is what ``r`` resident blocks take for a k-tile each, up to ``residents``.
    """

    tile: npt.NDArray[np.int64]
    splits: Cells
    along_m: Cells
    along_n: Cells
    block_k: Cells
    cluster: Cells
    stages: Cells
    residents: Cells
    k_tile_cycles: Cells

    def __len__(self) -> int:
        return len(self.tile)

    def at(self, residents: npt.NDArray[np.int64]) -> Cells:
        """Cycles of a k-tile of each column at a number of residents each."""
        return self.k_tile_cycles[residents, np.arange(len(self))]


def candidates(
    positions: Sequence[int],
    tiles: Sequence[PlacedTile],
    loops: Sequence[Sequence[float]],
    *,
    splits: Sequence[int] | None = None,
    most_residents: int | None = None,
) -> Candidates:
    """The columns of the tiles at some positions of a catalogue.

    ``loops`` are the cycles of a k-tile at 1, 2, ... residents of each tile; ``splits`` the cuts of k (None:
    all usual ones); ``most_residents`` limits the blocks of an SM.
    """
    deepest = max(len(loops[index]) for index in positions)
    rows: list[tuple[int, ...]] = []
    cycles: list[list[float]] = []
    for index in positions:
        placed, row = tiles[index], loops[index]
        tile = placed.tile
        residents = min(len(row), most_residents or len(row))
        padded = [0.0, *row, *[row[-1]] * (deepest - len(row))]
        for cut in splits or SPLITS:
            sizes = (tile.along_m, tile.along_n, placed.block_k)
            rows.append((index, cut, *sizes, tile.cluster, tile.stages, residents))
            cycles.append(padded)
    tile, cuts, along_m, along_n, block_k, cluster, stages, residents = np.array(rows, np.float64).T
    k_tile_cycles = np.array(cycles).T
    return Candidates(
        tile.astype(np.int64), cuts, along_m, along_n, block_k, cluster, stages, residents, k_tile_cycles
    )
