"""``pulsetrain validate gpu``: the SIMT model against measured GPUs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from simulator.cli.options import emit_json, json_option

if TYPE_CHECKING:
    from simulator.measured.gpus import Gpus
    from simulator.measured.predict import Prediction
    from simulator.measured.rows import Row, Table
    from simulator.measured.scores import Score
    from simulator.measured.validation import Line, Validation

OUTLIERS = 10


@click.group(no_args_is_help=False)
def command() -> None:
    """Compare models with measurements."""


@command.command(short_help="simulated against measured kernel times")
@click.option(
    "--data", multiple=True, type=click.Path(), metavar="CSV", help="Measurements; may be repeated."
)
@click.option(
    "--machine", multiple=True, metavar="GPU=NAME_OR_TOML",
    help="The machine that stands for a GPU of the data; may be repeated.",
)  # fmt: skip
@click.option("--ablation", is_flag=True, help="Also without one ingredient of the model at a time.")
@click.option(
    "--out", type=click.Path(), metavar="DIR",
    help="Where a scatter plot and a CSV of what every model says row by row go, for each table.",
)  # fmt: skip
@json_option
def gpu(
    data: tuple[str, ...], machine: tuple[str, ...], ablation: bool, out: str | None, as_json: bool
) -> None:
    """Simulated against measured kernel times: roofline, tile and wave, and the full model.

    Without --data on the samples that come with pulsetrain. A CSV has columns
    gpu,dtype,M,N,K,transA,transB,time_us (and kernel,gx,gy,gz where known), gpu,op,rows,cols,time_us or
    gpu,optimizer,form,parameters,time_us; docs/validation.md says more.
    """
    from simulator.measured.gpus import Gpus
    from simulator.measured.predict import Predictor
    from simulator.measured.samples import sample_paths
    from simulator.measured.validation import predict_table, validation_of

    gpus = Gpus(machine)
    paths = [Path(path) for path in data] or sample_paths()
    if out is not None:
        _refuse_overwriting(paths, Path(out))
    tables = [_read(path, gpus) for path in paths]
    folder = _folder(out)
    sets: list[_Set] = []
    written: list[Path] = []
    for table in tables:
        predictions = predict_table(table, Predictor(gpus), _progress(table.name))
        validation = validation_of(table, predictions)
        sets.append(_Set(table, validation, gpus, _ablation(validation, gpus) if ablation else {}))
        if folder is not None:
            written += _write(sets[-1], predictions, folder)
    if as_json:
        files = {
            key: [str(path) for path in written if path.suffix == suffix]
            for key, suffix in (("figures", ".png"), ("predictions", ".csv"))
        }
        emit_json({"sets": [_json(found) for found in sets], **files})
        return
    for found in sets:
        _show(found)
    for path in written:
        click.echo(f"written: {path}")


class _Set(NamedTuple):
    """A table with what came of it; ``without`` has the scores without each ingredient."""

    table: Table
    validation: Validation
    gpus: Gpus
    without: dict[str, Score]

    def machines(self) -> dict[str, str]:
        """The name of the machine that stands for each GPU of the table."""
        names = sorted({row.gpu for row in self.table.rows})
        return {name: self.gpus.machine(name).name for name in names}


def _outputs(name: str, folder: Path) -> tuple[Path, Path]:
    """The figure and the predictions of a table."""
    return folder / f"{name}.png", folder / f"{name}.predictions.csv"


def _refuse_overwriting(paths: Sequence[Path], folder: Path) -> None:
    """Every table has files of its own in the folder, and none of them is a table.

    Raises:
        ConfigError: two tables have one name, or a table lies where predictions go.
    """
    from simulator.errors import ConfigError

    names: dict[str, Path] = {}
    for path in paths:
        other = names.setdefault(path.stem, path)
        if other is not path:
            raise ConfigError(
                f"data = {str(path)!r}: {str(other)!r} would have the same files in out, {path.stem}.*; "
                "different names are needed"
            )
    tables = {path.resolve() for path in paths}
    for name in names:
        for written in _outputs(name, folder):
            if written.resolve() in tables:
                raise ConfigError(f"out = {str(folder)!r}: {written.name} there is a table of --data")


def _read(path: Path, gpus: Gpus) -> Table:
    """A table all of whose GPUs have a machine, and of which some rows count."""
    from simulator.errors import ConfigError
    from simulator.measured.rows import read_table
    from simulator.measured.scores import EAGER_LIMIT_US, is_scored

    table = read_table(path)
    for name in dict.fromkeys(row.gpu for row in table.rows):
        try:
            gpus.machine(name)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
    if not any(is_scored(row) for row in table.rows):
        eager = 'the host, unless a comment says "CUDA graphs"'
        raise ConfigError(f"{path}: no row reaches {EAGER_LIMIT_US:g} us; shorter ones time {eager}")
    return table


def _folder(out: str | None) -> Path | None:
    """The folder of the figures, made if need be.

    Raises:
        ConfigError: it cannot be.
    """
    from simulator.errors import ConfigError

    if out is None:
        return None
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out = {out!r}: a folder cannot be made there ({error.strerror})") from error
    return folder


def _ablation(validation: Validation, gpus: Gpus) -> dict[str, Score]:
    from simulator.measured.ablation import ablation
    from simulator.measured.rows import Gemm

    if not any(isinstance(row, Gemm) for row in validation.rows):
        return {}
    return dict(ablation(validation.rows, gpus, _progress(f"{validation.name}, ablation")))


def _progress(name: str) -> Callable[[Iterable[Row]], Iterable[Row]]:
    def shown(rows: Iterable[Row]) -> Iterable[Row]:
        from tqdm import tqdm

        yield from tqdm(rows, desc=name, unit="row", file=sys.stderr, disable=None, leave=False)

    return shown


def _write(found: _Set, predictions: Sequence[Prediction], folder: Path) -> tuple[Path, Path]:
    from simulator.errors import ConfigError
    from simulator.measured.figure import scatter_png
    from simulator.measured.predictions import predictions_csv

    figure, rows = _outputs(found.table.name, folder)
    try:
        figure.write_bytes(scatter_png(found.validation))
        rows.write_text(predictions_csv(found.table, predictions), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"out = {str(folder)!r}: cannot be written ({error.strerror})") from error
    return figure, rows


def _show(found: _Set) -> None:
    from simulator.measured import text

    validation = found.validation
    click.echo(text.title_of(validation))
    click.echo("\n".join(text.about(found.table, validation, found.machines())))
    click.echo("\n" + "\n".join(text.plain("blind", validation.lines())))
    known = validation.known_lines()
    if known:
        click.echo("\n" + "\n".join(text.plain("full model", known)))
    click.echo("\n" + "\n".join(text.outliers(validation.outliers(OUTLIERS))))
    if found.without:
        click.echo("\n" + "\n".join(text.ablation(found.without)))
    click.echo("")


def _json(found: _Set) -> dict[str, Any]:
    validation = found.validation
    return {
        "name": validation.name,
        "rows": len(validation.rows),
        "left_out": validation.left_out,
        "machines": found.machines(),
        "eager": found.table.eager,
        "common": validation.common(),
        "blind": [_line(line) for line in validation.lines()],
        "known_kernel": [_line(line) for line in validation.known_lines()],
        "ablation": {name: asdict(score) for name, score in found.without.items()},
        "outliers": [
            {
                "gpu": outlier.row.gpu,
                "row": outlier.row.label,
                "measured_us": outlier.row.time_us,
                "simulated_us": outlier.predicted_us,
                "error": outlier.error,
            }
            for outlier in validation.outliers(OUTLIERS)
        ],
    }


def _line(line: Line) -> dict[str, Any]:
    scores = {model: asdict(found) for model, found in line.scores.items()}
    return {"grouping": line.grouping, "value": line.value, "models": scores}
