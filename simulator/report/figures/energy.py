"""What a step costs: energy by component, with the range of the table's entries."""

from __future__ import annotations

from matplotlib.figure import Figure

from simulator.report import formats
from simulator.report.record import RunRecord
from simulator.report.style import BUSY, Theme, new_figure, thousands


def draw(record: RunRecord, theme: Theme) -> Figure:
    """A bar per component to its mid value; a whisker where the source gives a range."""
    energy = record.step.energy
    parts = energy.components
    total = energy.energy_pj
    factor, unit = formats.energy_scale(max(part.high_pj for part in parts))
    figure = new_figure(1.0 + 0.3 * len(parts))
    axes = figure.subplots()
    rows = range(len(parts))
    axes.barh(rows, [part.mid_pj / factor for part in parts], height=0.62, color=BUSY)
    longest = max(part.high_pj for part in parts) / factor or 1.0
    for row, part in enumerate(parts):
        low, mid, high = (value / factor for value in (part.low_pj, part.mid_pj, part.high_pj))
        if high > low:
            axes.errorbar(
                mid, row, xerr=[[mid - low], [high - mid]], color=theme.text, capsize=3, linewidth=1
            )
        share = part.mid_pj / total if total else 0.0
        more = "≥ " if part.lower_bound else ""
        axes.annotate(
            f"{more}{formats.energy(part.mid_pj)}  ({formats.percent(share, 0)})", (high, row),
            xytext=(6, 0), textcoords="offset points", va="center",
        )  # fmt: skip
    axes.set_yticks(rows, [part.name for part in parts])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, longest * 1.3)
    axes.set_xlabel(f"energy ({unit})")
    axes.set_title(f"Energy of one training step: {formats.energy(total)}")
    thousands(axes)
    axes.grid(axis="x")
    return figure
