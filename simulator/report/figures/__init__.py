"""The figures of a report, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from simulator.report.figures import energy, learning, roofline, speed, stalls, timeline
from simulator.report.record import RunRecord
from simulator.report.style import Theme


@dataclass(frozen=True)
class FigureSpec:
    """A figure's file name, what it shows for those who cannot see it, and how it is drawn."""

    name: str
    alt: str
    draw: Callable[[RunRecord, Theme], Figure]


FIGURES = (
    FigureSpec("learning", "Loss and accuracy per epoch: the simulated machine and NumPy", learning.draw),
    FigureSpec("speed", "Time per step and utilization, with the SIMT machine if there is one", speed.draw),
    FigureSpec("units", "Busy and stalled cycles of every unit during one step", stalls.by_unit),
    FigureSpec("matrix_unit", "Busy and stalled cycles of the matrix unit by operation", stalls.matrix_unit),
    FigureSpec("vector_unit", "Busy and stalled cycles of the vector unit by operation", stalls.vector_unit),
    FigureSpec("timeline", "What every unit does over the cycles of one step", timeline.draw),
    FigureSpec("roofline", "Roofline of one step: rate against operations per byte", roofline.draw),
    FigureSpec("energy", "Energy of one step by component", energy.draw),
)
