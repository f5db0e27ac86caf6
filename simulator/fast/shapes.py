"""Shapes of many GEMMs and columns of numbers, as the closed forms take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.errors import ConfigError
from simulator.fast.program import Longs
from simulator.machines.arguments import LARGEST, check_choice, given

Inside = npt.NDArray[np.bool_]
_ITEM_BYTES: Final = {"bfloat16": 2, "int8": 1}


def shapes(m: npt.ArrayLike, k: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Longs, Longs, Longs]:
    """m, k and n as they were given, checked.

    Raises:
        ConfigError: one is not an integer from 1 to 2^20, or they do not broadcast together.
    """
    found = _sizes("m", m), _sizes("k", k), _sizes("n", n)
    if not found[0].shape == found[1].shape == found[2].shape:
        common_shape(dict(zip("mkn", found, strict=True)))
    return found


def common_shape(columns: Mapping[str, npt.NDArray[Any]]) -> tuple[int, ...]:
    """The shape that columns broadcast to.

    Raises:
        ConfigError: there is none; names those that have several values.
    """
    try:
        return np.broadcast_shapes(*(column.shape for column in columns.values()))
    except ValueError:
        several = ", ".join(f"{name} {column.shape}" for name, column in columns.items() if column.size > 1)
        raise ConfigError(f"shapes {several}: shapes that broadcast together are needed") from None


def as_array(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Numbers, or what will not be any.

    Raises:
        ConfigError: lists in a list differ in length.
    """
    try:
        return np.asarray(values)
    except ValueError:
        raise ConfigError(f"{name} = {given(values)}: lists of equal length are needed") from None


def item_bytes(dtype: str) -> int:
    """Bytes of an operand's element.

    Raises:
        ConfigError: there is no such data type.
    """
    check_choice("dtype", dtype, _ITEM_BYTES)
    return _ITEM_BYTES[dtype]


def _sizes(name: str, values: npt.ArrayLike) -> Longs:
    sizes = as_array(name, values)
    if sizes.dtype.kind not in "iu" or sizes.size == 0:
        raise ConfigError(f"{name} = {given(values)}: integers from 1 to {LARGEST} are allowed")
    least, most = sizes.min(), sizes.max()
    if not 1 <= least <= most <= LARGEST:
        wrong = least if least < 1 else most
        raise ConfigError(f"{name} = {wrong}: integers from 1 to {LARGEST} are allowed")
    return sizes.astype(np.int64, copy=False)
