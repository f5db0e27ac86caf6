"""Which kernels a library considers before the fastest is taken: it does not time them, it has beliefs.

For most kernels the fastest of the catalogue is close to what runs. cuBLAS's float32 kernels on Ampere are
the exception that the measurements show: the tile whose blocks fill the SMs' rounds best, each tile weighed
by a fixed belief in its efficiency, k uncut; only a C that is too small for the SMs is cut along k.

Source: the kernel names and grids of sitar-lab/NeuSight's float32 linear layers on A100 (69 of 100 tiles are
the ones chosen here; of the fastest 19).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.machines.simt import Generation

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
_SMALL_SIDE = 32  # of the smallest tile: C is too small if even this one leaves SMs without a second block
_SMALL_ROUNDS = 1.5


def considered(
    generation: Generation,
    is_float32: bool,
    tiles: Sequence[str],
    along_m: Any,
    along_n: Any,
    splits: Any,
    m: Any,
    n: Any,
    sms: int,
) -> npt.NDArray[np.bool_]:
    """True for each GEMM (rows) and kernel (columns) that the library takes into account.

    Shapes: ``m, n`` are columns, ``tiles, along_m, along_n, splits`` rows of one entry per kernel.
    """
    shape = np.broadcast_shapes(np.shape(m), np.shape(along_m))
    if not (is_float32 and generation == "ampere"):
        return np.ones(shape, bool)
    belief = np.array([_BELIEFS[tile] for tile in tiles])
    rounds = np.ceil(np.ceil(m / along_m) * np.ceil(n / along_n) / sms)
    weighed = np.where(splits == 1, rounds * along_m * along_n / belief, np.inf)
    chosen = weighed == weighed.min(axis=1, keepdims=True)
    small = np.ceil(m / _SMALL_SIDE) * np.ceil(n / _SMALL_SIDE) <= _SMALL_ROUNDS * sms
    return np.asarray(chosen | (small & (splits > 1)))
