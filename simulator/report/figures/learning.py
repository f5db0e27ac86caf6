"""Did it learn: loss and accuracy per epoch."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simulator.report.record import RunRecord
from simulator.report.style import ACCENT, BUSY, Theme, legend_below, new_figure, percents

_MARKERS_UP_TO = 40  # epochs


def draw(record: RunRecord, theme: Theme) -> Figure:
    """Two panels, two curves each; NumPy's is dashed on top, so that both show where they coincide."""
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
            lines = axes.plot(
                curve.epochs, values, color=color, linestyle=dashes, linewidth=width, marker=marker,
                markersize=size,
            )  # fmt: skip
        handles.append(lines[0])
    for axes, title in ((left, "Training loss"), (right, "Test accuracy")):
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=7))
        axes.grid(axis="y")
    left.set_ylabel("loss")
    right.set_ylabel("correct")
    finite = [a for curve in (record.simulated, record.numpy) for a in curve.accuracy if a == a]
    low = min(finite, default=0.0)
    right.set_ylim(max(0.0, low - 0.05 * (1 - low) - 0.01), 1.005)
    percents(right, "y")
    legend_below(figure, handles, [record.simulated.name, record.numpy.name])
    return figure
