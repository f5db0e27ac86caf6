"""Arguments read again: the containers that fitted once tell where every leaf is.

Finding the path of every leaf and describing it costs more than a small step. What differs in any way from
the arguments that fitted is left to the careful reading, which says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from simulator.capture.trees import children, join, kind_of
from simulator.graph import Array


class _Container(NamedTuple):
    kind: type
    parts: tuple[tuple[Any, Any], ...]  # key or index, and what is there


class _Array(NamedTuple):
    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _Number(NamedTuple):
    path: str
    kind: type
    wanted: type


class _Static(NamedTuple):
    value: Any


class Layout:
    """The containers of arguments, and what they hold.

    ``numbers`` are, by path, the types that numbers are wanted in.
    """

    def __init__(
        self, arguments: tuple[Any, ...], names: tuple[str, ...], numbers: Mapping[str, type]
    ) -> None:
        self._numbers = numbers
        self._parts = [self._part(value, name) for value, name in zip(arguments, names, strict=True)]

    def _part(self, tree: Any, path: str) -> Any:
        inner = children(tree)
        if inner is not None:
            # A NamedTuple is read by position.
            keys = enumerate(tree) if isinstance(tree, tuple) else inner
            parts = [
                (key, self._part(value, join(path, name)))
                for (key, _), (name, value) in zip(keys, inner, strict=True)
            ]
            return _Container(type(tree), tuple(parts))
        if type(tree) is np.ndarray:
            return _Array(path, tree.shape, tree.dtype)
        if type(tree) in (int, float):
            return _Number(path, type(tree), self._numbers[path])
        return _Static(tree) if kind_of(tree) == "static" else None  # NumPy's numbers are read carefully

    def read(self, arguments: tuple[Any, ...]) -> tuple[dict[str, Array], dict[str, float | int]] | None:
        """The arrays and the numbers by path; None where anything differs."""
        inputs: dict[str, Array] = {}
        numbers: dict[str, float | int] = {}
        if len(arguments) != len(self._parts):
            return None
        for part, value in zip(self._parts, arguments, strict=True):
            if not _read(part, value, inputs, numbers):
                return None
        return inputs, numbers


def _read(part: Any, tree: Any, inputs: dict[str, Array], numbers: dict[str, float | int]) -> bool:
    """Whether the tree is as it was; fills in what it holds."""
    kind = type(part)
    if kind is _Array:
        if type(tree) is not np.ndarray or tree.shape != part.shape or tree.dtype != part.dtype:
            return False
        inputs[part.path] = tree
    elif kind is _Container:
        if type(tree) is not part.kind or (tree is not None and len(tree) != len(part.parts)):
            return False
        keyed = isinstance(tree, dict)
        for key, inner in part.parts:
            if (keyed and key not in tree) or not _read(inner, tree[key], inputs, numbers):
                return False
    elif kind is _Number:
        if type(tree) is not part.kind:
            return False
        numbers[part.path] = part.wanted(tree)
    else:
        return part is not None and tree is part.value
    return True
