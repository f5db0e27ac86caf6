"""Timings of main loops on disk: simulated once per user, not once per process."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict
from fractions import Fraction
from functools import cache
from inspect import getsource
from pathlib import Path

from simulator.simt.tiles import Tile, thread_tile
from simulator.simt.warp.timing import Loop, WarpTiming


def folder() -> Path:
    """Where timings are kept: ``PULSETRAIN_CACHE``, else ``~/.cache/pulsetrain``."""
    return Path(os.environ.get("PULSETRAIN_CACHE") or Path.home() / ".cache" / "pulsetrain") / "simt"


def key(loop: Loop) -> str:
    """A hash of everything that a timing depends on, the code included."""
    return hashlib.sha256(_sources() + repr(loop).encode()).hexdigest()[:32]


@cache
def _sources() -> bytes:
    """What identifies the code: the warp core, and what it knows of tiles."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update((getsource(Tile) + getsource(thread_tile)).encode())
    return digest.digest()


def load(loop: Loop) -> WarpTiming | None:
    """The timing, if it is there and whole."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        stored = json.loads((folder() / f"{key(loop)}.json").read_text())
        timing = stored["timing"]
        if stored["check"] == _check(timing):
            return WarpTiming(**timing | {"cycles_per_k_tile": Fraction(timing["cycles_per_k_tile"])})
    return None


def store(loop: Loop, timing: WarpTiming) -> None:
    """Keeps a timing; where that is not possible it is simulated again the next time.

    Written beside its place and renamed: another process sees all of it or nothing.
    """
    fields = asdict(timing) | {"cycles_per_k_tile": str(timing.cycles_per_k_tile)}
    content = json.dumps({"check": _check(fields), "timing": fields})
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=folder(), suffix=".tmp", delete=False) as unfinished:
            unfinished.write(content)
        try:
            os.replace(unfinished.name, folder() / f"{key(loop)}.json")
        except OSError:
            Path(unfinished.name).unlink()


def _check(fields: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]
