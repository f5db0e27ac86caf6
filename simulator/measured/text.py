"""Validations as tables: plain text for a terminal, Markdown for the page."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from simulator.measured.rows import Elementwise, Gemm, Table
from simulator.measured.scores import EAGER_LIMIT_US, Score
from simulator.measured.validation import Line, Outlier, Validation

_FIGURES = ("MAPE", "median", "p90", "bias")
_WIDTH = 96
_EAGER = "taken as launched and timed one by one (eager), so the host's part is added to every model"
_SHORT = f"; rows below {EAGER_LIMIT_US:g} us, which mostly time the host, are not scored"
_NOT_EAGER = "; if they ran under CUDA graphs, put a comment with these words into the file"
_BACK_TO_BACK = "none: kernels follow one another, as under CUDA graphs or in a long loop"
_TURNS = (
    "{} copies of B and C taken in turn, so that L2 keeps B only if all of them fit; if there was one, "
    'put a comment with "same tensors" into the file'
)
_ONE_COPY = "one copy of B and C: what fits L2 is found there again"
_GROUPINGS = {"all": "", "gpu": "GPU", "kind": "type", "size": "size", "layout": "layout"}


def figures(found: Score) -> tuple[str, str, str, str]:
    """MAPE, median, 90th percentile and bias, per cent."""
    return f"{found.mape:.1f}", f"{found.median:.1f}", f"{found.p90:.1f}", f"{found.bias:+.1f}"


def plain(title: str, lines: Sequence[Line]) -> list[str]:
    """A block of text: a row per group under the name of its grouping, four figures per model."""
    models = list(lines[0].scores)
    width = max(len(title), *(len(line.value) + 2 for line in lines))
    cells = 7 * len(_FIGURES)
    text = [
        f"{title:{width}s}{'':8s}" + "".join(f"  {model:>{cells}s}" for model in models),
        f"{'':{width}s}{'rows':>8s}" + ("  " + "".join(f"{name:>7s}" for name in _FIGURES)) * len(models),
    ]
    grouping = "all"
    for line in lines:
        if line.grouping != grouping:
            grouping = line.grouping
            text.append(f"by {_GROUPINGS[grouping]}")
        label = line.value if grouping == "all" else f"  {line.value}"
        numbers = "".join(
            "  " + "".join(f"{figure:>7s}" for figure in figures(line.scores[model])) for model in models
        )
        text.append(f"{label:{width}s}{line.rows:8,d}{numbers}")
    return text


def markdown(lines: Sequence[Line]) -> list[str]:
    """A Markdown table: a row per group, MAPE / median / p90 / bias per model."""
    models = list(lines[0].scores)
    text = [
        "| | rows | " + " | ".join(models) + " |",
        "|---|--:|" + "--:|" * len(models),
    ]
    for line in lines:
        cells = " | ".join(" / ".join(figures(line.scores[model])) for model in models)
        text.append(f"| {_label(line)} | {line.rows:,} | {cells} |")
    return text


def outliers(found: Sequence[Outlier]) -> list[str]:
    """A title and a line per outlier, numbered as in the figure."""
    family = "(N, K)" if isinstance(found[0].row, Gemm) else "kind of row"
    labels = [f"{outlier.row.gpu}  {outlier.row.label}" for outlier in found]
    width = max(map(len, labels))
    lines = [
        f"{outlier.number:4d}  {label:{width}s}  measured {outlier.row.time_us:>10,.1f} us"
        f"  simulated {outlier.predicted_us:>10,.1f} us  {outlier.error:+6.0f} %"
        for outlier, label in zip(found, labels, strict=True)
    ]
    return [f"worst outliers of the full model, one per GPU and {family}", *lines]


def ablation(found: Mapping[str, Score]) -> list[str]:
    """A line per ingredient left out."""
    width = max(map(len, found))
    text = [f"{'':{width}s} {'rows':>7s}" + "".join(f"{name:>8s}" for name in _FIGURES)]
    for name, result in found.items():
        text.append(f"{name:{width}s} {result.rows:7,d}" + "".join(f"{cell:>8s}" for cell in figures(result)))
    return text


def ablation_markdown(found: Mapping[str, Score]) -> list[str]:
    """The same as a Markdown table, with what each ingredient is worth."""
    full = found["full model"].mape
    text = ["| | rows | MAPE | median | p90 | bias | MAPE gained |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, result in found.items():
        gained = "" if name == "full model" else f"{result.mape - full:+.1f}"
        text.append(f"| {name} | {result.rows:,} | {' | '.join(figures(result))} | {gained} |")
    return text


def crossvalidation(found: Mapping[str, Mapping[str, Score]]) -> list[str]:
    """A Markdown table: a row per GPU, a column per way of fitting."""
    ways = list(dict.fromkeys(way for scores in found.values() for way in scores))
    text = ["| | rows | " + " | ".join(ways) + " |", "|---|--:|" + "--:|" * len(ways)]
    for gpu, scores in found.items():
        rows = next(iter(scores.values())).rows
        cells = [" / ".join(figures(scores[way])) if way in scores else "" for way in ways]
        text.append(f"| {gpu} | {rows:,} | {' | '.join(cells)} |")
    return text


def title_of(validation: Validation) -> str:
    """What the block is about."""
    left = f", {validation.left_out:,} below the host's floor left out" if validation.left_out else ""
    count = len(validation.rows)
    return f"{validation.name}: {count:,} {'row' if count == 1 else 'rows'}{left}"


def about(table: Table, validation: Validation, machines: Mapping[str, str]) -> list[str]:
    """What the rows are where the table below does not tell, and what is taken for granted about them.

    ``machines`` has the name of the machine that stands for each GPU.
    """
    common = validation.common()
    facts = {"GPU": ", ".join(f"{gpu} (machine {name})" for gpu, name in machines.items())}
    facts |= {_GROUPINGS[name]: value for name, value in common.items() if name != "gpu"}
    if "layout" in facts:
        facts["layout"] += " (A and B as stored, T: transposed)"
    row = table.rows[0]
    short = "" if isinstance(row, Elementwise) else _SHORT
    facts["host"] = _EAGER + short + _NOT_EAGER if table.eager else _BACK_TO_BACK
    if isinstance(row, Gemm):
        copies = row.weight_copies
        facts["weights"] = _TURNS.format(copies) if copies > 1 else _ONE_COPY
    return [
        f"  {name if i == 0 else '':10s}{line}"
        for name, text in facts.items()
        for i, line in enumerate(textwrap.wrap(text, _WIDTH, break_long_words=False))
    ]


def _label(line: Line) -> str:
    name = _GROUPINGS[line.grouping]
    return f"{name} {line.value}" if name else line.value
