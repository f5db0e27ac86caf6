"""How the emulation says no: by a CaptureError of one line that names the user's code."""

import inspect
import os
import sys
import sysconfig
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

import numpy as np

from simulator.errors import CaptureError

_PACKAGE = Path(__file__).parents[1]
_OURS = tuple({f"{path}{os.sep}" for path in (_PACKAGE, _PACKAGE.resolve())})
_NUMPY = str(Path(np.__file__).parent) + os.sep
_STDLIB = sysconfig.get_paths()["stdlib"] + os.sep
_INSTALLED = (f"{_STDLIB}site-packages", f"{_STDLIB}dist-packages")
_GENERATED = ("<string>", "<frozen ", "<__array_function__")  # NumPy's dispatchers, NamedTuples

_EMULATE = str(Path(__file__).with_name("emulate.py"))  # calls the user's function

# The user's function that is being emulated.
current_function: ContextVar[Callable[..., Any] | None] = ContextVar("function", default=None)


def refuse(message: str) -> NoReturn:
    """Raise a CaptureError naming the user's line, or the function where none of it runs.

    The user's is the first frame outside the simulator, NumPy, the standard library and generated
    code, unless the emulation itself is reached first.

    Raises:
        CaptureError: always.
    """
    raise CaptureError(f"{_user_position()}{message}")


def _user_position() -> str:
    """``file:line:column: `` of the user's expression or else of the function, if it is known."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        if name == _EMULATE:
            return _definition()
        if not _is_foreign(name):
            return f"{name}:{frame.f_lineno}:{_column(code, frame.f_lasti)}: "
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""


def _is_foreign(name: str) -> bool:
    if name.startswith((*_OURS, _NUMPY, *_GENERATED)):
        return True
    return name.startswith(_STDLIB) and not name.startswith(_INSTALLED)


def _definition() -> str:
    """Where the function that is being emulated is defined."""
    code = getattr(inspect.unwrap(current_function.get() or _definition), "__code__", None)
    if code is None or _is_foreign(code.co_filename):
        return ""
    return f"{code.co_filename}:{code.co_firstlineno}:1: "


def _column(code: CodeType, last_instruction: int) -> int:
    """The column, counted from 1, of the instruction at a byte offset; 1 where it is unknown."""
    for index, (_, _, column, _) in enumerate(code.co_positions()):
        if index == last_instruction // 2:
            return 1 if column is None else column + 1
    return 1
