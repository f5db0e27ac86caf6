"""Loads the native core, chooses the instruction set, and says which backend computes.

``PULSETRAIN_NUMERICS`` forces one: ``numpy``, ``baseline``, ``avx2`` or ``avx512``. All give the
same bits. Without it the best instruction set of this machine is used; without a library, NumPy.
``PULSETRAIN_THREADS`` is the number of threads of the native core, by default one per core that this
process may use, at most 8; it changes no bit either.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator.errors import ConfigError
from simulator.numerics import build
from simulator.numerics.library import Prototypes, bound
from simulator.numerics.tables import tables

VARIABLE = "PULSETRAIN_NUMERICS"
THREADS_VARIABLE = "PULSETRAIN_THREADS"
MAX_THREADS = 64  # of the native core's pool
_DEFAULT_THREADS = 8  # more gain little: some operations of a step are one thread's
NUMPY = "numpy"
_CHOICES = (NUMPY, "baseline", "avx2", "avx512")

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int
_PROTOTYPES: Prototypes = {
    "pulsetrain_source_hash": (ctypes.c_char_p, ()),
    "pulsetrain_variant": (ctypes.c_char_p, (_INT,)),
    "pulsetrain_select": (_INT, (ctypes.c_char_p,)),
    "pulsetrain_set_tables": (None, (_POINTER,)),
    "pulsetrain_function": (_INT, (ctypes.c_char_p,)),
    "pulsetrain_reduction": (_INT, (ctypes.c_char_p,)),
    "pulsetrain_set_threads": (None, (_INT,)),
    "pulsetrain_threads": (_INT, ()),
    "pulsetrain_has_foreign_nan": (_INT, (_SIZE, _POINTER)),
    "pulsetrain_run": (_INT, (_SIZE, _POINTER, _POINTER)),
}


class Native:
    """The loaded library.

    Raises:
        ConfigError: the library was compiled from other sources than those beside this file.
    """

    def __init__(self, path: Path) -> None:
        library = bound(path, _PROTOTYPES)
        if library.pulsetrain_source_hash().decode() != build.source_hash():
            raise ConfigError(f"{path}: stale library, compiled from other sources; delete it")
        self.variants: tuple[str, ...] = tuple(_variants(library))
        self.run = library.pulsetrain_run
        self.has_foreign_nan = library.pulsetrain_has_foreign_nan
        self._library = library
        values = [number for table in tables().values() for number in table.tolist()]
        library.pulsetrain_set_tables((ctypes.c_float * len(values))(*values))

    def select(self, variant: str) -> None:
        """Uses this instruction set from now on, in the whole process."""
        if not self._library.pulsetrain_select(variant.encode()):
            raise ConfigError(f"this machine cannot run {variant}: {', '.join(self.variants)}")

    def set_threads(self, count: int) -> None:
        """Shares work among this many threads from now on, in the whole process."""
        self._library.pulsetrain_set_threads(count)

    def threads(self) -> int:
        """How many share the work."""
        return int(self._library.pulsetrain_threads())

    def function(self, name: str, dtype: str) -> int:
        """The index of an elementwise function of operands of ``dtype``."""
        return int(self._library.pulsetrain_function(f"{name}_{dtype}".encode()))

    def reduction(self, name: str, dtype: str) -> int:
        """The index of a reduction."""
        return int(self._library.pulsetrain_reduction(f"{name}_{dtype}".encode()))


def _variants(library: ctypes.CDLL) -> Iterator[str]:
    index = 0
    while name := library.pulsetrain_variant(index):
        yield name.decode()
        index += 1


@dataclass
class _State:
    """What computes in this process; set at the first use."""

    loaded: Native | None = None
    reason: str = ""  # why there is no library
    selected: str = ""  # "" before the first use


_state = _State()


def _load() -> None:
    if _state.loaded is None and not _state.reason:
        try:
            _state.loaded = Native(build.find_or_build())
            _state.loaded.set_threads(_default_threads())
        except (build.BuildError, OSError) as error:
            _state.reason = str(error)


def _default_threads() -> int:
    text = os.environ.get(THREADS_VARIABLE, "")
    if not text:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, _DEFAULT_THREADS)
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_THREADS):
        raise ConfigError(f"{THREADS_VARIABLE}={text}: expected a number from 1 to {MAX_THREADS}")
    return int(text)


def _choose(name: str) -> None:
    if name and name not in _CHOICES:
        raise ConfigError(f"{VARIABLE}={name}: expected one of {', '.join(_CHOICES)}")
    if name == NUMPY:
        _state.selected = NUMPY
        return
    _load()
    native = _state.loaded
    if native is None:
        if name:
            raise ConfigError(f"{VARIABLE}={name}: no native core: {_state.reason}")
        _state.selected = NUMPY
        print(f"pulsetrain: {backend()}; the same bits, but slowly", file=sys.stderr)
        return
    variant = name or native.variants[0]
    native.select(variant)
    _state.selected = variant


def active() -> Native | None:
    """The native core, or None when NumPy computes.

    Raises:
        ConfigError: ``PULSETRAIN_NUMERICS`` asks for what this machine does not have.
    """
    if not _state.selected:
        _choose(os.environ.get(VARIABLE, ""))
    return None if _state.selected == NUMPY else _state.loaded


def active_name() -> str:
    """What ``forced`` takes for what computes now: an instruction set, or ``numpy``."""
    active()
    return _state.selected


def backend() -> str:
    """What computes: ``native (avx512)``, ``numpy (forced)`` or ``numpy fallback: reason``."""
    if active() is not None:
        return f"native ({_state.selected})"
    return f"numpy fallback: {_state.reason}" if _state.reason else "numpy (forced)"


def available() -> tuple[str, ...]:
    """All backends that this machine can run, best first; ``numpy`` is always the last."""
    _load()
    return (*(_state.loaded.variants if _state.loaded else ()), NUMPY)


def threads() -> int:
    """The threads that compute; NumPy's kernels are one thread."""
    native = active()
    return 1 if native is None else native.threads()


@contextmanager
def forced(name: str, threads: int | None = None) -> Iterator[None]:
    """Computes with one backend inside a ``with`` block (the whole process is switched).

    Raises:
        ConfigError: this machine does not have it.
    """
    active()
    before, native = _state.selected, _state.loaded
    _choose(name)
    count = native.threads() if native is not None else 1
    if native is not None and threads is not None:
        native.set_threads(threads)
    try:
        yield
    finally:
        _choose(before)
        if native is not None:
            native.set_threads(count)
