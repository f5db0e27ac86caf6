"""The full model without one ingredient at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields

from simulator.measured.gpus import Gpus
from simulator.measured.predict import Predictor
from simulator.measured.rows import Gemm, Row
from simulator.measured.scores import Score, score
from simulator.simt.ingredients import Ingredients

INGREDIENTS = tuple(field.name for field in fields(Ingredients))
Progress = Callable[[Iterable[Row]], Iterable[Row]]


def ablation(rows: Sequence[Row], gpus: Gpus, progress: Progress = iter) -> Mapping[str, Score]:
    """Scores of the full model on the GEMMs among ``rows``: whole, then without each ingredient.

    The kernel is chosen anew without the ingredient: an ablated model picks what it thinks is fastest.
    Raises:
        ValueError: there is no GEMM.
    """
    gemms = [row for row in rows if isinstance(row, Gemm)]
    measured = [row.time_us for row in gemms]
    found = {}
    for name in ("", *INGREDIENTS):
        ingredients = Ingredients(**({name: False} if name else {}))
        predictor = Predictor(gpus, ingredients)
        predicted = [predictor.time_us(row, "full") for row in progress(gemms)]
        found[f"without {name}" if name else "full model"] = score(measured, predicted)
    return found
