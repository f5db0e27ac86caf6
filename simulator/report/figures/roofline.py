"""The roofline of one step."""

from __future__ import annotations

import math

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from simulator.report import formats
from simulator.report.record import RunRecord
from simulator.report.style import ACCENT, BUSY, Theme, legend_below, new_figure

_MEMORY_COLORS = (BUSY, ACCENT)


def draw(record: RunRecord, theme: Theme) -> Figure:
    """A roof and a point per memory, of the whole step: no byte belongs to one operation alone."""
    metrics = record.step.metrics
    line = metrics.roofline
    figure = new_figure(3.6)
    axes = figure.subplots()
    points = [roof.intensity for roof in line.roofs if roof.intensity]
    low, high = _decades([*points, *(roof.ridge for roof in line.roofs)])
    heights = [line.achieved] if line.achieved > 0 else []
    bottom = min([*heights, *(min(line.peak, low * roof.bytes_per_second) for roof in line.roofs)]) / 2
    lines: list[tuple[Line2D, str]] = []
    marks: list[tuple[Line2D, str]] = []
    for roof, color in zip(line.roofs, _MEMORY_COLORS, strict=True):
        ends = [low, min(high, roof.ridge)]
        (drawn,) = axes.plot(ends, [x * roof.bytes_per_second for x in ends], color=color, zorder=2)
        lines.append((drawn, f"{roof.memory}, {formats.rate(roof.bytes_per_second, 'B/s')}"))
        if roof.intensity and line.achieved:
            (drawn,) = axes.plot(
                [roof.intensity], [line.achieved], marker="D", markersize=7, color=color,
                linestyle="none", zorder=4,
            )  # fmt: skip
            marks.append((drawn, f"whole step, per byte of {roof.memory}"))
    axes.plot([min(roof.ridge for roof in line.roofs), high], [line.peak] * 2, color=theme.text, zorder=2)
    axes.annotate(
        f"peak {formats.rate(line.peak, 'OP/s')}", (high, line.peak), xytext=(0, 5), ha="right",
        textcoords="offset points",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(bottom, line.peak * 2.2)
    axes.set_title("Roofline of one training step")
    axes.set_xlabel("operational intensity (operations per byte; a MAC is two)")
    axes.set_ylabel("rate (OP/s)")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: formats.tick(value)))
    axes.minorticks_off()
    axes.grid()
    handles, labels = zip(*lines, *marks, strict=True)
    legend_below(figure, list(handles), list(labels), columns=3)
    return figure


def _decades(values: list[float]) -> tuple[float, float]:
    low = math.floor(math.log10(min(values)) - 0.15)
    high = math.ceil(math.log10(max(values)) + 0.15)
    return float(10.0**low), float(10.0**high)
