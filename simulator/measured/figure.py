"""Simulated against measured times, a panel per GPU, the worst outliers named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from simulator.measured.scores import groups, score, size_class
from simulator.measured.validation import Outlier, Validation
from simulator.report import formats
from simulator.report.style import LIGHT, SERIES, WIDTH, Theme, legend_below, new_figure, render

_PANEL_HEIGHT = 3.9
_COLUMNS = 2
_NEAR = 1.2  # the band: within 20 per cent as a ratio
_FEW = 1000.0  # highest over lowest: less has ticks between the decades
_PANEL_POINTS = 190.0  # side of a panel, about
_CLEARANCE = 9.0
_STEPS = sorted(  # from a ring to its number, nearest first
    ((across, along) for across in range(4, 60, 4) for along in range(4, 60, 4) if across + along >= 20),
    key=lambda step: (step[0] + step[1], abs(step[0] - step[1])),
)
_RING: dict[str, Any] = {"marker": "o", "markersize": 6, "markerfacecolor": "none", "markeredgewidth": 0.8}
_OUTLIERS = 5  # per panel


def scatter_png(validation: Validation) -> bytes:
    """The figure of one table."""
    return render(lambda theme: _draw(validation, theme), LIGHT, ("png",))["png"]


def _draw(validation: Validation, theme: Theme) -> Figure:
    gpus = sorted({row.gpu for row in validation.rows})
    columns = min(len(gpus), _COLUMNS)
    rows = math.ceil(len(gpus) / columns)
    figure = new_figure(rows * _PANEL_HEIGHT + 0.2 + 0.6 / columns)
    figure.set_figwidth(WIDTH * columns / _COLUMNS)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    classes = [value for grouping, value, _ in groups(validation.rows) if grouping == "size"]
    colors = dict(zip(classes or [size_class(validation.rows[0])], SERIES, strict=False))
    for axes, gpu in zip(panels, gpus, strict=False):
        _panel(axes, validation, gpu, colors, theme)
    for axes in panels[len(gpus) :]:
        axes.set_visible(False)
    drawn = panels[0]
    handles = [
        drawn.plot([], [], marker="o", linestyle="none", markersize=4, color=color)[0]
        for color in colors.values()
    ]
    handles.append(drawn.fill_between([], [], [], color=theme.finished))
    legend_below(figure, handles, [*colors, "within 20 %"], columns * _COLUMNS)
    common = [value for name, value in validation.common().items() if name in ("kind", "layout")]
    title = ", ".join([validation.name, *common])
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=10)
    return figure


def _panel(axes: Axes, validation: Validation, gpu: str, colors: dict[str, str], theme: Theme) -> None:
    members = [i for i, row in enumerate(validation.rows) if row.gpu == gpu]
    full = validation.predicted["full"]
    measured = np.array([validation.rows[i].time_us for i in members])
    simulated = np.array([full[i] for i in members])
    both = np.concatenate([measured, simulated])
    low, high = _limits(float(both.min()), float(both.max()))
    ends = np.array([low, high])
    axes.fill_between(ends, ends / _NEAR, ends * _NEAR, color=theme.finished, linewidth=0, zorder=1)
    axes.plot(ends, ends, color=theme.muted, linewidth=0.8, zorder=2)
    size = 5 if len(members) > 1000 else 9
    tint = [colors[size_class(validation.rows[i])] for i in members]
    axes.scatter(measured, simulated, s=size, c=tint, alpha=0.45, linewidths=0, zorder=3, rasterized=True)
    found = validation.subset(members).outliers(_OUTLIERS)
    _name(axes, found, (low, high), theme)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.minorticks_off()
    if high < _FEW * low:
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.grid()
    axes.set_xlabel("measured")
    axes.set_ylabel("simulated")
    result = score(list(measured), list(simulated))
    axes.set_title(f"{gpu}\n{formats.plural(result.rows, 'row')}, MAPE {result.mape:.1f} %", fontsize=9)


def _name(axes: Axes, found: Sequence[Outlier], limits: tuple[float, float], theme: Theme) -> None:
    """A ring and a number at each outlier, and what the numbers are in the corner.

    A number stands off the diagonal from its ring, as near as it can without touching another or a ring.
    """
    low, high = limits

    def points(time_us: float) -> float:
        return _PANEL_POINTS * math.log(time_us / low) / math.log(high / low)

    rings = [(points(o.row.time_us), points(o.predicted_us)) for o in found]
    taken = list(rings)
    for outlier, (x, y) in zip(found, rings, strict=True):
        side = 1 if outlier.error < 0 else -1
        steps = [(side * across, -side * along) for across, along in _STEPS]
        free = [step for step in steps if _is_free((x + step[0], y + step[1]), taken)]
        dx, dy = free[0] if free else steps[0]
        taken.append((x + dx, y + dy))
        place = (outlier.row.time_us, outlier.predicted_us)
        axes.plot(*place, color=theme.text, **_RING)
        axes.annotate(
            str(outlier.number), place, (dx, dy), textcoords="offset points",
            fontsize=7.5, ha="center", va="center",
            arrowprops={
                "arrowstyle": "-", "linewidth": 0.6, "color": theme.muted, "shrinkA": 1, "shrinkB": 4,
            },
        )  # fmt: skip
    names = [f"{o.number}  {o.row.label}  {o.error:+.0f} %" for o in found]
    axes.text(
        0.03, 0.97, "\n".join(names), transform=axes.transAxes, va="top", fontsize=6.5, color=theme.text,
        linespacing=1.35,
    )  # fmt: skip


def _is_free(place: tuple[float, float], taken: Sequence[tuple[float, float]]) -> bool:
    inside = all(_CLEARANCE < coordinate < _PANEL_POINTS - _CLEARANCE for coordinate in place)
    return inside and all(math.dist(place, other) > _CLEARANCE for other in taken)


def _limits(lowest: float, highest: float) -> tuple[float, float]:
    """Limits of both axes: room for rings and numbers, and one labelled tick at least."""
    margin = 0.05 + 0.1 * math.log10(highest / lowest)
    low, high = math.log10(lowest) - margin, math.log10(highest) + margin
    return float(10.0 ** min(low, math.floor(high))), float(10.0**high)


def _tick(value: float, _: int | None) -> str:
    factor, unit = formats.time_scale(value)
    return f"{value / factor:g} {unit}"
