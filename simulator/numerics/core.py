"""Loads the native core, chooses the instruction set, and says which backend computes.

``PULSETRAIN_NUMERICS`` forces one: ``numpy``, ``baseline``, ``avx2`` or ``avx512``. All give the
same bits. Without it the best instruction set of this machine is used; without a library, NumPy.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import ConfigError
from simulator.numerics import build
from simulator.numerics.tables import tables

VARIABLE = "PULSETRAIN_NUMERICS"
NUMPY = "numpy"
_CHOICES = (NUMPY, "baseline", "avx2", "avx512")

_POINTER, _SIZE, _INT = ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int
_OPERAND = (_POINTER, _SIZE, _INT)
_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "pulsetrain_source_hash": (ctypes.c_char_p, ()),
    "pulsetrain_variant": (ctypes.c_char_p, (_INT,)),
    "pulsetrain_select": (_INT, (ctypes.c_char_p,)),
    "pulsetrain_set_tables": (None, (_POINTER,)),
    "pulsetrain_function": (_INT, (ctypes.c_char_p,)),
    "pulsetrain_reduction": (_INT, (ctypes.c_char_p,)),
    "pulsetrain_map": (None, (_INT, _SIZE, *(_POINTER,) * 4)),
    "pulsetrain_map_broadcast": (None, (_INT, _SIZE, _SIZE, *_OPERAND * 3, _POINTER)),
    "pulsetrain_reduce": (None, (_INT, _SIZE, _SIZE, _SIZE, _POINTER, _POINTER)),
    "pulsetrain_has_foreign_nan": (_INT, (_SIZE, _POINTER)),
    "pulsetrain_gemm": (
        _INT,
        (_SIZE, _SIZE, _SIZE, _POINTER, _INT, _POINTER, _INT, _SIZE, _INT, _POINTER),
    ),
}


def address(array: Any) -> int:
    """Where a contiguous array's elements lie, in a quarter of the time of
    ``array.ctypes.data``."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError, BufferError):  # read-only or empty
        return int(array.ctypes.data)


class Native:
    """The loaded library.

    Raises:
        ConfigError: the library was compiled from other sources than those beside this file.
    """

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in _PROTOTYPES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        if library.pulsetrain_source_hash().decode() != build.source_hash():
            raise ConfigError(f"{path}: stale library, compiled from other sources; delete it")
        self.variants: tuple[str, ...] = tuple(_variants(library))
        self.map = library.pulsetrain_map
        self.map_broadcast = library.pulsetrain_map_broadcast
        self.reduce = library.pulsetrain_reduce
        self.has_foreign_nan = library.pulsetrain_has_foreign_nan
        self.gemm = library.pulsetrain_gemm
        self._library = library
        values = [number for table in tables().values() for number in table.tolist()]
        library.pulsetrain_set_tables((ctypes.c_float * len(values))(*values))

    def select(self, variant: str) -> None:
        """Uses this instruction set from now on, in the whole process."""
        if not self._library.pulsetrain_select(variant.encode()):
            raise ConfigError(f"this machine cannot run {variant}: {', '.join(self.variants)}")

    def function(self, name: str, dtype: str) -> int | None:
        """The index of an elementwise function of operands of ``dtype``, None if NumPy does it."""
        index = int(self._library.pulsetrain_function(f"{name}_{dtype}".encode()))
        return None if index < 0 else index

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
        except (build.BuildError, OSError) as error:
            _state.reason = str(error)


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


def backend() -> str:
    """What computes: ``native (avx512)``, ``numpy (forced)`` or ``numpy fallback: reason``."""
    if active() is not None:
        return f"native ({_state.selected})"
    return f"numpy fallback: {_state.reason}" if _state.reason else "numpy (forced)"


def available() -> tuple[str, ...]:
    """All backends that this machine can run, best first; ``numpy`` is always the last."""
    _load()
    return (*(_state.loaded.variants if _state.loaded else ()), NUMPY)


@contextmanager
def forced(name: str) -> Iterator[None]:
    """Computes with one backend inside a ``with`` block (for tests; the whole process is switched).

    Raises:
        ConfigError: this machine does not have it.
    """
    active()
    before = _state.selected
    _choose(name)
    try:
        yield
    finally:
        _choose(before)
