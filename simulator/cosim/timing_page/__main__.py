"""``python -m simulator.cosim.timing_page``: the diagrams and the measured part of ``docs/timing.md``."""

from __future__ import annotations

import sys
from pathlib import Path

from simulator.cosim.timing_page.figures import FIGURES
from simulator.cosim.timing_page.table import text
from simulator.errors import PulsetrainError

DOCS = Path(__file__).resolve().parents[3] / "docs"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"


def page(before: str, measured: str) -> str:
    """The page with its measured part replaced."""
    head, rest = before.split(BEGIN)
    return head + BEGIN + measured + END + rest.split(END)[1]


def main() -> int:
    """0, or 1 with the reason on stderr."""
    path = DOCS / "timing.md"
    try:
        path.write_text(page(path.read_text(encoding="utf-8"), text()), encoding="utf-8")
        for name, figure in FIGURES.items():
            (DOCS / "images" / f"{name}.svg").write_text(figure(), encoding="utf-8")
    except PulsetrainError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
