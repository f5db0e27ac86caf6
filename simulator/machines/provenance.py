"""Where every number of a machine comes from, as ``pulsetrain machines NAME`` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel

from simulator.machines.messages import table_of
from simulator.machines.simt import SimtMachine
from simulator.machines.systolic import SystolicMachine

_UNITS = (  # longest first
    ("bytes_per_cycle_per_sm", "bytes/cycle"),
    ("bytes_per_cycle", "bytes/cycle"),
    ("macs_per_cycle", "MACs/cycle"),
    ("fma_per_cycle", "FMAs/cycle"),
    ("special_per_cycle", "results/cycle"),
    ("issue_per_cycle", "instructions/cycle"),
    ("gb_per_s", "GB/s"),
    ("cycles", "cycles"),
    ("bytes", "bytes"),
    ("tiles", "tiles"),
    ("mhz", "MHz"),
    ("nm", "nm"),
    ("us", "us"),
)


class Provenance(NamedTuple):
    """One field of a machine: ``value`` in ``unit``, what it means and where it comes from."""

    field: str
    value: object
    unit: str
    meaning: str
    source: str


def fields_of(schema: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Every (table, field) of a machine's schema, in order."""
    for name, field in schema.model_fields.items():
        table = table_of(field)
        if table is not None:
            yield from ((name, inner) for inner in table.model_fields)


def provenance(machine: SystolicMachine | SimtMachine) -> list[Provenance]:
    """Every number of a machine with its unit, meaning and source, table by table."""
    entries = []
    for table, name in fields_of(type(machine)):
        unit_table: BaseModel = getattr(machine, table)
        meaning = type(unit_table).model_fields[name].description or ""
        key = f"{table}.{name}"
        value = getattr(unit_table, name)
        entries.append(Provenance(key, value, unit_of(name), meaning, machine.sources.get(key, "")))
    return entries


def unit_of(field: str) -> str:
    """The unit that a field's name ends in, "" for plain counts and settings."""
    return next((unit for suffix, unit in _UNITS if field == suffix or field.endswith("_" + suffix)), "")
