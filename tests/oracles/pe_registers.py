"""Registers of the array oracle: records that move through chains of registers, one register per clock.

A record is a NumPy structured element with a field ``tag``; ``EMPTY`` in it means that nothing is there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[Any]

EMPTY = -1


def record_dtype(value: np.dtype[Any], *fields: tuple[str, Any]) -> np.dtype[Any]:
    """A record with a ``value``, a ``tag`` (whose it is) and further fields."""
    return np.dtype([("value", value), ("tag", np.int32), *fields])


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Records:
    """Records that hold nothing."""
    records = np.zeros(shape, dtype)
    records["tag"] = EMPTY
    return records


class Registers:
    """``stages`` >= 1 registers in series in every lane: what goes in comes out ``stages`` cycles later."""

    def __init__(self, shape: tuple[int, ...], stages: int, dtype: np.dtype[Any]) -> None:
        assert stages >= 1
        self._stages = empty((stages, *shape), dtype)

    @property
    def output(self) -> Records:
        """What the last register shows in this cycle."""
        output: Records = self._stages[-1]
        return output

    def clock(self, records: Records) -> None:
        """The clock edge at the end of this cycle."""
        self._stages = np.concatenate([records[np.newaxis], self._stages[:-1]])


class Skew:
    """A delay line for each lane, ``delays[lane]`` >= 0 registers long (0 is a wire)."""

    def __init__(self, delays: npt.ArrayLike, dtype: np.dtype[Any]) -> None:
        self._delays = np.asarray(delays, dtype=np.int64)
        self._lanes = np.arange(len(self._delays))
        self._stages = empty((int(self._delays.max()) + 1, len(self._delays)), dtype)

    def step(self, records: Records) -> Records:
        """Put this cycle's inputs in (stage 0 is the wire itself) and return this cycle's outputs."""
        self._stages = np.concatenate([records[np.newaxis], self._stages[:-1]])
        return self._stages[self._delays, self._lanes]
