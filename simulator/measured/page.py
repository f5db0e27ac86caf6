"""The tables of ``docs/validation.md``, between its markers; everything else on the page is written by hand.

``python -m simulator.measured.page docs/validation.md`` renews what the shipped samples show. Given the
folder with the whole sets as well, it renews all tables. A table says on how many rows it was made.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulator.measured import text
from simulator.measured.ablation import ablation
from simulator.measured.crossvalidate import crossvalidate_tables
from simulator.measured.gpus import Gpus
from simulator.measured.predict import Predictor
from simulator.measured.rows import Gemm, read_table
from simulator.measured.samples import sample_paths
from simulator.measured.validation import Validation, validate_table

OUTLIERS = 3  # of a GPU


def renewed(page: str, blocks: Mapping[str, Sequence[str]]) -> str:
    """The page with other lines between the markers of each block.

    Raises:
        ValueError: a block's markers are not on the page.
    """
    for name, lines in blocks.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"the page has no block {name!r}")
        page = before + begin + "\n".join([*lines, ""]) + end + after
    return page


def sample_block() -> list[str]:
    """All sets by GPU, on the shipped samples."""
    return _sets(_validations(sample_paths()), ("all", "gpu"))


def full_blocks(paths: Sequence[Path]) -> dict[str, list[str]]:
    """Every other block of the page, from whole sets."""
    validations = _validations(paths)
    gpus = Gpus()
    known: list[str] = []
    without: list[str] = []
    for found in validations:
        if not any(isinstance(row, Gemm) for row in found.rows):
            continue
        lines = [line for line in found.known_lines() if line.grouping in ("all", "gpu")]
        if lines:
            known += [f"**{text.title_of(found)}**", "", *text.markdown(lines), ""]
        ablated = ablation(found.rows, gpus)
        without += [f"**{text.title_of(found)}**", "", *text.ablation_markdown(ablated), ""]
    cross: list[str] = []
    for kind, scores in crossvalidate_tables([read_table(path) for path in paths], gpus).items():
        cross += [f"**{kind}**", "", *text.crossvalidation(scores), ""]
    return {
        "full": _sets(validations, ("all", "gpu", "kind", "size", "layout")),
        "known": known[:-1],
        "ablation": without[:-1],
        "crossvalidation": cross[:-1],
        "outliers": _outliers(validations),
    }


def _validations(paths: Sequence[Path]) -> list[Validation]:
    predictor = Predictor(Gpus())
    return [validate_table(read_table(path), predictor) for path in paths]


def _sets(validations: Sequence[Validation], groupings: Sequence[str]) -> list[str]:
    lines = []
    for found in validations:
        chosen = [line for line in found.lines() if line.grouping in groupings]
        lines += [f"**{text.title_of(found)}**", "", *text.markdown(chosen), ""]
    return lines[:-1]


def _outliers(validations: Sequence[Validation]) -> list[str]:
    lines = ["| GPU | row | measured µs | simulated µs | error |", "|---|---|--:|--:|--:|"]
    for found in validations:
        for gpu in sorted({row.gpu for row in found.rows}):
            own = found.subset([i for i, row in enumerate(found.rows) if row.gpu == gpu])
            for outlier in own.outliers(OUTLIERS):
                row = outlier.row
                times = f"{row.time_us:,.1f} | {outlier.predicted_us:,.1f}"
                lines.append(f"| {gpu} | {row.label} | {times} | {outlier.error:+.0f} % |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Renews the page's tables in place."""
    page, *folder = map(Path, arguments)
    blocks = {"sample": sample_block()}
    if folder:
        blocks |= full_blocks(sorted(folder[0].glob("*.csv")))
    page.write_text(renewed(page.read_text(encoding="utf-8"), blocks), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
