"""``pulsetrain validate gpu``: the SIMT model against measured GPUs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import emit_json, json_option

if TYPE_CHECKING:
    from simulator.measured.gpus import Gpus
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
@click.option("--out", type=click.Path(), metavar="DIR", help="Where the scatter plots go.")
@json_option
def gpu(
    data: tuple[str, ...], machine: tuple[str, ...], ablation: bool, out: str | None, as_json: bool
) -> None:
    """Simulated against measured kernel times: roofline, tile and wave, and the full model.

    Without --data on the samples that come with pulsetrain.
    """
    from simulator.measured.gpus import Gpus
    from simulator.measured.predict import Predictor
    from simulator.measured.samples import sample_paths
    from simulator.measured.validation import validate_table

    gpus = Gpus(machine)
    tables = [_read(path, gpus) for path in ([Path(path) for path in data] or sample_paths())]
    folder = _folder(out)
    validations, without = [], []
    for table in tables:
        validation = validate_table(table, Predictor(gpus), _progress(table.name))
        validations.append(validation)
        without.append(_ablation(validation, gpus) if ablation else {})
    figures = [_draw(validation, folder) for validation in validations] if folder else []
    if as_json:
        sets = [_json(validation, found) for validation, found in zip(validations, without, strict=True)]
        emit_json({"sets": sets, "figures": figures})
        return
    for validation, found in zip(validations, without, strict=True):
        _show(validation, found)
    for figure in figures:
        click.echo(f"written: {figure}")


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
        raise ConfigError(f"{path}: no row reaches {EAGER_LIMIT_US:g} us; shorter ones time the host")
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


def _draw(validation: Validation, folder: Path) -> str:
    from simulator.errors import ConfigError
    from simulator.measured.figure import scatter_png

    path = folder / f"{validation.name}.png"
    try:
        path.write_bytes(scatter_png(validation))
    except OSError as error:
        raise ConfigError(f"out = {str(folder)!r}: cannot be written ({error.strerror})") from error
    return str(path)


def _show(validation: Validation, without: dict[str, Score]) -> None:
    from simulator.measured import text

    click.echo(text.title_of(validation))
    click.echo("\n" + "\n".join(text.plain("blind", validation.lines())))
    known = validation.known_lines()
    if known:
        click.echo("\n" + "\n".join(text.plain("full model", known)))
    click.echo("\nworst outliers of the full model, one per GPU and (N, K)")
    click.echo("\n".join(text.outliers(validation.outliers(OUTLIERS))))
    if without:
        click.echo("\n" + "\n".join(text.ablation(without)))
    click.echo("")


def _json(validation: Validation, without: dict[str, Score]) -> dict[str, Any]:
    return {
        "name": validation.name,
        "rows": len(validation.rows),
        "left_out": validation.left_out,
        "blind": [_line(line) for line in validation.lines()],
        "known_kernel": [_line(line) for line in validation.known_lines()],
        "ablation": {name: asdict(found) for name, found in without.items()},
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
