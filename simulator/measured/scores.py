"""How far predictions are off: percentages of the measured time, by group of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.measured.rows import Elementwise, Gemm, Row

EAGER_LIMIT_US = 200.0  # below, an eager measurement is mostly the host


@dataclass(frozen=True)
class Score:
    """Errors of one model on one group of rows.

    Units: per cent of the measured time; ``bias`` is the mean signed error, above 0 where the model is slow.
    """

    rows: int
    mape: float
    median: float
    p90: float
    bias: float


def score(measured_us: Sequence[float], predicted_us: Sequence[float]) -> Score:
    """The errors of predictions.

    Raises:
        ValueError: no rows, or not as many predictions as rows.
    """
    if not measured_us or len(measured_us) != len(predicted_us):
        raise ValueError(f"{len(measured_us)} measurements, {len(predicted_us)} predictions")
    measured = np.asarray(measured_us, dtype=np.float64)
    signed = 100.0 * (np.asarray(predicted_us, dtype=np.float64) / measured - 1.0)
    error = np.abs(signed)
    return Score(
        len(measured_us),
        float(error.mean()),
        float(np.median(error)),
        float(np.percentile(error, 90)),
        float(signed.mean()),
    )


def is_scored(row: Row) -> bool:
    """Whether a row counts in the tables: eager GEMMs and updates do from ``EAGER_LIMIT_US`` on."""
    return not row.eager or isinstance(row, Elementwise) or row.time_us >= EAGER_LIMIT_US


def size_class(row: Row) -> str:
    """Small, medium or large, by the work of the row and never by its time."""
    if isinstance(row, Gemm):
        work, limits, unit = 2e-9 * row.m * row.n * row.k, (0.1, 10.0), "GFLOP"
    else:
        count = row.elements if isinstance(row, Elementwise) else row.parameters
        work, limits, unit = 1e-6 * count, (1.0, 8.0), "M elements"
    if work < limits[0]:
        return f"below {limits[0]:g} {unit}"
    return f"{limits[0]:g} to {limits[1]:g} {unit}" if work < limits[1] else f"from {limits[1]:g} {unit}"


def kind_of(row: Row) -> str:
    """The data type of a GEMM, the operation of an element-by-element kernel, the optimizer of an update."""
    if isinstance(row, Gemm):
        return row.dtype
    return row.op if isinstance(row, Elementwise) else row.label.partition(" of ")[0]


def layout_of(row: Row) -> str:
    """How a GEMM's operands are stored, "" of other rows."""
    return row.layout if isinstance(row, Gemm) else ""


GROUPINGS: Mapping[str, Callable[[Row], str]] = {
    "all": lambda row: "all rows",
    "gpu": lambda row: row.gpu,
    "kind": kind_of,
    "size": size_class,
    "layout": layout_of,
}


def groups(rows: Sequence[Row]) -> list[tuple[str, str, list[int]]]:
    """Every grouping with two values or more, and all rows: (grouping, value, positions)."""
    found: list[tuple[str, str, list[int]]] = []
    for name, key in GROUPINGS.items():
        members: dict[str, list[int]] = {}
        for position, row in enumerate(rows):
            members.setdefault(key(row), []).append(position)
        if len(members) > 1 or (name == "all" and rows):
            found += [(name, value, members[value]) for value in _ordered(members)]
    return found


def _ordered(members: Mapping[str, list[int]]) -> list[str]:
    """Size classes from small to large, everything else by name."""
    ends = {"below": 0, "from": 2}
    return sorted(members, key=lambda value: (ends.get(value.split(" ")[0], 1), value))
