"""Where the cycles go: busy and every stall reason, by unit and by operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from simulator.report import formats
from simulator.report.record import RunRecord
from simulator.report.style import (
    BUSY,
    Theme,
    legend_below,
    new_figure,
    percents,
    reason_color,
    thousands,
)
from simulator.report.words import REASON_LABELS, UNIT_LABELS, UNIT_ORDER
from simulator.trace import REASONS

SHOWN_OPERATIONS = 16


@dataclass
class Bar:
    """One stacked bar.

    Units: cycles.
    """

    label: str
    busy: int = 0
    stalls: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Length of the bar."""
        return self.busy + sum(self.stalls.values())

    def add(self, other: Bar) -> None:
        """Put another bar's parts into this one."""
        self.busy += other.busy
        for reason, cycles in other.stalls.items():
            self.stalls[reason] = self.stalls.get(reason, 0) + cycles


def by_unit(record: RunRecord, theme: Theme) -> Figure:
    """A bar of 100 % for every unit."""
    accounts = [record.step.metrics.unit(name) for name in UNIT_ORDER]
    figure = new_figure(3.3)
    axes = figure.subplots()
    bars = [Bar(UNIT_LABELS[unit.unit], unit.busy, unit.stalls) for unit in accounts]
    _stack(figure, axes, bars, theme, scale=1 / max(1, record.step.metrics.cycles))
    axes.set_title("Cycles of each unit in one training step")
    axes.set_xlabel(f"share of {record.step.metrics.cycles:,} cycles")
    axes.set_xlim(0, 1)
    percents(axes)
    return figure


def matrix_unit(record: RunRecord, theme: Theme) -> Figure:
    """The matrix unit's cycles by operation."""
    return _by_operation(record, theme, "matrix_unit")


def vector_unit(record: RunRecord, theme: Theme) -> Figure:
    """The vector unit's cycles by operation."""
    return _by_operation(record, theme, "vector_unit")


def operation_bars(record: RunRecord, unit: str, shown: int = SHOWN_OPERATIONS) -> list[Bar]:
    """A bar per operation that uses the unit, in program order: the longest, then the others together."""
    bars: list[Bar] = []
    last: list[Bar] = []
    for number, row in enumerate(record.step.metrics.operations, start=1):
        known = row.index >= 0
        label = f"{formats.shorten(row.label, 34)}  #{number}" if known else "no operation left"
        bar = Bar(label, row.busy[unit], dict(row.stalls[unit]))
        if bar.total:
            (bars if known else last).append(bar)
    if len(bars) <= shown:
        return bars + last
    longest = set(sorted(range(len(bars)), key=lambda i: -bars[i].total)[:shown])
    rest = Bar(f"{len(bars) - shown} other operations")
    for index, bar in enumerate(bars):
        if index not in longest:
            rest.add(bar)
    return [*(bars[index] for index in sorted(longest)), rest, *last]


def _by_operation(record: RunRecord, theme: Theme, unit: str) -> Figure:
    bars = operation_bars(record, unit)
    figure = new_figure(1.35 + 0.235 * max(2, len(bars)))
    axes = figure.subplots()
    if not bars:
        axes.text(0.5, 0.5, "no instruction of this unit", ha="center", transform=axes.transAxes)
    _stack(figure, axes, bars, theme, scale=1.0)
    axes.set_title(f"Cycles of the {UNIT_LABELS[unit]} by operation, in program order")
    axes.set_xlabel("cycles, working or waiting to start")
    axes.set_xlim(0, 1.03 * max([1, *(bar.total for bar in bars)]))
    thousands(axes)
    return figure


def _stack(figure: Figure, axes: Axes, bars: Sequence[Bar], theme: Theme, scale: float) -> None:
    left = [0.0] * len(bars)
    handles, labels = [], []
    parts = [("busy", BUSY, [bar.busy for bar in bars])]
    for reason in REASONS:
        cycles = [bar.stalls.get(str(reason), 0) for bar in bars]
        parts.append((REASON_LABELS[reason], reason_color(reason, theme), cycles))
    for label, color, cycles in parts:
        if label != "busy" and not any(cycles):
            continue
        widths = [c * scale for c in cycles]
        axes.barh(
            range(len(bars)), widths, left=left, height=0.72, color=color, edgecolor=theme.background,
            linewidth=0.4,
        )  # fmt: skip
        left = [a + b for a, b in zip(left, widths, strict=True)]
        handles.append(Patch(color=color))
        labels.append(label)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.grid(axis="x")
    legend_below(figure, handles, labels)
