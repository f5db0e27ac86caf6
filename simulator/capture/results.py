"""Gives a function's result to the user: as a new array, or in the array named by ``out=``."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.capture import build
from simulator.capture.arrays import TracedArray
from simulator.capture.recorder import Recorder, fail


def single_out(out: Any) -> Any:
    """The array of ``out=``, which ufuncs get as a tuple."""
    return out[0] if isinstance(out, tuple) and len(out) == 1 else out


def call_options(ufunc: np.ufunc, kwargs: dict[str, Any]) -> tuple[Any, Any, str]:
    """``out``, ``dtype`` and ``casting`` of a ufunc's call.

    Raises:
        CaptureError: there is another option, or ``out`` is not a traced array.
    """
    out = single_out(kwargs.pop("out", None))
    dtype = kwargs.pop("dtype", None)
    casting = kwargs.pop("casting", "same_kind")
    if kwargs:
        fail(f"np.{ufunc.__name__}({next(iter(kwargs))}=) is not supported")
    if out is not None:
        check_out(out)
    return out, dtype, casting


def deliver(
    recorder: Recorder, node: int, out: Any, reads: tuple[Any, ...] = (), casting: str = "same_kind"
) -> TracedArray:
    """A function's result; written into `out` if that is not None.

    `reads` are the function's arguments. Without `out` a result without axes is a scalar.
    """
    if out is None:
        return TracedArray(recorder, node, is_scalar=not recorder.nodes[node].shape)
    check_out(out)
    have = recorder.nodes[node]
    if not np.can_cast(have.dtype, out.dtype, casting):  # type: ignore[arg-type]
        fail(f"a result of type {have.dtype} cannot be written into {out.dtype}", "use astype")
    if build.broadcast(have.shape, out.shape) != out.shape:
        fail(f"a result of shape {have.shape} does not fit an array of shape {out.shape}")
    node = build.cast(recorder, node, str(out.dtype))
    out.write(build.broadcast_to(recorder, node, out.shape), reads)
    return out  # type: ignore[no-any-return]


def check_out(out: Any) -> None:
    """Refuses an ``out=`` that would not see what is captured."""
    if not isinstance(out, TracedArray):
        fail(
            f"out= or an in-place operation on {_article(out)} that is not part of the step",
            "start from np.zeros_like or np.empty_like of an argument",
        )


def _article(out: Any) -> str:
    return "an ndarray" if isinstance(out, np.ndarray) else f"a {type(out).__name__}"
