"""report.html: one file without any outside resource, in the order of the questions it answers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from simulator.report import sentences, sheets
from simulator.report.figures import FIGURES
from simulator.report.perfetto import Timeline
from simulator.report.record import RunRecord
from simulator.report.style import BUSY, LIGHT, reason_color
from simulator.report.words import REASON_LABELS, REASON_NOTES
from simulator.trace import REASONS, Stall


def page_html(record: RunRecord, trace: Timeline, figures: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """The page; ``figures`` holds each figure's SVG by name and theme."""
    context: dict[str, Any] = {
        "record": record,
        "badge": sentences.badge(record),
        "failed": record.failed,
        "fairness": sentences.fairness(record),
        "headline": sentences.headline(record),
        "subtitle": sentences.subtitle(record),
        "answers": sentences.answers(record),
        "tiles": sheets.tiles(record),
        "tables": sheets.tables(record),
        "checks": sheets.checks(record),
        "reasons": _reasons(record),
        "busy_color": BUSY,
        "energy_notes": record.step.energy.notes,
        "timeline": trace,
        "configuration": sheets.flat(record.configuration),
        "figures": {
            figure.name: {
                "alt": figure.alt,
                **{theme: _data_uri(svg) for theme, svg in figures[figure.name].items()},
            }
            for figure in FIGURES
        },
        "style": Markup(_read("style.css")),  # ours, not from the record
    }
    return _template().render(context).encode()


def _reasons(record: RunRecord) -> list[dict[str, str]]:
    """The stall reasons that happened, with colour and explanation."""
    units = record.step.metrics.units
    return [
        {
            "label": REASON_LABELS[reason],
            "color": "" if reason is Stall.FINISHED else reason_color(reason, LIGHT),
            "note": REASON_NOTES[reason],
        }
        for reason in REASONS
        if any(unit.stalls[str(reason)] for unit in units)
    ]


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"


def _read(name: str) -> str:
    return files("simulator.report").joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_read("report.html.j2"))
