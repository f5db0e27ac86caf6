"""``pulsetrain run``: the main job."""

from __future__ import annotations

import datetime
import hashlib
import shlex
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import (
    Workload,
    dataflow_options,
    emit_json,
    json_option,
    load_systolic,
    machine_options,
    make_workload,
    one_line,
    unfused_option,
    workload_options,
)
from simulator.cli.training import train_both
from simulator.errors import ConfigError

if TYPE_CHECKING:
    from simulator.api.checks import CheckPlan
    from simulator.api.training import Training
    from simulator.machines.simt import SimtMachine
    from simulator.report import RunRecord
    from workloads.datasets import Dataset

MANY_MACS = 20_000_000_000  # multiply-accumulates of a run above which not every step is emulated by default
SAMPLED_EVERY = 100


@click.command()
@machine_options("tpu_v2")
@click.option(
    "--dataset",
    default="digits",
    show_default=True,
    metavar="digits|fashion-mnist|synthetic|FOLDER",
    help="What to learn; a FOLDER holds idx files.",
)
@click.option("--epochs", type=click.IntRange(1, 1_000_000), default=20, show_default=True)
@workload_options
@dataflow_options
@click.option(
    "--against", default="v100", show_default=True, metavar="SIMT|none", help="GPU to compare with."
)
@unfused_option
@click.option(
    "--check",
    default=None,
    metavar="all|N|final",
    help="Which steps the emulation repeats (default: all; every 100th of a long run).",
)
@click.option("--out", default="report", show_default=True, type=click.Path(), help="Folder of the report.")
@json_option
def command(
    machine: str,
    overrides: tuple[str, ...],
    dataset: str,
    epochs: int,
    dataflow: str | None,
    engine: str,
    against: str,
    unfused: bool,
    check: str | None,
    out: str,
    as_json: bool,
    **options: Any,
) -> int:
    """Train a network on the simulated machine, check every number, compare with a GPU, write a report."""
    from simulator.report import check_folder, results, write_report
    from workloads import datasets, train

    systolic = load_systolic(machine, overrides, dataflow)
    simt = _load_simt(against)
    if unfused and simt is None:
        raise ConfigError("unfused: against = 'none' launches no kernels; a SIMT machine is needed")
    if not out:
        raise ConfigError("out = '': a folder is needed")
    check_folder(Path(out))
    with one_line():
        data = datasets.load(dataset, options["seed"])
    workload = make_workload(data.features, data.classes, options)
    with one_line():
        train.check_fit(workload.config, data)
    plan = _check_plan(check, workload, epochs * len(data.train_x))
    configuration = {
        **workload.described,
        "dataset": dataset,
        "data": _digest(data),
        "epochs": epochs,
        "check": check or f"every {plan.every}",
        "engine": engine,
        "against": against,
        "unfused": unfused,
        "machine": systolic.model_dump(mode="json", exclude={"sources"}),
    }
    _note(f"training on the simulated {systolic.name} and, for comparison, in plain NumPy")
    run, history = train_both(systolic, workload, data, epochs, plan, engine)
    if not run.steps:
        raise KeyboardInterrupt
    record = _record(run, history, data, workload, configuration, simt)
    page = write_report(record, Path(out))
    if as_json:
        emit_json({**results(record), "report": str(page)})
    else:
        _show(record, page)
    if run.interrupted:
        raise KeyboardInterrupt
    return 0 if record.passed else 1


def _digest(data: Dataset) -> str:
    """A hash of the samples, whatever they are called."""
    import numpy as np

    digest = hashlib.sha256()
    for array in (data.train_x, data.train_y, data.test_x, data.test_y):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]


def _load_simt(name: str) -> SimtMachine | None:
    from simulator.machines.loader import load_machine
    from simulator.machines.simt import SimtMachine

    if name == "none":
        return None
    machine = load_machine(name)
    if not isinstance(machine, SimtMachine):
        raise ConfigError(
            f"against = {name!r}: a SIMT machine or none is allowed, this is a systolic machine"
        )
    return machine


def _check_plan(text: str | None, workload: Workload, samples: int) -> CheckPlan:
    from simulator.api.checks import CheckPlan

    if text is not None:
        return CheckPlan.parse(text)
    widths = workload.config.widths
    macs = 3 * samples * sum(a * b for a, b in pairwise(widths))
    return CheckPlan(1 if macs <= MANY_MACS else SAMPLED_EVERY)


def _note(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)


def _record(
    run: Training,
    history: Any,
    data: Dataset,
    workload: Workload,
    configuration: dict[str, Any],
    simt: SimtMachine | None,
) -> RunRecord:
    from simulator.report.build import curve, record_of

    _note("writing the report")
    widths = "-".join(map(str, workload.config.widths))
    return record_of(
        run,
        title=f"{data.name}, {widths}",
        configuration=configuration,
        command=shlex.join(["pulsetrain", *_arguments()]),
        numpy_curve=curve("NumPy float32", history.losses, history.accuracies),
        against=simt,
        fused=not configuration["unfused"],
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _arguments() -> list[str]:
    context = click.get_current_context()
    given: list[str] = [context.info_name or "run"]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        source = context.get_parameter_source(parameter.name or "")
        if source is None or source.name == "DEFAULT" or parameter.name in ("as_json", "out"):
            continue
        for item in value if isinstance(value, tuple) else (value,):
            given.append(parameter.opts[0])
            if not isinstance(item, bool):
                given.append(str(item))
    return given


def _show(record: RunRecord, page: Path) -> None:
    step = record.step.metrics
    click.echo(f"{record.title} on {record.machine.name}: {record.steps:,} steps, {record.cycles:,} cycles")
    click.echo(f"  test accuracy   {record.accuracy:.2%}   loss {record.loss:.4f}")
    click.echo(
        f"  step            {step.cycles:,} cycles = {step.time_us:,.2f} us, "
        f"utilization {step.utilization:.2%}"
    )
    if record.simt is not None:
        other = record.simt.steps[0]
        click.echo(
            f"  {record.simt.machine:15s} {other.cycles:,} cycles = {other.time_us:,.2f} us, "
            f"utilization {other.utilization:.2%}"
        )
    for check in record.checks:
        mark = "ok" if check.passed else "FAILED"
        click.echo(
            f"  check {check.name:9s} {mark}: {check.values:,} values, {check.differences:,} differences"
        )
    different = record.weights_different
    if different is None:
        click.echo(f"  weights         none of {record.weights:,} compared with the emulation")
    else:
        click.echo(f"  weights         {different:,} of {record.weights:,} differ from the emulation")
    click.echo(f"report: {page}")
