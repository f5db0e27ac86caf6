"""Encoded operations as a function of arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from simulator.numerics.core import Native
from simulator.numerics.encode import Words
from simulator.numerics.library import address
from simulator.numerics.signatures import Array


class Call:
    """Records of the native core whose buffers are, in order, the arrays that it is called with.

    Shapes:
        In C order; the caller has checked them.

    Raises:
        MemoryError: none is left for the workspace.
    """

    def __init__(self, native: Native, records: Sequence[Words]) -> None:
        self._native, self._count = native, len(records)
        self._words = np.array([word for record in records for word in record], np.int64)
        self._at = address(self._words)

    def __call__(self, *arrays: Array) -> None:
        buffers = (ctypes.c_void_p * len(arrays))(*map(address, arrays))
        if not self._native.run(self._count, self._at, buffers):
            raise MemoryError("no memory for the workspace of an operation")
