"""One look for all figures, and their bytes: the same figure gives the same PNG and SVG."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FuncFormatter

from simulator.trace import Stall

PNG_DPI = 180  # also of the parts of an SVG that would be too many shapes
WIDTH = 7.6  # inches; shown at most 1.2 times as large


@dataclass(frozen=True)
class Theme:
    """Colours of everything that is not data, and the two data colours that depend on the background."""

    name: str
    background: str
    text: str
    muted: str
    grid: str
    finished: str
    reference: str  # what the simulated machine is compared with


LIGHT = Theme("light", "#ffffff", "#1c2530", "#5d6977", "#e2e6eb", "#dfe3e8", "#8a94a0")
DARK = Theme("dark", "#151a20", "#dde3ea", "#97a3b1", "#2b333d", "#323a45", "#8a94a0")

BUSY = "#3572b0"
ACCENT = "#d9822b"
SERIES = (BUSY, ACCENT, "#4f9d8a", "#a05d94", "#b9a03a", "#c4544d", "#7c8794")
_REASONS = {
    Stall.TOKEN: "#d9822b",
    Stall.DISPATCH: "#f0c27b",
    Stall.WEIGHTS: "#3f8f7c",
    Stall.WEIGHT_FIFO: "#93cdbd",
    Stall.WEIGHT_RELEASE: "#74a842",
    Stall.ACCUMULATE: "#c77fb5",
    Stall.ARRAY: "#8257a5",
    Stall.MEMORY_SWITCH: "#c4544d",
    Stall.QUEUE: "#a58d6f",
}


def reason_color(reason: Stall, theme: Theme) -> str:
    """The colour of a stall reason, the same in every figure."""
    return _REASONS.get(reason, theme.finished)


@contextmanager
def drawing(theme: Theme) -> Iterator[None]:
    """matplotlib's own defaults (never the user's) with this look, for the time of a ``with``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        defaults: Any = matplotlib.rcParamsDefault
        settings: Any = {
            **{key: value for key, value in defaults.items() if not key.startswith("backend")},
            "svg.hashsalt": "pulsetrain",
            "svg.fonttype": "path",
            "font.family": ["DejaVu Sans"],
            "font.size": 9.0,
            "axes.titlesize": 10.0,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.titlepad": 8.0,
            "axes.labelsize": 9.0,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.facecolor": theme.background,
            "axes.edgecolor": theme.muted,
            "axes.labelcolor": theme.text,
            "axes.titlecolor": theme.text,
            "axes.linewidth": 0.8,
            "figure.facecolor": theme.background,
            "grid.color": theme.grid,
            "grid.linewidth": 0.8,
            "legend.frameon": False,
            "legend.fontsize": 8.5,
            "legend.labelcolor": theme.text,
            "text.color": theme.text,
            "xtick.color": theme.muted,
            "ytick.color": theme.muted,
            "xtick.labelcolor": theme.text,
            "ytick.labelcolor": theme.text,
            "hatch.linewidth": 0.6,
            "lines.linewidth": 1.8,
        }
        with matplotlib.rc_context(settings):
            yield


def new_figure(height: float) -> Figure:
    """An empty figure of the common width (inches), with an Agg canvas and no global state."""
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    return figure


def legend_below(figure: Figure, handles: list[Any], labels: list[str], columns: int = 6) -> None:
    """A legend outside of the axes, under the figure."""
    figure.legend(
        handles, labels, loc="outside lower left", ncols=min(columns, max(1, len(labels))),
        columnspacing=1.4, handlelength=1.3, handletextpad=0.5,
    )  # fmt: skip


def thousands(axes: Axes, axis: str = "x") -> None:
    """Tick labels with thousands separators."""
    chosen = axes.xaxis if axis == "x" else axes.yaxis
    chosen.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def percents(axes: Axes, axis: str = "x") -> None:
    """Tick labels of a fraction of one, as per cent."""
    chosen = axes.xaxis if axis == "x" else axes.yaxis
    chosen.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.10g} %"))


def render(draw: Callable[[Theme], Figure], theme: Theme, kinds: tuple[str, ...]) -> dict[str, bytes]:
    """The bytes of a figure as ``svg`` and ``png``."""
    with drawing(theme):
        figure = draw(theme)
        ConstrainedLayoutEngine().execute(figure)  # once: a figure with an engine is laid out by every save
        return {kind: _save(figure, kind) for kind in kinds}


def recolored(svg: bytes, theme: Theme, into: Theme) -> bytes | None:
    """An SVG drawn in one theme as it would be drawn in another; None where a part of it is pixels."""
    if b"<image" in svg:
        return None
    names = [field.name for field in fields(Theme) if field.name != "name"]
    colors = {getattr(theme, name).encode(): getattr(into, name).encode() for name in names}
    return re.sub(rb"#[0-9a-f]{6}\b", lambda found: colors.get(found[0], found[0]), svg)


def _save(figure: Figure, kind: str) -> bytes:
    out = BytesIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    figure.savefig(out, format=kind, dpi=PNG_DPI, metadata=metadata)
    return out.getvalue()
