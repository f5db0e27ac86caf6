"""The table unit's tables: the shared data of kernels, emulation and RTL (``make_tables.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]

# Entries of each table, in the order of the native core's struct.
SIZES: Mapping[str, int] = MappingProxyType(
    {"exp_t": 64, "log_r": 97, "log_l": 97, "tanh_t": 297, "tanh_s": 297}
)
_FILE = Path(__file__).with_name("tables.npz")
_VERSION = 1


@cache
def tables() -> Mapping[str, Float32]:
    """All tables by name, read-only.

    Raises:
        RuntimeError: the file is of another version or has other sizes than the arithmetic states.
    """
    with np.load(_FILE) as file:
        loaded = {name: np.ascontiguousarray(file[name], dtype=np.float32) for name in SIZES}
        version = int(file["version"])
    if version != _VERSION or any(loaded[name].shape != (SIZES[name],) for name in SIZES):
        raise RuntimeError(f"{_FILE.name}: expected the tables of version {_VERSION}")
    for table in loaded.values():
        table.setflags(write=False)
    return MappingProxyType(loaded)
