"""The one native library, seen from Python: its functions with their types, and where arrays lie."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from simulator.numerics import build

Native = TypeVar("Native")
Prototypes = Mapping[str, tuple[Any, tuple[Any, ...]]]  # of a function: its result, its arguments


def bound(path: Path, prototypes: Prototypes) -> ctypes.CDLL:
    """The library with these functions typed.

    Raises:
        OSError: it cannot be loaded.
        AttributeError: it has no such function.
    """
    library = ctypes.CDLL(str(path))
    for name, (result, arguments) in prototypes.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def loaded(native: Callable[[Path], Native]) -> tuple[Native | None, str]:
    """What ``native`` makes of the library; where there is none, None and why."""
    try:
        return native(build.find_or_build()), ""
    except (build.BuildError, OSError, AttributeError) as error:
        return None, str(error)


def address(array: Any) -> int:
    """Where a contiguous array's elements lie, as long as somebody holds the array; in a quarter of the
    time of ``array.ctypes.data``.
    """
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))
    except (TypeError, ValueError, BufferError):  # read-only or empty
        assert array.flags.c_contiguous
        return int(array.ctypes.data)
