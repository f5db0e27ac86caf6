"""Runs Yosys (``pip install pyosys``) on the core's sources."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from simulator.cosim.build import PACKAGES, SOURCES
from simulator.errors import ConfigError

# A process of its own: Yosys logs to stdout, exits on an error, and keeps what it has read.
_RUNNER = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin.read().splitlines():
    libyosys.run_pass(command, design)
"""


class SynthesisError(Exception):
    """Yosys refused a design; the message is the end of its log."""


def run(commands: Sequence[str], limit: float = 600) -> str:
    """Yosys's log of these commands.

    Units: ``limit`` in seconds.

    Raises:
        ConfigError: there is no Yosys.
        SynthesisError: a command failed, or the time is up.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ConfigError("synth: no Yosys; `pip install pyosys` brings one")
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUNNER], input="\n".join(commands), capture_output=True, text=True,
            errors="replace", timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise SynthesisError(f"Yosys: not done after {limit:g} s: {'; '.join(commands)}") from error
    if done.returncode:
        raise SynthesisError(f"Yosys: {'; '.join(commands)}\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def read(
    top: str,
    parameters: Mapping[str, int] | None = None,
    *,
    options: Sequence[str] = (),
    first: Sequence[Path] = (),
    folder: Path = SOURCES,
) -> str:
    """The command that reads a module and what it needs: from ``first``, then by name from ``folder``."""
    values = [f"-G {name}={value}" for name, value in (parameters or {}).items()]
    given = {path.name for path in first}
    files = [str(folder / name) for name in PACKAGES if name not in given] + [str(path) for path in first]
    if f"{top}.sv" not in given:
        files.append(str(folder / f"{top}.sv"))
    where = ["-y", str(folder), "-Y", ".sv"]
    return " ".join(["read_slang", "--threads", "1", *options, *where, "--top", top, *values, *files])
