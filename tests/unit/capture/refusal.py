"""Checks of errors: one line that names file, line, column and function."""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.capture import capture
from simulator.errors import CaptureError

_PATTERN = re.compile(
    r"(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+) in (?P<function>[^:]+): (?P<text>.*)"
)


def refusal(function: Callable[..., Any], *arguments: Any, carry: Any = ()) -> str:
    """The message with which a function is refused."""
    with pytest.raises(CaptureError) as caught:
        capture(function, arguments, carry=carry)
    message = str(caught.value)
    assert "\n" not in message
    return message


def refused(
    at: str, text: str, function: Callable[..., Any], *arguments: Any, carry: Any = ()
) -> str:
    """Checks that the error's place is where `at` starts in the function's file."""
    message = refusal(function, *arguments, carry=carry)
    match = _PATTERN.fullmatch(message)
    assert match, message
    assert Path(match["file"]).name == Path(function.__code__.co_filename).name
    line = linecache.getline(match["file"], int(match["line"]))
    assert line[int(match["column"]) - 1 :].startswith(at), (message, line)
    assert text in match["text"], message
    return message
