"""Shapes of many GEMMs, as the closed forms take them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.errors import ConfigError
from simulator.fast.program import Longs

LARGEST = 1 << 20  # of m, k, n


def shapes(m: npt.ArrayLike, k: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Longs, Longs, Longs]:
    """m, k and n as they were given, checked.

    Raises:
        ConfigError: one is not an integer from 1 to 2^20.
    """
    return _sizes("m", m), _sizes("k", k), _sizes("n", n)


def _sizes(name: str, given: npt.ArrayLike) -> Longs:
    sizes = np.asarray(given)
    if sizes.dtype.kind not in "iu" or sizes.size == 0 or not 1 <= sizes.min() <= sizes.max() <= LARGEST:
        raise ConfigError(f"{name}: integers from 1 to {LARGEST} are allowed")
    return sizes.astype(np.int64, copy=False)
