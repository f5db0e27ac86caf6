"""``pulsetrain step``: one training step, by operation, unit and stall reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from simulator.cli.options import (
    Workload,
    dataflow_options,
    emit_json,
    json_option,
    machine_options,
    make_workload,
    one_line,
    workload_options,
)
from simulator.errors import ConfigError

if TYPE_CHECKING:
    from simulator.machines.simt import SimtMachine
    from simulator.machines.systolic import SystolicMachine

ANY_LENGTH = 1 << 40  # steps of the run that this step is one of
FULL_BATCH_NEEDS_DATA = "batch = 'full': a number is needed here, a step alone has no data set"


@click.command()
@machine_options()
@click.option("--inputs", type=click.IntRange(1, 1 << 20), default=784, show_default=True, help="Features.")
@click.option("--outputs", type=click.IntRange(1, 1 << 20), default=10, show_default=True, help="Classes.")
@workload_options
@dataflow_options
@json_option
def command(
    machine: str,
    overrides: tuple[str, ...],
    inputs: int,
    outputs: int,
    dataflow: str | None,
    engine: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Time one training step (forward, backward, update) of an MLP."""
    from simulator.machines.loader import load_machine
    from simulator.machines.simt import SimtMachine
    from workloads import schedules

    workload = make_workload(inputs, outputs, options)
    if workload.batch is None:
        raise ConfigError(FULL_BATCH_NEEDS_DATA)
    with one_line():  # a step's time does not depend on its schedule, which must be one all the same
        schedules.parse(workload.schedule, workload.lr, ANY_LENGTH)
    described = load_machine(machine, overrides)
    if isinstance(described, SimtMachine):
        if dataflow is not None:
            raise ConfigError(f"dataflow = {dataflow!r}: {described.name} is a SIMT machine and has none")
        summary = _simt(described, workload)
    else:
        if dataflow is not None:
            described = load_machine(machine, (*overrides, f"matrix_unit.dataflow={dataflow}"))
            assert not isinstance(described, SimtMachine)
        summary = _systolic(described, workload, engine)
    if as_json:
        emit_json(summary)
    else:
        _show(summary)


def example_arguments(workload: Workload, batch: int) -> tuple[Any, ...]:
    """Arguments of a training step with the right shapes; timing does not depend on what they hold.

    Shapes: x (batch, inputs), y (batch, outputs).
    """
    import numpy as np

    from workloads import mlp, train

    config = workload.config
    params = train.initial_params(config, workload.initializer, workload.seed)
    state = mlp.init_state(workload.optimizer, params)
    masks = mlp.dropout_masks(config, batch, workload.seed, 0)
    x = np.zeros((batch, config.widths[0]), np.float32)
    y = np.zeros((batch, config.widths[-1]), np.float32)
    return params, state, x, y, masks, workload.lr, 1


def _systolic(machine: SystolicMachine, workload: Workload, engine: str) -> dict[str, Any]:
    from simulator.api.step import build_step
    from workloads import mlp

    assert workload.batch is not None
    function = mlp.make_train_step(workload.config, workload.optimizer)
    step = build_step(
        function, example_arguments(workload, workload.batch), machine, name="train", engine=engine
    )
    metrics, energy = step.metrics, step.energy
    return {
        **metrics.details(),
        "energy_pj": energy.energy_pj,
        "energy": energy.summary(),
        "instructions": len(step.program),
        "gemms": len(step.graph.matmuls()),
        "workload": workload.described,
    }


def _simt(machine: SimtMachine, workload: Workload) -> dict[str, Any]:
    from simulator.api.simt import simt_step
    from workloads import mlp

    assert workload.batch is not None
    function = mlp.make_train_step(workload.config, workload.optimizer)
    outcome = simt_step(function, example_arguments(workload, workload.batch), machine)
    return {**outcome, "workload": workload.described}


def _show(summary: dict[str, Any]) -> None:
    click.echo(f"{summary['machine']} ({summary['engine']}): one training step")
    click.echo(f"  cycles       {summary['cycles']:,}  ({summary['time_us']:,.3f} us)")
    click.echo(f"  utilization  {summary['utilization']:.2%}  of {summary['macs']:,} MACs")
    click.echo(f"  energy       {summary['energy_pj'] / 1e6:,.3f} uJ")
    if "units" in summary:
        click.echo("\n  unit              busy      stalls")
        for name, unit in summary["units"].items():
            stalls = ", ".join(f"{reason} {cycles:,}" for reason, cycles in unit["stalls"].items() if cycles)
            click.echo(f"  {name:15s} {unit['busy']:>8,}    {stalls}")
    rows = summary.get("operations") or summary.get("kernels") or []
    heading = "busy cycles of its busiest unit, operation" if "operations" in summary else "time, kernel"
    click.echo(f"\n  {heading}")
    for row in sorted(rows, key=_weight, reverse=True)[:12]:
        amount = f"{_weight(row):,.0f}" if "busy" in row else f"{row['time_us']:.3f} us"
        click.echo(f"  {amount:>10s}  {row['label']}")
    if len(rows) > 12:
        click.echo(f"              ... and {len(rows) - 12} more (--json has all)")


def _weight(row: dict[str, Any]) -> float:
    """What an operation or kernel is ranked by. Operations overlap in time; their busy cycles do not."""
    return float(max(row["busy"].values(), default=0)) if "busy" in row else float(row["time_us"])
