"""Trees of arguments and results: dicts, lists, tuples and NamedTuples of arrays and numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.reference.machine_array import MachineArray, unwrap, wrap
from simulator.reference.operands import canonical, require_machine_dtype
from simulator.reference.refusal import refuse

# Numbers of the host, and what is fixed.
_STATIC = (bool, int, float, str, np.bool_, np.dtype)


def is_named_tuple(value: Any) -> bool:
    """Whether the value is a NamedTuple."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def map_tree(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same containers, new, with each leaf's image; what is met twice stays one object."""
    return _map(function, tree, {})


def _map(function: Callable[[Any], Any], tree: Any, seen: dict[int, tuple[Any, Any]]) -> Any:
    if id(tree) in seen:
        return seen[id(tree)][1]
    new: Any
    if isinstance(tree, dict):
        new = {key: _map(function, value, seen) for key, value in tree.items()}
    elif isinstance(tree, list):
        new = [_map(function, value, seen) for value in tree]
    elif is_named_tuple(tree):
        new = type(tree)(*(_map(function, value, seen) for value in tree))
    elif isinstance(tree, tuple):
        new = tuple(_map(function, value, seen) for value in tree)
    else:
        new = function(tree)
    if isinstance(tree, dict | list | np.ndarray):
        seen[id(tree)] = (tree, new)  # the tree is kept too, lest its id be used again
    return new


def enter(leaf: Any) -> Any:
    """An argument on its way in: arrays are copied onto the machine, the rest stays as it is.

    Raises:
        CaptureError: a leaf that is neither array, number, None nor static (bool, str, callable).
    """
    if isinstance(leaf, np.ndarray) and not isinstance(leaf, np.matrix | np.ma.MaskedArray):
        return wrap(canonical(np.array(leaf, subok=False)))
    if isinstance(leaf, np.float64 | np.int64):
        return leaf.item()
    if leaf is None or isinstance(leaf, _STATIC) or callable(leaf):
        return leaf
    if isinstance(leaf, np.generic):
        return wrap(canonical(leaf), scalar=True)
    refuse(f"an argument of type {type(leaf).__name__}; allowed: arrays and Python numbers")


def leave(leaf: Any) -> Any:
    """A result on its way out: plain arrays with their own memory, Python numbers.

    Raises:
        CaptureError: an array of a type that the machine does not have.
    """
    if isinstance(leaf, MachineArray):
        return np.array(unwrap(leaf))
    if isinstance(leaf, np.float64 | np.int64):
        return leaf.item()
    if isinstance(leaf, np.ndarray | np.generic):
        require_machine_dtype(leaf.dtype)
        return np.array(canonical(leaf))
    if leaf is None or isinstance(leaf, _STATIC) or callable(leaf):
        return leaf
    refuse(f"a result of type {type(leaf).__name__}; allowed: arrays and Python numbers")
