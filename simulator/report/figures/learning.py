"""Did it learn: loss and accuracy per epoch."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simulator.report.record import RunRecord
from simulator.report.style import ACCENT, BUSY, Theme, legend_below, new_figure, percents

_MARKERS_UP_TO = 40  # epochs
_FLAT = 0.1  # losses that differ by less, as a share of the largest, are shown from zero


def draw(record: RunRecord, theme: Theme) -> Figure:
    """Two panels, two curves each; NumPy's is dashed on top, so that both show where they coincide.

    What is not finite is left out of the curves and said in words.
    """
    figure = new_figure(2.9)
    left, right = figure.subplots(1, 2)
    handles = []
    for curve, color, dashes, width, size in (
        (record.simulated, BUSY, "-", 2.6, 5),
        (record.numpy, ACCENT, (0, (3, 2)), 1.5, 0),
    ):
        marker = "o" if len(curve.epochs) <= _MARKERS_UP_TO and size else None
        if len(curve.epochs) == 1:  # a line of one point would not be seen
            marker, size = "o" if size else "D", size or 3
        for axes, values in ((left, curve.loss), (right, curve.accuracy)):
            shown = [value if math.isfinite(value) else math.nan for value in values]
            lines = axes.plot(
                curve.epochs, shown, color=color, linestyle=dashes, linewidth=width, marker=marker,
                markersize=size,
            )  # fmt: skip
        handles.append(lines[0])
    epochs = [*record.simulated.epochs, *record.numpy.epochs]
    for axes, title in ((left, "Training loss"), (right, "Test accuracy")):
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7, min_n_ticks=1))
        first, last = min(epochs, default=1.0), max(epochs, default=1.0)
        margin = 0.05 * (last - first) if last > first else 0.5
        axes.set_xlim(first - margin, last + margin)
        axes.grid(axis="y")
    _loss_axis(left, record, theme)
    left.set_ylabel("loss")
    right.set_ylabel("correct")
    known = [a for curve in (record.simulated, record.numpy) for a in curve.accuracy if a == a]
    if not known:
        _words(right, "no test accuracy", theme)
    low = min(known, default=0.0)
    right.set_ylim(max(0.0, low - 0.05 * (1 - low) - 0.01), 1.005)
    percents(right, "y")
    legend_below(figure, handles, [record.simulated.name, record.numpy.name])
    return figure


def _loss_axis(axes: Axes, record: RunRecord, theme: Theme) -> None:
    """From zero where the losses hardly differ; what is not finite as words."""
    losses = [x for curve in (record.simulated, record.numpy) for x in curve.loss if math.isfinite(x)]
    mine = [x for x in record.simulated.loss if math.isfinite(x)]
    if not losses:
        axes.set_yticks([])
    else:
        low, high = min(losses), max(losses)
        if low >= 0 and high - low <= _FLAT * high:
            axes.set_ylim(0, 1.15 * high or 1.0)
        axes.ticklabel_format(axis="y", useOffset=False)
    if not mine:
        _words(axes, "no finite loss" if record.simulated.loss else "no loss", theme)
    elif math.isfinite(record.simulated.diverged_from):
        _words(axes, f"no finite loss from epoch {record.simulated.diverged_from:g} on", theme)


def _words(axes: Axes, text: str, theme: Theme) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", color=theme.muted, transform=axes.transAxes)
