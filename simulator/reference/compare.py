"""Compares two trees of arrays and numbers bit for bit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ABSENT = object()


@dataclass(frozen=True)
class LeafDifference:
    """One leaf that differs: where first, and both values there, floats with their bits in hex."""

    path: str
    elements: int
    different: int
    first_index: tuple[int, ...] | None
    expected: str
    actual: str

    def __str__(self) -> str:
        at = "" if not self.first_index else str(list(self.first_index))
        counts = f"{self.different} of {self.elements} differ"
        where = f"{self.path or 'the result'}{at}"
        return f"{where}: expected {self.expected}, got {self.actual} ({counts})"


@dataclass(frozen=True)
class Report:
    """How many elements were compared, how many differ, and the leaves in which they do."""

    elements: int
    different: int
    leaves: tuple[LeafDifference, ...]

    @property
    def equal(self) -> bool:
        """Whether every bit is the same."""
        return self.different == 0

    def summary(self) -> str:
        """One line: the counts, and the first difference."""
        if self.equal:
            return f"{self.elements} elements equal to the bit"
        others = len(self.leaves) - 1
        more = f"; {others} more leaves differ" if others else ""
        return f"{self.different} of {self.elements} elements differ: {self.leaves[0]}{more}"

    __str__ = summary


def differences(expected: Any, actual: Any) -> Report:
    """Compare two trees leaf by leaf.

    All NaNs are one value; -0 is not +0. A leaf that is missing, or of another shape or type,
    differs in all its elements (in one, where it has none). Paths join dict keys, indices and
    NamedTuple fields by dots.
    """
    elements = different = 0
    leaves = []
    for path, one, other in _pairs("", expected, actual):
        leaf = _compare(path, one, other)
        elements += leaf.elements
        different += leaf.different
        if leaf.different:
            leaves.append(leaf)
    return Report(elements, different, tuple(leaves))


def _children(tree: Any) -> dict[str, Any] | None:
    """A container's content by name; None for a leaf."""
    if isinstance(tree, dict):
        return {str(key): value for key, value in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return dict(zip(tree._fields, tree, strict=True))
    if isinstance(tree, list | tuple):
        return {str(index): value for index, value in enumerate(tree)}
    return None


def _pairs(path: str, expected: Any, actual: Any) -> Iterator[tuple[str, Any, Any]]:
    """Leaves of the same path; a container against a leaf is a pair of its own, which differs."""
    left, right = _children(expected), _children(actual)
    if left is None and right is None:
        yield path, expected, actual
    elif left is None or right is None:
        # An absent counterpart is absent at each of the container's leaves.
        if expected is not _ABSENT and actual is not _ABSENT:
            yield path, expected, actual
        else:
            for name, child in (left or right or {}).items():
                missing_right = left is not None
                pair = (child, _ABSENT) if missing_right else (_ABSENT, child)
                yield from _pairs(_join(path, name), *pair)
    else:
        for name in [*left, *(name for name in right if name not in left)]:
            yield from _pairs(_join(path, name), left.get(name, _ABSENT), right.get(name, _ABSENT))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.generic | bool | int | float)


def _compare(path: str, expected: Any, actual: Any) -> LeafDifference:
    if not (_is_number(expected) and _is_number(actual)):
        same = (
            not _is_number(expected) and not _is_number(actual) and _same_object(expected, actual)
        )
        return _whole(path, expected, actual, same)
    left, right = _array(expected), _array(actual)
    if left.dtype != right.dtype or left.shape != right.shape:
        return _whole(path, left, right, False)
    unequal = _bits(left) != _bits(right)
    count = int(np.count_nonzero(unequal))
    if not count:
        return LeafDifference(path, left.size, 0, None, "", "")
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(unequal)), left.shape))
    return LeafDifference(path, left.size, count, first, _value(left[first]), _value(right[first]))


def _same_object(expected: Any, actual: Any) -> bool:
    if _children(expected) is not None or _children(actual) is not None:
        return False  # a container against a leaf
    return expected is actual or bool(expected == actual)


def _whole(path: str, expected: Any, actual: Any, same: bool) -> LeafDifference:
    size = max(_size(expected), _size(actual), 1)
    return LeafDifference(path, size, 0 if same else size, None, _kind(expected), _kind(actual))


def _size(leaf: Any) -> int:
    return int(np.size(leaf)) if _is_number(leaf) else 1


def _kind(leaf: Any) -> str:
    if leaf is _ABSENT:
        return "nothing"
    if _is_number(leaf):
        array = _array(leaf)
        return f"{array.dtype}{list(array.shape)}" if isinstance(leaf, np.ndarray) else repr(leaf)
    return f"a {type(leaf).__name__}" if _children(leaf) is not None else repr(leaf)


def _array(leaf: Any) -> NDArray[Any]:
    # A Python int may exceed int64: then it is compared as the object that it is.
    return np.asarray(leaf)


def _bits(values: NDArray[Any]) -> NDArray[Any]:
    """Integers that are equal where the values are equal to the bit, all NaNs being one value."""
    if values.dtype.kind != "f":
        return values
    nan = np.isnan(values)
    one_nan = np.where(nan, np.asarray(np.nan, values.dtype), values)
    return np.asarray(one_nan).view(f"u{values.dtype.itemsize}")


def _value(value: Any) -> str:
    array = np.asarray(value)
    if array.dtype.kind != "f":
        return str(value)
    digits = 2 * array.dtype.itemsize
    return f"{value} (0x{int(array.view(f'u{array.dtype.itemsize}')):0{digits}x})"
