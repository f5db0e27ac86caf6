"""The report of a run: a page, figures, tables and a timeline, in one folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from simulator.report.figures import FIGURES
from simulator.report.folder import check_folder, write_folder
from simulator.report.page import page_html
from simulator.report.perfetto import MAX_SLICES, timeline
from simulator.report.record import (
    Check,
    Curve,
    Phase,
    RunRecord,
    SimtKernel,
    SimtRecord,
    SimtStep,
)
from simulator.report.results import PAGE, results, results_json
from simulator.report.style import DARK, LIGHT, recolored, render
from simulator.report.tables import operations_csv, traffic_csv, units_csv

__all__ = [
    "Check",
    "Curve",
    "Phase",
    "RunRecord",
    "SimtKernel",
    "SimtRecord",
    "SimtStep",
    "check_folder",
    "report_files",
    "results",
    "write_report",
]

_OURS = frozenset(
    [
        PAGE,
        "results.json",
        "operations.csv",
        "units.csv",
        "traffic.csv",
        "timeline.json",
        *(f"figures/{figure.name}.{kind}" for figure in FIGURES for kind in ("png", "svg")),
    ]
)


def report_files(record: RunRecord, max_slices: int = MAX_SLICES) -> dict[str, bytes]:
    """Every file of the report by its path in the folder: the same record gives the same bytes."""
    files = {
        "results.json": results_json(record),
        "operations.csv": operations_csv(record),
        "units.csv": units_csv(record),
        "traffic.csv": traffic_csv(record),
    }
    trace = timeline(record.step, max_slices)
    files["timeline.json"] = trace.data
    inline: dict[str, dict[str, bytes]] = {}
    for figure in FIGURES:
        draw = partial(figure.draw, record)
        light = render(draw, LIGHT, ("svg", "png"))
        dark = recolored(light["svg"], LIGHT, DARK) or render(draw, DARK, ("svg",))["svg"]
        for kind, data in light.items():
            files[f"figures/{figure.name}.{kind}"] = data
        inline[figure.name] = {"light": light["svg"], "dark": dark}
    files[PAGE] = page_html(record, trace, inline)
    return files


def write_report(record: RunRecord, out: Path, *, max_slices: int = MAX_SLICES) -> Path:
    """Write the report into the folder ``out`` and return the path of its page.

    Raises:
        ConfigError: the folder cannot be written; nothing is left behind.
    """
    write_folder(out, report_files(record, max_slices), PAGE, _OURS)
    return out / PAGE
