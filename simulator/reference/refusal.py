"""How the emulation says no: by a CaptureError of one line that names the user's code."""

import sys
from pathlib import Path
from types import CodeType
from typing import NoReturn

import numpy as np

from simulator.errors import CaptureError

_OURS = str(Path(__file__).parent)
_NUMPY = str(Path(np.__file__).parent)


def refuse(message: str) -> NoReturn:
    """Raise a CaptureError naming the first frame outside this package, NumPy and generated code.

    Raises:
        CaptureError: always.
    """
    raise CaptureError(f"{_user_position()}{message}")


def _user_position() -> str:
    """``file:line:column: `` of the user's expression, or nothing where no user frame is found."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        name = code.co_filename
        if not name.startswith((_OURS, _NUMPY, "<")):
            return f"{name}:{frame.f_lineno}:{_column(code, frame.f_lasti)}: "
        if frame.f_back is None:
            break
        frame = frame.f_back
    return ""


def _column(code: CodeType, last_instruction: int) -> int:
    """The column, counted from 1, of the instruction at a byte offset; 1 where it is unknown."""
    for index, (_, _, column, _) in enumerate(code.co_positions()):
        if index == last_instruction // 2:
            return 1 if column is None else column + 1
    return 1
