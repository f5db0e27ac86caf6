"""``pulsetrain cosim``: training steps in RTL, compared with the models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from simulator.cli.options import (
    Workload,
    emit_json,
    json_option,
    load_systolic,
    machine_options,
    make_workload,
    one_line,
    workload_options,
)
from simulator.cli.step import FULL_BATCH_NEEDS_DATA
from simulator.cosim.build import wave_format
from simulator.errors import ConfigError

MAX_WIDTH = 1 << 12  # of layers and batch; RTL simulation is slow


@click.command()
@machine_options("edge_8x8")
@click.option("--inputs", type=click.IntRange(1, MAX_WIDTH), default=16, show_default=True, help="Features.")
@click.option("--outputs", type=click.IntRange(2, MAX_WIDTH), default=4, show_default=True, help="Classes.")
@workload_options
@click.option("--dataflow", type=click.Choice(["ws", "os", "is"]), default=None)
@click.option(
    "--steps", type=click.IntRange(1, 100_000), default=1, show_default=True, help="Training steps."
)
@click.option(
    "--wave", type=click.Path(), default=None, help="Write a waveform of the first step here: .fst or .vcd."
)
@json_option
def command(
    machine: str,
    overrides: tuple[str, ...],
    inputs: int,
    outputs: int,
    dataflow: str | None,
    steps: int,
    wave: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Run training steps in SystemVerilog and in the models; nothing may differ, in cycles or in bits."""
    workload = make_workload(inputs, outputs, options)
    if workload.batch is None:
        raise ConfigError(FULL_BATCH_NEEDS_DATA)
    for name, value in (("batch", workload.batch), ("hidden", max(workload.config.widths))):
        if value > MAX_WIDTH:
            raise ConfigError(f"{name} = {value}: at most {MAX_WIDTH} in RTL, which is slow")
    if wave is not None:
        wave_format(Path(wave))
        if not Path(wave).absolute().parent.is_dir():
            raise ConfigError(f"wave = {wave!r}: the folder {str(Path(wave).parent)!r} does not exist")
    described = load_systolic(machine, overrides, dataflow)
    summary = _cosimulate(described, workload, steps, Path(wave) if wave is not None else None)
    report = summary["report"]
    if as_json:
        emit_json(summary)
    else:
        many = "s" if summary["steps"] > 1 else ""
        click.echo(f"{summary['machine']}: {summary['steps']:,} training step{many} in RTL and in the models")
        for key in ("instructions", "cycle_mismatches", "bits", "bit_mismatches", "rtl_cycles"):
            click.echo(f"  {key.replace('_', ' ').replace('rtl', 'RTL'):18s} {summary[key]:,}")
        click.echo(f"  {'RTL cycles / s':18s} {summary['rtl_cycles_per_s']:,.0f}")
        first, last = (f"{summary['losses'][at]:.4f}" for at in (0, -1))
        click.echo(f"  {'loss':18s} {first}{f' to {last}' if many else ''}")
    if report:
        print(report, file=sys.stderr)
    return 1 if report else 0


def _cosimulate(machine: Any, workload: Workload, steps: int, wave: Path | None) -> dict[str, Any]:
    """Steps one after the other, each from the weights that the RTL left; stops at the first divergence."""
    from tqdm import tqdm

    from simulator.api.cosim import against_models, outputs_in_rtl
    from simulator.api.step import build_step
    from workloads import datasets, mlp, schedules, train

    config, batch = workload.config, workload.batch
    assert batch is not None
    name = f"synthetic:samples={max(64, 2 * batch)},features={config.widths[0]},classes={config.widths[-1]}"
    with one_line():
        data = datasets.load(name, workload.seed)
        schedule = schedules.parse(workload.schedule, workload.lr, steps)
    function = mlp.make_train_step(config, workload.optimizer)
    params: Any = train.initial_params(config, workload.initializer, workload.seed)
    state: Any = mlp.init_state(workload.optimizer, params)
    totals = dict.fromkeys(("instructions", "cycle_mismatches", "bits", "bit_mismatches", "rtl_cycles"), 0)
    losses: list[float] = []
    report, seconds, step = "", 0.0, None
    epochs = -(-steps * batch // len(data.train_x)) + 1
    items = (
        item
        for item in train.steps(config, data, epochs, batch, schedule, workload.seed)
        if len(item.x) == batch
    )
    for _ in tqdm(range(steps), unit="step", file=sys.stderr, disable=None, leave=False):
        item = next(items)
        arguments = (params, state, item.x, item.y, item.masks, item.lr, item.t)
        if step is None:
            step = build_step(function, arguments, machine, name="train")
        tensors, numbers = step.captured.flatten_arguments(arguments)
        comparison, run = against_models(
            machine,
            step.program,
            step.trace,
            tensors,
            step.graph.scalar_table(numbers),
            wave=wave if not losses else None,
        )
        for key in totals:
            totals[key] += getattr(comparison, key)
        seconds += run.seconds
        outputs = outputs_in_rtl(machine, step.program, step.graph, run)
        params, state, loss = step.captured.unflatten_outputs(outputs, numbers)
        losses.append(float(loss))
        if not comparison.equal:
            report = f"step {len(losses)}: {comparison.report}"
            break
    return {
        "machine": machine.name,
        "steps": len(losses),
        **totals,
        "rtl_cycles_per_s": totals["rtl_cycles"] / max(seconds, 1e-9),
        "losses": losses,
        "report": report,
        "workload": workload.described,
    }
