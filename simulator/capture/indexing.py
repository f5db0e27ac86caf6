"""Basic indexing: int, slice, None and Ellipsis as one region and one reshape."""

from __future__ import annotations

import operator
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from simulator.capture.build import Key, Shape
from simulator.capture.recorder import fail
from simulator.capture.standin import StandIn


class Index(NamedTuple):
    """What an index selects: a region of the array, seen in another shape."""

    region: Key
    shape: Shape
    is_element: bool  # one element by ints alone: NumPy gives a scalar, not a view


def parse(key: Any, shape: Shape) -> Index:
    """Normalises an index. Raises CaptureError for one that is not basic or out of range."""
    items = key if isinstance(key, tuple) else (key,)
    for item in items:
        _check(item)
    given = sum(1 for item in items if item is not None and item is not Ellipsis)
    ellipses = sum(1 for item in items if item is Ellipsis)
    if given > len(shape) or ellipses > 1:
        fail(f"index [{_text(items)}] has too many entries for an array of shape {shape}")
    if not ellipses:
        items = (*items, Ellipsis)
    region: list[tuple[int, int, int]] = []
    result: list[int] = []
    for item in items:
        axis = len(region)
        if item is None:
            result.append(1)
        elif item is Ellipsis:
            rest = shape[axis : len(shape) - (given - _given_before(items))]
            region += [(0, length, 1) for length in rest]
            result += rest
        elif isinstance(item, slice):
            region.append(_bounds(item, shape[axis]))
            result.append(len(range(*region[-1])))
        else:
            region.append(_one(operator.index(item), shape[axis], axis))
    is_element = not result and not ellipses and None not in items
    return Index(tuple(region), tuple(result), is_element)


def _given_before(items: tuple[Any, ...]) -> int:
    before = items[: next(i for i, item in enumerate(items) if item is Ellipsis)]
    return sum(1 for item in before if item is not None)


def _check(item: Any) -> None:
    if item is None or item is Ellipsis or isinstance(item, slice):
        return
    if isinstance(item, Integral) and not isinstance(item, bool | np.bool_):
        return
    if isinstance(item, StandIn | np.ndarray | list | tuple):
        kind = f"an index that is {getattr(item, 'noun', 'an array or list')}"
        fail(
            f"{kind} (fancy or boolean indexing) is not supported",
            "select by label with y[:, None] == np.arange(n), by condition with np.where",
        )
    fail(f"an index of type {type(item).__name__} is not supported")


def _bounds(item: slice, length: int) -> tuple[int, int, int]:
    start, stop, step = item.indices(length)  # a stand-in's __index__ refuses
    if step < 0:
        fail("a slice with a negative step is not supported")
    count = len(range(start, stop, step))
    if count == 0:
        return 0, 0, 1
    return start, start + (count - 1) * step + 1, step if count > 1 else 1


def _one(index: int, length: int, axis: int) -> tuple[int, int, int]:
    if not -length <= index < length:
        fail(f"index {index} is out of bounds for axis {axis} with size {length}")
    index %= length
    return index, index + 1, 1


def _text(items: tuple[Any, ...]) -> str:
    return ", ".join("..." if item is Ellipsis else str(item) for item in items)
