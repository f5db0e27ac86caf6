"""A table of the page, and how a long one is cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sheet:
    """A table: the columns' titles with their units, which are numbers, and the rows."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    wide: int = -1  # the column that holds most text


def left_out(count: int, total: int, what: str, file: str, most: str = "longest") -> str:
    """The note under a table that shows a part, or nothing."""
    return f"The {count} {most} of {total:,} {what}; all of them are in {file}." if total > count else ""


def longest(keys: Sequence[float], shown: int) -> list[int]:
    """Indices of the largest keys, in their own order."""
    return sorted(sorted(range(len(keys)), key=lambda i: (-keys[i], i))[:shown])
