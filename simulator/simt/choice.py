"""Which kernels a library considers before the fastest is taken: it does not time them, it has beliefs.

For most kernels the fastest of the catalogue is close to what runs. The exceptions that measurements of
cuBLAS show:

float32 on Pascal: a side of C of up to 32 gets a tile 32 wide, one of 64 or more a tile at least 64 wide, and
where C has up to 16 rows (columns, as cuBLAS counts) one slow kernel is taken. Source: the times of
baidu-research/DeepBench's GEMMs on GTX 1080 Ti and TITAN Xp: 16 take about twice the time of 32.

float32 on Volta: the fastest, but 64x64 is not taken, and 128x64, 128x32 and 32x128 are preferred to what is
little faster. Source: the kernel names of sitar-lab/NeuSight's linear layers on V100 (54 of 100 tiles are the
ones chosen here; of the fastest 27).

float32 on Ampere: the tile whose blocks fill the SMs' rounds best, each tile weighed by a fixed belief in its
efficiency, k uncut; only a C that is too small for the SMs is cut along k. Source: the kernel names and grids
of sitar-lab/NeuSight's float32 linear layers on A100 (69 of 100 tiles are the ones chosen here; of the
fastest 19).

Tensor cores: where C has more blocks of the largest tile than there are SMs, no smaller tile is taken, even
if its blocks would fill the last round better, and k is cut only where it is deep. Source: the times of
ai-dynamo/aiconfigurator's bf16 GEMMs on A100, which in that range are those of 256x128 and 128x256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from simulator.machines.simt import Generation
from simulator.simt.candidates import Candidates, Cells

Kind = Literal["float32", "tensor", "other"]

# How efficient the library takes a tile to be, relative to the best.
_BELIEFS: Mapping[str, float] = {
    "128x64": 1.0,
    "128x32": 0.96,
    "32x128": 0.96,
    "64x32_sliced1x4": 0.83,
    "32x32_sliced1x4": 0.815,
    "128x128": 0.815,
    "128x32_sliced1x4": 0.74,
    "64x64": 0.7,
}
_VOLTA_FAVOURITES, _VOLTA_BELIEF = ("128x64", "128x32", "32x128"), 0.9  # in all other tiles
_NOT_ON_VOLTA = "64x64"
_NARROW, _WIDE = 32, 64  # Pascal: sides of C and of tiles
_FEW_ROWS, _OF_FEW_ROWS = 16, "64x32_sliced1x4"
_SMALL_SIDE = 32  # of the smallest tile: C is too small if even this one leaves SMs without a second block
_SMALL_ROUNDS = 1.5
# Of k: where C fills the SMs, no cut up to this depth was seen on tensor cores.
_UNCUT_DEPTH = 6144


def considered(
    generation: Generation,
    kind: Kind,
    tiles: Sequence[str],
    kernels: Candidates,
    shape: tuple[Cells, Cells, Cells],
    sms: int,
) -> npt.NDArray[np.bool_]:
    """True for each GEMM (rows) and kernel (columns) that the library takes into account.

    Where the SM has no room for those, all are.

    Shapes: ``shape`` is the columns of m, k and n; ``tiles`` has an entry per kernel.
    """
    if generation == "pascal" and kind == "float32":
        mask = _of_pascal(tiles, kernels, shape)
    elif generation == "ampere" and kind == "float32":
        mask = _of_float32(tiles, kernels, shape, sms)
    elif generation == "ampere" and kind == "tensor":
        mask = _of_tensor_cores(kernels, shape, sms)
    else:
        mask = np.ones((len(shape[0]), len(kernels)), bool)
        if generation == "volta" and kind == "float32":
            mask &= np.array(tiles) != _NOT_ON_VOLTA
    return mask | ~mask.any(axis=1, keepdims=True)


def believed(generation: Generation, kind: Kind, tiles: Sequence[str]) -> Cells:
    """How efficient the library takes each kernel to be, relative to what it is."""
    if not (generation == "volta" and kind == "float32"):
        return np.ones(len(tiles))
    return np.where(np.isin(tiles, _VOLTA_FAVOURITES), 1.0, _VOLTA_BELIEF)


def _of_pascal(
    tiles: Sequence[str], kernels: Candidates, shape: tuple[Cells, Cells, Cells]
) -> npt.NDArray[np.bool_]:
    m, _, n = shape

    def suits(tile_side: Cells, side: Cells) -> npt.NDArray[np.bool_]:
        wide = (side < _WIDE) | (tile_side >= _WIDE)
        return np.asarray(np.where(side <= _NARROW, tile_side == _NARROW, wide))

    either = suits(kernels.along_m, m) & suits(kernels.along_n, n)
    return np.where(m <= _FEW_ROWS, np.array(tiles) == _OF_FEW_ROWS, either)


def _blocks(kernels: Candidates, m: Cells, n: Cells) -> Cells:
    """Of a C that is not cut along k."""
    return np.asarray(np.ceil(m / kernels.along_m) * np.ceil(n / kernels.along_n))


def _of_float32(
    tiles: Sequence[str], kernels: Candidates, shape: tuple[Cells, Cells, Cells], sms: int
) -> npt.NDArray[np.bool_]:
    m, _, n = shape
    belief = np.array([_BELIEFS[tile] for tile in tiles])
    rounds = np.ceil(_blocks(kernels, m, n) / sms)
    weighed = np.where(kernels.splits == 1, rounds * kernels.along_m * kernels.along_n / belief, np.inf)
    chosen = weighed == weighed.min(axis=1, keepdims=True)
    small = np.ceil(m / _SMALL_SIDE) * np.ceil(n / _SMALL_SIDE) <= _SMALL_ROUNDS * sms
    return np.asarray(chosen | (small & (kernels.splits > 1)))


def _of_tensor_cores(
    kernels: Candidates, shape: tuple[Cells, Cells, Cells], sms: int
) -> npt.NDArray[np.bool_]:
    """A C narrower than the largest tile, or a k of one k-tile, is left to whatever is fastest."""
    m, k, n = shape
    area = kernels.along_m * kernels.along_n
    largest = area == area.max()
    fewest = np.where(largest, _blocks(kernels, m, n), np.inf).min(axis=1, keepdims=True)
    side = np.minimum(kernels.along_m, kernels.along_n)[largest].min()
    filled = (fewest > sms) & (np.minimum(m, n) >= side) & (k > kernels.block_k[largest].min())
    return np.asarray(~filled | (largest & ((kernels.splits == 1) | (k > _UNCUT_DEPTH))))
