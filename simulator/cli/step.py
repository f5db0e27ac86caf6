"""``pulsetrain step``: one training step, by operation, unit and stall reason."""

from __future__ import annotations

import sys
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
    refuse_engine,
    unfused_option,
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
@unfused_option
@json_option
def command(
    machine: str,
    overrides: tuple[str, ...],
    inputs: int,
    outputs: int,
    dataflow: str | None,
    engine: str,
    unfused: bool,
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
        refuse_engine(described.name)
        summary = _simt(described, workload, not unfused)
    else:
        if unfused:
            raise ConfigError(f"unfused: {described.name} launches no kernels; a SIMT machine is needed")
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

    They take no room: parameters, state and batch are zeros that lie in one place each.

    Shapes: x (batch, inputs), y (batch, outputs).
    """
    from workloads import mlp, train

    config = workload.config
    params = train.initial_params(config, lambda rng, n, m: (_blank((n, m)), _blank((m,))), workload.seed)
    masks = mlp.dropout_masks(config, batch, workload.seed, 0)
    x, y = _blank((batch, config.widths[0])), _blank((batch, config.widths[-1]))
    return params, _example_state(workload.optimizer, params), x, y, masks, workload.lr, 1


def _blank(shape: tuple[int, ...], dtype: Any = "float32") -> Any:
    import numpy as np

    return np.broadcast_to(np.zeros((), dtype), shape)


def _example_state(optimizer: Any, params: Any) -> Any:
    """The optimizer's state for all parameters, as ``mlp.init_state``, but blank."""
    return [{name: _scaled(optimizer.init, w) for name, w in layer.items()} for layer in params]


def _scaled(init: Any, w: Any) -> Any:
    """``init(w)``, blank: sizes that follow those of small arrays follow those of ``w``."""
    import numpy as np

    from simulator.capture.trees import leaves, rebuild

    small = [np.zeros(sizes[: w.ndim], w.dtype) for sizes in ((13, 17), (19, 23))]
    one, other = (dict(leaves(init(probe), "")) for probe in small)
    to = {pair: size for pair, size in zip(zip(*(p.shape for p in small), strict=True), w.shape, strict=True)}
    shapes = {}
    for path, value in one.items():
        if path in other and isinstance(value, np.ndarray) and value.ndim == np.ndim(other[path]):
            pairs = list(zip(value.shape, other[path].shape, strict=True))
            if all(a == b or (a, b) in to for a, b in pairs):
                shapes[path] = tuple(to.get(pair, pair[0]) for pair in pairs)
    if shapes.keys() != {path for path, value in one.items() if isinstance(value, np.ndarray)}:
        return init(w)
    return rebuild(
        init(small[0]), "", lambda path, v: _blank(shapes[path], v.dtype) if path in shapes else v
    )


def _systolic(machine: SystolicMachine, workload: Workload, engine: str) -> dict[str, Any]:
    from tqdm import tqdm

    from simulator.api.step import build_step
    from simulator.energy import systolic_area
    from workloads import mlp

    assert workload.batch is not None
    function = mlp.make_train_step(workload.config, workload.optimizer)
    arguments = example_arguments(workload, workload.batch)
    with tqdm(unit="instruction", unit_scale=True, file=sys.stderr, disable=None, leave=False) as bar:

        def progress(done: int, count: int) -> None:
            bar.total = count
            bar.update(done - bar.n)

        step = build_step(function, arguments, machine, name="train", engine=engine, progress=progress)
        metrics = step.metrics
    energy, area = step.energy, systolic_area(machine)
    return {
        **metrics.details(),
        "energy_pj": energy.energy_pj,
        "energy": energy.summary(),
        "area": area.summary(),
        "instructions": step.timed.instructions,
        "gemms": len(step.graph.matmuls()),
        "workload": workload.described,
    }


def _simt(machine: SimtMachine, workload: Workload, fused: bool) -> dict[str, Any]:
    from simulator.api.simt import simt_step
    from workloads import mlp

    assert workload.batch is not None
    function = mlp.make_train_step(workload.config, workload.optimizer)
    outcome = simt_step(function, example_arguments(workload, workload.batch), machine, fused=fused)
    return {**outcome, "workload": workload.described}


def _show(summary: dict[str, Any]) -> None:
    click.echo(f"{summary['machine']} ({summary['engine']}): one training step")
    click.echo(f"  cycles       {summary['cycles']:,}  ({summary['time_us']:,.3f} us)")
    click.echo(f"  utilization  {summary['utilization']:.2%}  of {summary['macs']:,} MACs")
    click.echo(f"  energy       {summary['energy_pj'] / 1e6:,.3f} uJ")
    if "kernels" in summary:
        how = "element-by-element operations fused" if summary["fused"] else "one per operation"
        click.echo(f"  types        GEMMs in {summary['dtype']}, all else in float32")
        click.echo(f"  kernels      {len(summary['kernels']):,}, {how}")
    if "area" in summary:
        area = summary["area"]
        where = f"at {area['node_nm']} nm" if area["node_nm"] else area["library"]
        click.echo(
            f"  area         {area['logic_um2'] / 1e6:,.3f} mm2 of logic {where}, "
            f"{area['memory_bits']:,} bits of memory"
        )
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
