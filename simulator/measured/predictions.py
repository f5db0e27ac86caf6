"""What the models say about every row of a table, as the table itself with further columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from simulator.measured.predict import Prediction
from simulator.measured.rows import Gemm, Row, Table
from simulator.measured.scores import is_scored


def predictions_csv(table: Table, predictions: Sequence[Prediction]) -> str:
    """The table's comments, its rows as they stand there, and what each model says about them.

    Columns: ``MODEL_us`` (as measured, with the host's part) and ``MODEL_error_percent`` for every model;
    for GEMMs the full model's ``tile`` and ``splits``; ``scored`` is no for rows that no score counts. A
    column of the same name in the table gives way.
    """
    said = [_said(row, one) for row, one in zip(table.rows, predictions, strict=True)]
    added = list(dict.fromkeys(name for columns in said for name in columns))
    kept = [i for i, name in enumerate(table.columns) if name not in added]
    text = io.StringIO()
    text.writelines(f"# {comment}\n" for comment in table.comments)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(table.columns[i] for i in kept), *added])
    for cells, columns in zip(table.cells, said, strict=True):
        writer.writerow([*(cells[i] for i in kept), *(columns[name] for name in added)])
    return text.getvalue()


def _said(row: Row, said: Prediction) -> Mapping[str, str]:
    times: dict[str, float | None] = {
        model.replace("-", "_"): time_us for model, time_us in said.times_us.items()
    }
    if isinstance(row, Gemm) and row.launched:
        times["known_kernel"] = said.known_us
    columns = {f"{model}_us": "" if us is None else f"{us:.3f}" for model, us in times.items()}
    for model, us in times.items():
        error = "" if us is None else f"{100.0 * (us / row.time_us - 1.0):.2f}"
        columns[f"{model}_error_percent"] = error
    if isinstance(row, Gemm):
        columns |= {"tile": said.tile, "splits": str(said.splits)}
    return {**columns, "scored": "yes" if is_scored(row) else "no"}
