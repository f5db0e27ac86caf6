"""Result arrays given out again once nobody else holds them: fresh memory costs a page fault per page."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from simulator.numerics.library import address
from simulator.numerics.memory import allocate
from simulator.numerics.signatures import Array, Shape

# A run's results are alive while the next run writes its own.
_KEPT = 2


class _Held:
    """A result array, the block that its views refer to, and where its elements lie."""

    def __init__(self, shape: Shape, dtype: np.dtype[Any]) -> None:
        block = allocate(math.prod(shape) * dtype.itemsize)
        self.block = block.base
        self.array: Array = block.view(dtype).reshape(shape)
        self.address = address(self.array)

    def references(self) -> tuple[int, int]:
        """How many hold the array and the block, this object and this call among them."""
        return sys.getrefcount(self.array), sys.getrefcount(self.block)


class Recycler:
    """Arrays of one shape and type, for the results of one plan."""

    def __init__(self, shape: Shape, dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype
        self._held: list[_Held] = []
        self._unused = _Held((1,), dtype).references()

    def take(self) -> tuple[Array, int]:
        """An array that is the caller's alone, and its address."""
        for held in self._held:
            if held.references() == self._unused:
                return held.array, held.address
        held = _Held(self._shape, self._dtype)
        self._held = [*self._held[1 - _KEPT :], held]
        return held.array, held.address
