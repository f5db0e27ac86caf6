"""Pipeline diagrams as SVG: lanes over cycles, boxes in them, arrows between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

CELL, LANE, LABEL, HEAD, EDGE = 18, 24, 168, 26, 8  # px
COLOURS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2")
_TAILS = ("#c9d7e5", "#fcdab9", "#cbe3c8", "#e4d2de")  # the same, lighter
_FONT = 'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="11"'
_TICKS = 5


@dataclass(frozen=True)
class Box:
    """Cycles ``[start, end)`` of a lane, filled up to ``busy_end`` and lighter from there on."""

    start: int
    busy_end: int
    end: int
    text: str
    colour: int


@dataclass(frozen=True)
class Lane:
    """A row of boxes; without any its name is a heading."""

    name: str
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Arrow:
    """From a cycle in one lane to a cycle in another: a token."""

    lane: int
    cycle: int
    to_lane: int
    to_cycle: int


def draw(title: str, lanes: Sequence[Lane], arrows: Sequence[Arrow] = (), cell: int = CELL) -> str:
    """The picture; ``cell`` is the width of a cycle.

    Units: px.
    """
    cycles = 1 + max(box.end for lane in lanes for box in lane.boxes)
    width, height = LABEL + cycles * cell + 2 * EDGE, HEAD + len(lanes) * LANE + EDGE

    def x(cycle: int) -> int:
        return LABEL + cycle * cell

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" {_FONT}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for cycle in range(cycles + 1):
        major = cycle % _TICKS == 0
        colour = "#b0b0b0" if major else "#ececec"
        out.append(
            f'<path d="M{x(cycle)} {HEAD - 4}V{HEAD + len(lanes) * LANE + 4}" stroke="{colour}" fill="none"/>'
        )
        if major:
            out.append(_text(x(cycle), HEAD - 9, str(cycle), "middle", "#555555"))
    out.append(_text(LABEL - 10, HEAD - 9, "cycle", "end", "#555555"))
    for number, lane in enumerate(lanes):
        top = HEAD + number * LANE
        if not lane.boxes:
            out.append(f'<text x="{EDGE}" y="{top + 16}" font-weight="bold">{escape(lane.name)}</text>')
            continue
        out.append(_text(LABEL - 10, top + 16, lane.name, "end", "#000000"))
        for box in lane.boxes:
            out += _box(box, x, top)
    for arrow in arrows:
        out.append(_arrow(arrow, x))
    out.append("</svg>")
    return "\n".join(out) + "\n"


def _text(x: float, y: int, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:g}" y="{y}" text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'


def _box(box: Box, x: Callable[[int], int], top: int) -> list[str]:
    parts = []
    for start, end, fill in (
        (box.start, box.busy_end, COLOURS[box.colour % len(COLOURS)]),
        (box.busy_end, box.end, _TAILS[box.colour % len(_TAILS)]),
    ):
        if end > start:
            parts.append(
                f'<rect x="{x(start)}" y="{top + 3}" width="{x(end) - x(start)}" height="{LANE - 6}"'
                f' fill="{fill}" stroke="#ffffff"/>'
            )
    room = x(box.busy_end) - x(box.start)
    if 7 * len(box.text) <= room:
        middle = (x(box.start) + x(box.busy_end)) / 2
        parts.append(_text(middle, top + 16, box.text, "middle", "#ffffff"))
    else:
        parts.append(_text(x(box.start) + 3, top + 16, box.text, "start", "#000000"))
    return parts


def _arrow(arrow: Arrow, x: Callable[[int], int]) -> str:
    down = arrow.to_lane > arrow.lane
    start = HEAD + arrow.lane * LANE + (LANE - 3 if down else 3)
    end = HEAD + arrow.to_lane * LANE + (3 if down else LANE - 3)
    back = -5 if down else 5
    left, right = x(arrow.cycle), x(arrow.to_cycle)
    return (
        f'<path d="M{left} {start}L{right} {end + back}" stroke="#333333" stroke-width="1.3" fill="none"/>'
        f'<path d="M{right} {end}l-4 {back * 1.4:g}h8z" fill="#333333"/>'
    )
