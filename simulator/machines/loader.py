"""Machine descriptions from presets and TOML files, with inheritance and command-line overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from simulator.errors import ConfigError
from simulator.machines.files import Layer, layers_of, preset_layers, preset_names
from simulator.machines.messages import did_you_mean, one_line, printable, shown
from simulator.machines.overrides import parse_override
from simulator.machines.provenance import Provenance, fields_of, provenance
from simulator.machines.simt import SimtMachine
from simulator.machines.systolic import SystolicMachine

__all__ = ["Machine", "Preset", "Provenance", "list_presets", "load_machine", "provenance"]

Machine = SystolicMachine | SimtMachine
_SCHEMAS: Mapping[str, type[SystolicMachine] | type[SimtMachine]] = {
    "systolic": SystolicMachine,
    "simt": SimtMachine,
}
_KINDS = '"systolic" or "simt" is allowed'


class Preset(NamedTuple):
    """A machine that comes with pulsetrain."""

    name: str
    kind: str
    description: str


class _Merged:
    """Tables merged over one another, and where each field was set last."""

    def __init__(self) -> None:
        self.tables: dict[str, Any] = {}
        self.place: dict[str, str] = {}  # "unit.field" -> the file or option that set it
        self.sources: dict[str, str] = {}  # "unit.field" -> where the number comes from
        self.source_place: dict[str, str] = {}

    def put(self, tables: Mapping[str, Any], place: str, source: str) -> None:
        """Tables are merged field by field, everything else is replaced. ``source``: "" keeps none."""
        for name, value in tables.items():
            self.place[name] = place
            if not isinstance(value, dict):
                self.tables[name] = value
                continue
            below = self.tables.get(name)
            self.tables[name] = {**below, **value} if isinstance(below, dict) else dict(value)
            for field in value:
                key = f"{name}.{field}"
                self.place[key] = place
                self.sources.pop(key, None)
                if source:
                    self.sources[key] = source

    def put_sources(self, sources: Any, place: str) -> None:
        """The [sources] table of a file; both "unit.field" = text and nested tables are understood."""
        if not isinstance(sources, dict):
            raise ConfigError(f'{place}: sources = {shown(sources)}: "unit.field" = "text" is needed')
        for key, value in sources.items():
            nested = isinstance(value, dict)
            for name, text in value.items() if nested else [("", value)]:
                full = f"{key}.{name}" if nested else key
                if not isinstance(text, str) or not text.strip():
                    raise ConfigError(f"{place}: sources.{printable(full)} = {shown(text)}: a text is needed")
                self.sources[full] = text
                self.source_place[full] = place


def load_machine(name_or_path: str, overrides: Sequence[str] = ()) -> Machine:
    """The machine of a preset's name or a TOML file, with ``unit.field=value`` overrides applied in order.

    A field that a file of the user's sets has that file as its source, unless its [sources] table says more;
    a field set by an override has "command line".

    Raises:
        ConfigError: one line that names the file or option, the field, the value and what is allowed.
    """
    merged = _Merged()
    layers = layers_of(str(name_or_path))
    for layer in reversed(layers):
        _put_layer(merged, layer)
    top = layers[0].place
    schema = _schema(merged.tables, top)
    for override in overrides:
        path, value = parse_override(override, schema)
        merged.put({path[0]: {path[1]: value} if len(path) == 2 else value}, "--set", "command line")
    known = {f"{table}.{field}" for table, field in fields_of(schema)}
    for key, place in merged.source_place.items():
        if key not in known:
            hint = did_you_mean(key, known)
            raise ConfigError(f'{place}: sources."{printable(key)}": no such field{hint}')
    sources = {key: text for key, text in merged.sources.items() if key in known}
    try:
        return schema.model_validate({**merged.tables, "sources": sources})
    except ValidationError as error:
        raise ConfigError(one_line(error, schema, merged.place, top)) from None


def list_presets() -> list[Preset]:
    """Every machine that comes with pulsetrain: systolic cores first, then SIMT machines, by name."""
    presets = []
    for name in preset_names():
        merged: dict[str, Any] = {}
        for layer in reversed(preset_layers(name)):
            merged |= layer.tables
        presets.append(Preset(name, str(merged.get("kind", "")), str(merged.get("description", ""))))
    return sorted(presets, key=lambda preset: (preset.kind != "systolic", preset.name))


def _put_layer(merged: _Merged, layer: Layer) -> None:
    tables = {"name": layer.path.stem, **layer.tables}
    sources = tables.pop("sources", {})
    below = merged.tables.get("kind")
    if below is not None and tables.get("kind", below) != below:
        raise ConfigError(
            f"{layer.place}: kind = {shown(tables['kind'])}: it inherits {shown(below)}; leave kind out"
        )
    merged.put(tables, layer.place, "" if layer.is_preset else layer.place)
    merged.put_sources(sources, layer.place)


def _schema(tables: Mapping[str, Any], place: str) -> type[SystolicMachine] | type[SimtMachine]:
    if "kind" not in tables:
        raise ConfigError(f"{place}: kind is missing: {_KINDS} (or inherit from a preset)")
    kind = tables["kind"]
    if not isinstance(kind, str) or kind not in _SCHEMAS:
        raise ConfigError(f"{place}: kind = {shown(kind)}: {_KINDS}")
    return _SCHEMAS[kind]
