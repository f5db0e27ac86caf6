"""One step over time: for every unit, the share of each slice of time in which it works or waits, and why.

The figure is bounded by construction: the step is cut into at most ``SLICES`` slices of equal length and the
cycles of every interval are added up exactly in the slices that it covers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from simulator.isa import UnitId
from simulator.metrics import busy_spans, operation_of, stall_records
from simulator.report.record import Phase, RunRecord
from simulator.report.style import BUSY, Theme, legend_below, new_figure, reason_color, thousands
from simulator.report.words import REASON_LABELS, UNIT_LABELS, UNIT_ORDER
from simulator.trace import REASONS, TRACE_UNITS

SLICES = 480
_NARROWEST_LABEL = 0.022  # of the width of the figure
_LANE = 0.8  # height of a lane; lanes are 1 apart

Cycles = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def draw(record: RunRecord, theme: Theme) -> Figure:
    """A lane per unit, filled to 100 %; above matrix and vector unit the numbers of their operations."""
    phase = record.step
    lanes: list[tuple[str, str]] = []
    for name in UNIT_ORDER:
        if name in ("matrix_unit", "vector_unit"):
            lanes.append(("operations", name))
        lanes.append(("unit", name))
    figure = new_figure(4.6)
    axes = figure.subplots()
    seen: set[int] = set()
    positions, labels = [], []
    for row, (kind, name) in enumerate(lanes):
        bottom = len(lanes) - 1 - row
        positions.append(bottom + _LANE / 2)
        unit = TRACE_UNITS.index(name)
        if kind == "unit":
            labels.append(UNIT_LABELS[name])
            seen |= _lane(axes, phase, unit, bottom, theme)
        else:
            labels.append("operation #")
            _operations(axes, phase, unit, bottom, theme)
    axes.set_yticks(positions, labels)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.2, len(lanes))
    axes.set_xlim(0, phase.metrics.cycles)
    axes.set_xlabel("cycle of the step")
    axes.set_title("One training step, unit by unit")
    axes.spines["left"].set_visible(False)
    thousands(axes)
    handles = [Patch(color=BUSY), *(Patch(color=reason_color(REASONS[i], theme)) for i in sorted(seen))]
    legend_below(figure, handles, ["busy", *(REASON_LABELS[REASONS[i]] for i in sorted(seen))])
    return figure


def slice_edges(cycles: int) -> Floats:
    """Boundaries of the slices: whole cycles where the step is shorter than ``SLICES``."""
    return np.linspace(0.0, cycles, min(SLICES, max(1, cycles)) + 1)


def cycles_in_slices(start: Cycles, end: Cycles, edges: Floats) -> Floats:
    """Cycles of disjoint intervals, in order, that fall into each slice."""
    boundaries = np.concatenate([[0.0], np.stack([start, end], axis=1).ravel().astype(np.float64)])
    lengths = np.stack([np.zeros(len(start)), (end - start).astype(np.float64)], axis=1)
    covered = np.concatenate([[0.0], np.cumsum(lengths.ravel())])
    total: Floats = np.diff(np.interp(edges, boundaries, covered))
    return total


def _lane(axes: Axes, phase: Phase, unit: int, bottom: float, theme: Theme) -> set[int]:
    edges = slice_edges(phase.metrics.cycles)
    length = edges[1] - edges[0]
    base = np.zeros(len(edges) - 1)
    spans, waits = busy_spans(phase.trace, unit), stall_records(phase.trace, unit)
    parts: list[tuple[Cycles, Cycles, str]] = [(spans.start, spans.end, BUSY)]
    seen = set()
    for index, reason in enumerate(REASONS):
        mine = waits[waits["reason"] == index]
        if len(mine):
            seen.add(index)
            parts.append((mine["start"], mine["end"], reason_color(reason, theme)))
    for start, end, color in parts:
        share = cycles_in_slices(start, end, edges) / length * _LANE
        if share.any():
            _fill(axes, edges, bottom + base, bottom + base + share, color)
        base = base + share
    return seen


def _fill(axes: Axes, edges: Floats, low: Floats, high: Floats, color: str) -> None:
    axes.fill_between(
        edges,
        np.append(low, low[-1]),
        np.append(high, high[-1]),
        step="post",
        color=color,
        linewidth=0,
        rasterized=True,
    )


def _operations(axes: Axes, phase: Phase, unit: int, bottom: float, theme: Theme) -> None:
    """Blocks from the first to the last cycle that the unit works on an operation without a break."""
    numbers = {row.index: number for number, row in enumerate(phase.metrics.operations, start=1)}
    shades = (theme.grid, theme.finished)
    for shade, (start, end, operation) in enumerate(_runs(phase, unit)):
        axes.add_patch(
            Rectangle(
                (start, bottom), end - start, _LANE, facecolor=shades[shade % 2],
                edgecolor=theme.background, linewidth=0.5,
            )
        )  # fmt: skip
        if end - start >= _NARROWEST_LABEL * phase.metrics.cycles and operation in numbers:
            axes.text(
                (start + end) / 2, bottom + _LANE / 2 - 0.03, str(numbers[operation]), ha="center",
                va="center", fontsize=7.5, color=theme.text,
            )  # fmt: skip


def _runs(phase: Phase, unit: UnitId | int) -> list[tuple[int, int, int]]:
    """``(start, end, operation)`` of consecutive work on one operation, where wide enough to be seen."""
    spans = busy_spans(phase.trace, unit)
    if not len(spans.start):
        return []
    operation: npt.NDArray[Any] = operation_of(phase.program, spans.instruction)
    first = np.flatnonzero(np.append(True, operation[1:] != operation[:-1]))
    last = np.append(first[1:], len(operation)) - 1
    visible = phase.metrics.cycles / (2 * SLICES)
    return [
        (int(spans.start[a]), int(spans.end[b]), int(operation[a]))
        for a, b in zip(first, last, strict=True)
        if spans.end[b] - spans.start[a] >= visible
    ]
