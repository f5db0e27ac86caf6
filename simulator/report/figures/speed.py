"""How fast: time per step and utilization, next to the SIMT machine."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simulator.report import formats
from simulator.report.record import RunRecord
from simulator.report.style import BUSY, Theme, new_figure, percents, thousands


def draw(record: RunRecord, theme: Theme) -> Figure:
    """A bar per machine; times share one unit and start at zero."""
    names = [record.machine.name]
    times = [record.step.metrics.time_us]
    shares = [record.step.metrics.utilization]
    colors = [BUSY]
    if record.simt is not None:
        step = record.simt.steps[0]
        names.append(record.simt.machine)
        times.append(step.time_us)
        shares.append(step.utilization)
        colors.append(theme.reference)
    figure = new_figure(1.15 + 0.42 * len(names))
    left, right = figure.subplots(1, 2)
    factor, unit = formats.time_scale(max(times))
    _bars(left, names, [t / factor for t in times], [formats.time(t) for t in times], colors)
    left.set_title("Time of one training step")
    left.set_xlabel(f"time ({unit})")
    thousands(left)
    _bars(right, names, shares, [formats.percent(s) for s in shares], colors)
    right.set_title("Utilization")
    right.set_xlabel("useful MACs / peak MACs")
    right.set_yticklabels([])
    percents(right)
    return figure


def _bars(axes: Axes, names: list[str], values: list[float], texts: list[str], colors: list[str]) -> None:
    rows = range(len(names))
    axes.barh(rows, values, height=0.6, color=colors)
    axes.set_yticks(rows, [formats.shorten(name, 22) for name in names])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, (max(values) or 1.0) * 1.28)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        axes.annotate(text, (value, row), xytext=(5, 0), textcoords="offset points", va="center")
