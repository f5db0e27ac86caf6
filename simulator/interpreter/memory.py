"""Byte-exact memories with views of lines, and the pattern that they hold before anything is written."""

from __future__ import annotations

from typing import Any, final

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError

Bytes = npt.NDArray[np.uint8]
Lines = npt.NDArray[Any]

_PATTERN_BYTES = 1_048_573  # a prime: the pattern repeats nowhere at the same place of a line


class Pattern:
    """Seeded bytes that stand for what a memory holds before it is written."""

    def __init__(self, seed: int) -> None:
        self._bytes = np.random.default_rng(seed).integers(0, 256, _PATTERN_BYTES, dtype=np.uint8)
        self._next = 0

    def fill(self, n_bytes: int) -> Bytes:
        """A new array; consecutive calls go on where the last one stopped."""
        start = self._next
        self._next = (start + n_bytes) % _PATTERN_BYTES
        if start + n_bytes <= _PATTERN_BYTES:
            return self._bytes[start : start + n_bytes].copy()
        return np.resize(np.roll(self._bytes, -start), n_bytes)


@final
class Memory:
    """``granules`` granules of ``width`` bytes; a line of ``2^item``-byte elements takes ``2^item`` of them.

    ``lines_only`` (the accumulators) counts addresses in lines of 4-byte elements instead of granules.
    """

    def __init__(
        self, name: str, width: int, granules: int, pattern: Pattern, lines_only: bool = False
    ) -> None:
        self.name = name
        self.width = width
        self.granules = granules
        self.data = pattern.fill(granules * width)
        self._address_granules = 4 if lines_only else 1

    def lines(
        self,
        address: int,
        dtype: np.dtype[Any],
        rows: int,
        panels: int = 1,
        stride: int = 0,
        first: int = 0,
        count: int | None = None,
    ) -> Lines:
        """A view of ``panels`` blocks, ``stride`` lines apart, of ``rows`` consecutive lines.

        ``first`` and ``count`` choose elements of each line (all of them, if not given).

        Shapes:
            result: (panels, rows, count)

        Raises:
            ProgramError: the address is not aligned to the line, or a line lies outside the memory.
        """
        item = dtype.itemsize
        granule = address * self._address_granules
        if granule % item:
            raise ProgramError(f"{self.name}: address {address} is not a multiple of {item}")
        beyond = granule + ((panels - 1) * stride + rows) * item
        if rows < 1 or panels < 1 or beyond > self.granules:
            raise ProgramError(
                f"{self.name}: {panels} x {rows} lines of {item}-byte elements from address {address} on, "
                f"stride {stride}, do not lie within {self.granules} granules"
            )
        count = self.width if count is None else count
        if first + count > self.width:
            last = first + count - 1
            raise ProgramError(f"{self.name}: elements {first} to {last} of lines of {self.width}")
        line = item * self.width
        return np.ndarray(
            (panels, rows, count),
            dtype,
            buffer=self.data,
            offset=granule * self.width + first * item,
            strides=(stride * line, line, item),
        )
