"""``pulsetrain machines``: presets, and where every number of one comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simulator.cli.options import emit_json, json_option

if TYPE_CHECKING:
    from simulator.energy import MachineArea

UM2_PER_MM2 = 1e6


@click.command()
@click.argument("name", required=False)
@click.option("--set", "overrides", multiple=True, metavar="UNIT.FIELD=VALUE", help="Override a number.")
@json_option
def command(name: str | None, overrides: tuple[str, ...], as_json: bool) -> None:
    """List the presets, or every number of NAME (a preset or a machine file) with its source."""
    from simulator.energy import systolic_area
    from simulator.errors import ConfigError
    from simulator.machines.loader import list_presets, load_machine
    from simulator.machines.provenance import provenance
    from simulator.machines.systolic import SystolicMachine

    if name is None:
        if overrides:
            raise ConfigError("machines: --set needs a machine")
        presets = list_presets()
        if as_json:
            emit_json({"machines": [preset._asdict() for preset in presets]})
            return
        width = max(len(preset.name) for preset in presets)
        for preset in presets:
            click.echo(f"{preset.name:{width}s}  {preset.kind:8s}  {preset.description}")
        return
    machine = load_machine(name, overrides)
    numbers = provenance(machine)
    area = systolic_area(machine) if isinstance(machine, SystolicMachine) else None
    if as_json:
        emit_json(
            {
                "machine": machine.name,
                "kind": machine.kind,
                "description": machine.description,
                "fields": [number._asdict() | {"value": _plain(number.value)} for number in numbers],
                **({"area": area.summary()} if area else {}),
            }
        )
        return
    click.echo(f"{machine.name} ({machine.kind}): {machine.description}")
    for number in numbers:
        unit = f" {number.unit}" if number.unit else ""
        click.echo(f"\n{number.field} = {number.value}{unit}")
        if number.meaning:
            click.echo(f"    {number.meaning}")
        click.echo(f"    source: {number.source}")
    if area:
        _show_area(area)


def _show_area(area: MachineArea) -> None:
    click.echo(f"\narea: {area.in_words}")
    for part in area.parts:
        bits = f"; {part.memory_bits:,} bits" if part.memory_bits else ""
        click.echo(f"    {part.name:26s} {part.um2 / UM2_PER_MM2:10.4f} mm2  ({part.basis}{bits})")
    for note in area.notes:
        click.echo(f"    {note}")


def _plain(value: object) -> object:
    """A value as JSON has it; a fraction is its text."""
    return value if isinstance(value, bool | int | float | str) else str(value)
