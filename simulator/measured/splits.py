"""Splits for cross-validation: never by row, always by (N, K) or by GPU."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulator.measured.rows import Row, family_of


@dataclass(frozen=True)
class Fold:
    """Rows to calibrate on and rows to score; ``name`` is what was left out."""

    name: str
    train: tuple[Row, ...]
    test: tuple[Row, ...]


def by_family(rows: Sequence[Row], folds: int, seed: int = 0) -> Iterator[Fold]:
    """Families of rows dealt into ``folds`` hands; each is left out once, on all GPUs at once.

    Raises:
        ValueError: fewer families than folds.
    """
    families = sorted({family_of(row) for row in rows}, key=repr)
    if not 2 <= folds <= len(families):
        raise ValueError(f"{len(families)} families of rows: they cannot be dealt into {folds} folds")
    random.Random(seed).shuffle(families)
    hand = {family: i % folds for i, family in enumerate(families)}
    for left in range(folds):
        yield Fold(
            f"fold {left + 1} of {folds}",
            tuple(row for row in rows if hand[family_of(row)] != left),
            tuple(row for row in rows if hand[family_of(row)] == left),
        )


def by_gpu(rows: Sequence[Row]) -> Iterator[Fold]:
    """Each GPU is left out once.

    Raises:
        ValueError: there is only one.
    """
    gpus = sorted({row.gpu for row in rows})
    if len(gpus) < 2:
        raise ValueError(f"{', '.join(gpus)}: two GPUs at least are needed to leave one out")
    for gpu in gpus:
        yield Fold(
            gpu,
            tuple(row for row in rows if row.gpu != gpu),
            tuple(row for row in rows if row.gpu == gpu),
        )
