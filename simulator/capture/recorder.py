"""Records nodes while the user's function runs on stand-ins; equal nodes are recorded once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn

import numpy as np

from simulator.capture.location import Locator, call_user, message
from simulator.errors import CaptureError, PulsetrainError
from simulator.graph import Array, HostScalar, Location, Node, ScalarEntry

_CURRENT: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
# x[:i] with i = 0 may be joined to others; nothing can be computed from it.
_MAY_BE_EMPTY = ("slice", "reshape", "transpose")
_NAN = np.array([0x7FC00000], np.uint32).view(np.float32)[0]  # canonical, docs/arithmetic.md


class Recorder:
    """The nodes of one run of a function, in the order in which it made them."""

    def __init__(self, default: Location) -> None:
        self.default = default  # where no line of the user's runs: the function's definition
        self.nodes: list[Node] = []
        self.scalars: list[ScalarEntry] = []
        self.locator = Locator()
        # The first error raised. User code or NumPy may swallow it (np.array_equal does), but
        # then the recorded nodes are not what the function computes.
        self.failure: CaptureError | None = None
        # A view that was written in place and not stored back yet, and the error if it never is.
        self.unsettled: tuple[Any, CaptureError] | None = None
        self._seen: dict[Any, int] = {}

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """The function's result; every exception of its own becomes a CaptureError."""
        token = _CURRENT.set(self)
        try:
            result = call_user(function, arguments)
            self.settle()
        except Exception as error:
            if self.failure and self.failure is not error:
                raise self.failure from error
            if isinstance(error, PulsetrainError):
                raise
            trail = self.locator.trail_of(error.__traceback__) or [self.default]
            raise CaptureError(message(trail, f"{type(error).__name__}: {error}")) from error
        finally:
            _CURRENT.reset(token)
        if self.failure:
            raise self.failure
        return result

    def here(self) -> Location:
        """The user's line that is running."""
        return self.locator.here(sys._getframe(1)) or self.default

    def settle(self) -> None:
        """Raises the error of a write through a view that was not stored back."""
        if self.unsettled is not None:
            self.failure = self.failure or self.unsettled[1]
            raise self.unsettled[1]

    def emit(
        self, op: str, inputs: tuple[int, ...], shape: tuple[int, ...], dtype: str, **attrs: Any
    ) -> int:
        """The index of a node: a new one, or the equal one recorded before."""
        self.settle()
        key = (op, inputs, shape, dtype, tuple(attrs.items()))
        index = self._seen.get(key)
        if index is None:
            for empty in (shape, *(self.nodes[i].shape for i in inputs)):
                if 0 in empty and op not in _MAY_BE_EMPTY:
                    fail(f"an array of shape {empty} has no elements")
            index = self._append(key, Node(op, inputs, shape, dtype, attrs, self.here()))
        return index

    def input(self, path: str, shape: tuple[int, ...], dtype: str, where: Location) -> int:
        """A node for an argument's array."""
        return self._append(("input", path), Node("input", (), shape, dtype, {"path": path}, where))

    def constant(self, value: Array) -> int:
        """A node for an array that is the same at every step; the array is copied."""
        self.settle()
        if value.size == 0:
            fail(f"an array of shape {value.shape} has no elements")
        # astype: native byte order, C order and a copy, as the user may write into it later.
        value = value.astype(value.dtype.newbyteorder("="), order="C")
        if value.dtype == np.float32:
            value[np.isnan(value)] = _NAN
        value.flags.writeable = False
        key = ("constant", value.shape, value.dtype.name, value.tobytes())
        index = self._seen.get(key)
        if index is None:
            shape, dtype = value.shape, value.dtype.name
            node = Node("constant", (), shape, dtype, {"value": value}, self.here())
            index = self._append(key, node)
        return index

    def scalar(self, number: HostScalar, dtype: str) -> int:
        """A node that reads a host scalar, rounded to float32 or int32."""
        self.settle()
        # By text: 1, 1.0 and True are equal keys in Python, and so are 0.0 and -0.0.
        key = ("scalar", repr(number), dtype)
        index = self._seen.get(key)
        if index is None:
            node = Node("scalar", (), (), dtype, {"index": len(self.scalars)}, self.here())
            self.scalars.append(ScalarEntry(number, dtype))
            index = self._append(key, node)
        return index

    def _append(self, key: Any, node: Node) -> int:
        self._seen[key] = len(self.nodes)
        self.nodes.append(node)
        return len(self.nodes) - 1


def current() -> Recorder:
    """The recorder of the capture that is running."""
    recorder = _CURRENT.get()
    if recorder is None:
        fail("an array or number of a capture is used after the capture")
    return recorder


def error_here(what: str, hint: str = "") -> CaptureError:
    """The error for the user's line that is running."""
    recorder = _CURRENT.get()
    locator = recorder.locator if recorder else Locator()
    trail = locator.trail(sys._getframe(1))
    return CaptureError(message(trail or ([recorder.default] if recorder else []), what, hint))


def fail(what: str, hint: str = "") -> NoReturn:
    """Raises CaptureError at the user's line that is running."""
    error = error_here(what, hint)
    recorder = _CURRENT.get()
    if recorder and recorder.failure is None:
        recorder.failure = error
    raise error
