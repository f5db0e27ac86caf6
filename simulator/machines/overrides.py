"""Command-line overrides of machine fields: ``--set matrix_unit.rows=64``."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from pydantic import BaseModel

from simulator.errors import ConfigError
from simulator.machines.messages import printable, table_of, unknown

_BARE_WORD = re.compile(r"[A-Za-z0-9_./+-]+( [A-Za-z0-9_./+-]+)*")
_NOT_SETTABLE = ("kind", "inherit", "sources")


def parse_override(text: str, schema: type[BaseModel]) -> tuple[list[str], Any]:
    """The path and the value of ``unit.field=value``; values are TOML, bare words are texts.

    Raises:
        ConfigError: no ``=``, an unknown field, a table instead of a field, or a value that TOML cannot read.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    said = f"--set {printable(text)[:80]}: "
    if not (equals and key and value):
        raise ConfigError(f"{said}unit.field=value is needed, such as matrix_unit.rows=64")
    path = [printable(part) for part in key.split(".")]
    if path[0] in _NOT_SETTABLE:
        raise ConfigError(f"{said}{path[0]} cannot be set on the command line; write a machine file")
    field = schema.model_fields.get(path[0])
    if field is None:
        raise ConfigError(said + unknown(path[:1], schema))
    table = table_of(field)
    if table is None and len(path) > 1:
        raise ConfigError(f"{said}{path[0]} is a field and has no fields of its own")
    if table is not None and len(path) == 1:
        raise ConfigError(f"{said}{key} is a table: set one of its fields ({', '.join(table.model_fields)})")
    if table is not None and path[1] not in table.model_fields:
        raise ConfigError(said + unknown(path[:2], schema))
    if len(path) > 2:
        raise ConfigError(f"{said}{path[0]}.{path[1]} is a field and has no fields of its own")
    return path, _value(value, said)


def _value(text: str, said: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        parsed = {"value": text} if _BARE_WORD.fullmatch(text) else {}
    if parsed.keys() != {"value"}:
        raise ConfigError(f"{said}the value is neither a word nor a TOML value")
    return parsed["value"]
