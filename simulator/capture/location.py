"""Where in the user's source an operation was written, and the one line of an error.

A frame counts as the user's unless it is the simulator's, NumPy's, the standard library's or
generated code; the innermost such frame is the location, the ones around it are its callers.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache, partial
from inspect import unwrap
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

import numpy as np

from simulator.graph import NOWHERE, Location

_MAX_CALLERS = 4


def _folder(path: str | Path) -> str:
    return str(path) + os.sep


_SIMULATOR = {_folder(p) for p in (Path(__file__).parents[1], Path(__file__).resolve().parents[1])}
_FOREIGN = (*_SIMULATOR, _folder(Path(np.__file__).parent))
_STDLIB = _folder(sysconfig.get_paths()["stdlib"])
_INSTALLED = (_STDLIB + "site-packages", _STDLIB + "dist-packages")
# Names of code without a file: NumPy's dispatchers, NamedTuple and dataclass methods, importlib.
# "<stdin>" and "<ipython-input-3>" are the user's.
_GENERATED = ("<string>", "<frozen ", "<__array_function__")


def call_user(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Calls the function being captured; its frame is where a chain of callers ends."""
    return function(*arguments)


@cache
def _is_foreign(filename: str) -> bool:
    if filename.startswith((*_FOREIGN, *_GENERATED)):
        return True
    return filename.startswith(_STDLIB) and not filename.startswith(_INSTALLED)


class Locator:
    """Finds locations; remembers those it has seen, as reading column tables is slow."""

    def __init__(self) -> None:
        # The code object is kept in the value, so its id stays its own.
        self._seen: dict[tuple[int, int], tuple[CodeType, Location]] = {}

    def at(self, code: CodeType, instruction: int, line: int | None) -> Location:
        """The location of one instruction (byte offset) of a code object."""
        key = (id(code), instruction)
        if key not in self._seen:
            position = next(islice(code.co_positions(), instruction // 2, None), None)
            start, _, column, _ = position or (None, None, None, None)
            column = 0 if column is None else column + 1
            line = start or line or code.co_firstlineno
            location = Location(code.co_filename, line, column, code.co_name)
            self._seen[key] = (code, location)
        return self._seen[key][1]

    def here(self, frame: FrameType | None) -> Location | None:
        """The innermost location of the user's, from `frame` outwards to the capture."""
        while frame is not None and frame.f_code is not call_user.__code__:
            code = frame.f_code
            if not _is_foreign(code.co_filename):
                return self.at(code, frame.f_lasti, frame.f_lineno)
            frame = frame.f_back
        return None

    def trail(self, frame: FrameType | None) -> list[Location]:
        """Every location of the user's from `frame` outwards to the capture, innermost first."""
        return [
            self.at(frame.f_code, frame.f_lasti, frame.f_lineno)
            for frame in _frames(frame)
            if not _is_foreign(frame.f_code.co_filename)
        ]

    def trail_of(self, traceback: TracebackType | None) -> list[Location]:
        """As `trail`, of an exception that has left the frames."""
        trail: list[Location] = []
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if code is call_user.__code__:
                trail.clear()
            elif not _is_foreign(code.co_filename):
                trail.append(self.at(code, traceback.tb_lasti, traceback.tb_lineno))
            traceback = traceback.tb_next
        return trail[::-1]


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None and frame.f_code is not call_user.__code__:
        yield frame
        frame = frame.f_back


def definition(function: Callable[..., Any]) -> Location:
    """Where a function is defined, as well as can be told."""
    inner: Any = unwrap(function)
    while isinstance(inner, partial):
        inner = unwrap(inner.func)
    inner = getattr(inner, "__func__", inner)
    code = getattr(inner, "__code__", None) or getattr(type(inner).__call__, "__code__", None)
    if code is None:
        return NOWHERE
    return Location(code.co_filename, code.co_firstlineno, 1, code.co_name)


def short(file: str) -> str:
    """A file's path, relative where it lies below the working folder."""
    folder = _folder(Path.cwd())
    return file.removeprefix(folder)


def message(trail: list[Location], what: str, hint: str = "") -> str:
    """The line of an error: location, function, what is wrong, what to do, and the callers."""
    text = what + (f"; {hint}" if hint else "")
    if trail and trail[0].line:
        place = trail[0]
        text = f"{short(place.file)}:{place.line}:{place.column} in {place.function}: {text}"
    callers = [f"{short(caller.file)}:{caller.line}" for caller in trail[1:]]
    if len(callers) > _MAX_CALLERS:
        callers[_MAX_CALLERS:] = ["..."]
    if callers:
        text += f" (called from {', '.join(callers)})"
    return " ".join(text.split())
