"""Finds and reads machine files: presets by name, TOML by path, and what each inherits from."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from simulator.errors import ConfigError
from simulator.machines.messages import did_you_mean, printable, shown

PRESETS = Path(__file__).parent / "presets"
MAX_FILE_BYTES = 1_000_000
ALLOWED = "a preset's name or a .toml file is allowed"


class Layer(NamedTuple):
    """The tables of one file, and what messages call it."""

    path: Path
    place: str
    is_preset: bool
    tables: dict[str, Any]


class _Location(NamedTuple):
    path: Path
    place: str
    is_preset: bool


def preset_names() -> list[str]:
    """Names of the machines that come with pulsetrain."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def preset_layers(name: str) -> list[Layer]:
    """A preset and all that it inherits from, itself first."""
    return _inheritance(_Location(PRESETS / f"{name}.toml", name, True))


def layers_of(name_or_path: str) -> list[Layer]:
    """The machine that a user named and all that it inherits from, itself first.

    Raises:
        ConfigError: no such preset, or a file that is absent, unreadable, not UTF-8, not TOML or inherits
        in a circle.
    """
    return _inheritance(_locate(name_or_path, Path(), ""))


def _locate(name: str, folder: Path, prefix: str) -> _Location:
    """A preset by its name, else a file relative to ``folder``; ``prefix`` starts a message."""
    names = preset_names()
    if name in names:
        return _Location(PRESETS / f"{name}.toml", name, True)
    if not name or "\0" in name:
        raise ConfigError(f"{prefix}machine {shown(name)}: {ALLOWED}")
    path = folder / name
    # os.path.exists is False, too, for a name that no file can have.
    if path.suffix != ".toml" and "/" not in name and not os.path.exists(path):
        raise ConfigError(
            f"{prefix}machine {shown(name)}: unknown preset{did_you_mean(name, names)} "
            f"(presets: {', '.join(names)}; or give a .toml file)"
        )
    return _Location(path, printable(str(path)), False)


def _inheritance(location: _Location) -> list[Layer]:
    layers: list[Layer] = []
    seen: list[Path] = []
    prefix = ""
    while True:
        tables = _read(location, prefix)
        resolved = location.path.resolve()
        if resolved in seen:
            circle = " -> ".join(path.stem for path in [*seen[seen.index(resolved) :], resolved])
            raise ConfigError(f"{prefix}inherits in a circle: {printable(circle)}")
        seen.append(resolved)
        layers.append(Layer(*location, tables))
        if "inherit" not in tables:
            return layers
        parent = tables.pop("inherit")
        prefix = f"{location.place}: inherit = {shown(parent)}: "
        if not isinstance(parent, str):
            raise ConfigError(f"{prefix}{ALLOWED}")
        location = _locate(parent, location.path.parent, prefix)


def _read(location: _Location, prefix: str) -> dict[str, Any]:
    """The tables of a TOML file."""
    path = location.path
    said = prefix + location.place
    try:
        if path.is_dir():
            raise ConfigError(f"{said}: is a directory: {ALLOWED}")
        if path.exists() and not path.is_file():
            raise ConfigError(f"{said}: is not a regular file: {ALLOWED}")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigError(f"{said}: more than {MAX_FILE_BYTES} bytes is no machine file: {ALLOWED}")
        return tomllib.loads(content.decode("utf-8"))
    except FileNotFoundError:
        hint = did_you_mean(path.stem, preset_names())
        raise ConfigError(f"{said}: no such file: {ALLOWED}{hint}") from None
    except OSError as error:
        raise ConfigError(f"{said}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{said}: not UTF-8 at byte {error.start}: TOML is UTF-8") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError and names line and column
        raise ConfigError(f"{said}: not TOML: {printable(str(error))}") from None
