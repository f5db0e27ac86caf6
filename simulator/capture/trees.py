"""Trees: dicts, lists, tuples, NamedTuples and None, of arrays, numbers and static values.

A path names a leaf: keys, indices and field names joined by dots.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Leaf:
    """What stands at a path of a result's tree in place of the value."""

    kind: str  # array, number or static
    path: str
    value: Any = None  # of a static leaf


def children(tree: Any) -> list[tuple[Any, Any]] | None:
    """The (key, value) pairs of a container, or None for a leaf."""
    if tree is None:
        return []
    if isinstance(tree, dict):
        return list(tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return list(zip(tree._fields, tree, strict=True))
    if isinstance(tree, list | tuple):
        return list(enumerate(tree))
    return None


def join(path: str, key: Any) -> str:
    """The path of a container's entry."""
    return f"{path}.{key}" if path else str(key)


def leaves(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All leaves with their paths, in order."""
    inner = children(tree)
    if inner is None:
        yield path, tree
        return
    for key, value in inner:
        yield from leaves(value, join(path, key))


def rebuild(tree: Any, path: str, replace: Callable[[str, Any], Any]) -> Any:
    """The tree in new containers, with every leaf replaced."""
    inner = children(tree)
    if inner is None:
        return replace(path, tree)
    if tree is None:
        return None
    values = [rebuild(value, join(path, key), replace) for key, value in inner]
    if isinstance(tree, dict):
        made = copy.copy(tree)  # keeps a defaultdict's factory
        made.update(zip(tree, values, strict=True))
        return made
    if hasattr(tree, "_fields"):
        return type(tree)(*values)
    return values if isinstance(tree, list) else tuple(values)


def containers(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    """The kind of every container that holds something, with its path."""
    inner = children(tree)
    if not inner:
        return
    kind = "list or tuple" if isinstance(tree, list | tuple) else "dict"
    yield path, type(tree).__name__ if hasattr(tree, "_fields") else kind
    for key, value in inner:
        yield from containers(value, join(path, key))


def mutable_containers(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The dicts and lists of a tree, with their paths."""
    if isinstance(tree, dict | list):
        yield path, tree
    for key, value in children(tree) or ():
        yield from mutable_containers(value, join(path, key))


def contents(container: Any) -> list[tuple[Any, int]]:
    """What a container holds, by key; things are told apart by identity."""
    return [(key, id(value)) for key, value in children(container) or ()]


def kind_of(value: Any) -> str | None:
    """What a leaf is: array, number, static, or None for what a step cannot take."""
    if isinstance(value, bool | np.bool_ | str | np.dtype):
        return "static"
    # np.float64 and np.int64 count as Python numbers; narrower ones keep their type, as in NumPy.
    if isinstance(value, int | float | np.int64):
        return "number"
    if isinstance(value, np.matrix | np.ma.MaskedArray):
        return None  # their operators mean something else
    if isinstance(value, np.ndarray | np.generic):
        return "array"
    return "static" if callable(value) else None


def python_number(value: Any) -> int | float:
    """A number leaf as Python's own."""
    return int(value) if isinstance(value, int | np.integer) else float(value)
