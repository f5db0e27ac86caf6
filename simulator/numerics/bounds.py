"""The second check of a run: every operation against plain float64 NumPy, within a derived bound.

Each node is recomputed in float64 from the machine's own operand values, so one operation's
rounding is judged at a time and nothing accumulates. The bounds are those of
``docs/arithmetic.md``. They separate a wrong operation (a transposition, a lost rounding to
bfloat16, a short accumulator) from a right one; they cannot tell two orders of the same sum apart,
which the check to the bit does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.errors import CheckError
from simulator.numerics.expected import Expected, expected
from simulator.numerics.protocols import GraphLike, NodeLike
from simulator.numerics.signatures import Array

Float64 = npt.NDArray[np.float64]

# An infinity that came from rounding counts as the number that follows the largest float32.
_OVERFLOW = 2.0**128


@dataclass(frozen=True)
class BoundReport:
    """How one node compares with float64.

    ``worst`` is the largest error over its bound (a violation is above 1; infinite where an exact
    result differs). ``undecided`` counts elements that are not finite where the float32 order of
    a sum may overflow, so that float64 cannot tell; they are neither compared nor violations.
    """

    index: int
    op: str
    where: str
    elements: int
    undecided: int
    violations: int
    worst: float
    message: str = ""


def check_float64(
    graph: GraphLike, values: Sequence[Array | None], rows: int, dataflow: str
) -> list[BoundReport]:
    """One report per operation whose value and operands are among ``values`` (by node index).

    Sources are not operations; they have no report.
    """
    reports = []
    for index, node in enumerate(graph.nodes):
        actual = values[index]
        operands = [values[source] for source in node.inputs]
        if actual is None or not operands:
            continue
        present = [operand for operand in operands if operand is not None]
        if len(present) == len(operands):
            with np.errstate(all="ignore"):
                reports.append(_compare(index, node, actual, expected(node, present, rows, dataflow)))
    return reports


def require(reports: Iterable[BoundReport]) -> None:
    """Raises the first violation.

    Raises:
        CheckError: an operation is outside its bound; names it and its source location.
    """
    for report in reports:
        if report.violations:
            raise CheckError(report.message)


def _compare(index: int, node: NodeLike, actual: Array, want: Expected) -> BoundReport:
    if actual.shape != want.value.shape:
        wrong = np.ones(1, np.bool_)
        ratio = np.full(1, np.inf)
        undecided = np.zeros(1, np.bool_)
    else:
        ratio, undecided = _ratio(_as_float64(node.dtype, actual), want)
        wrong = ratio > 1.0
    violations = int(np.count_nonzero(wrong))
    message = ""
    if violations:
        message = f"{node.where}: {node.op} (node {index}): {_describe(actual, want, ratio)}"
    return BoundReport(
        index=index,
        op=node.op,
        where=str(node.where),
        elements=actual.size,
        undecided=int(np.count_nonzero(undecided)),
        violations=violations,
        worst=float(ratio.max(initial=0.0)),
        message=message,
    )


def _as_float64(dtype: str, value: Array) -> Float64:
    if dtype == "bfloat16":
        value = (value.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return value.astype(np.float64)


def _ratio(actual: Float64, want: Expected) -> tuple[Float64, npt.NDArray[np.bool_]]:
    """Error over bound per element (0 where equal), and which elements are undecided."""
    value = want.value
    if np.isfinite(actual).all() and np.isfinite(value).all():
        error = np.abs(actual - value)
        ratio = np.divide(error, want.bound, out=np.zeros_like(error), where=error != 0.0)
        return ratio, np.zeros(value.shape, np.bool_)
    overflowed = np.isinf(actual) & np.isfinite(value)
    error = np.abs(
        np.where(overflowed, np.clip(actual, -_OVERFLOW, _OVERFLOW), actual)
        - np.where(overflowed, np.clip(value, -_OVERFLOW, _OVERFLOW), value)
    )
    equal = (actual == value) | (np.isnan(actual) & np.isnan(value)) | (error == 0.0)
    # What is left of NaNs and infinities differs in kind: its error is NaN or infinite.
    ratio = np.where(equal, 0.0, np.nan_to_num(error / want.bound, nan=np.inf, posinf=np.inf))
    undecided = np.zeros(value.shape, np.bool_)
    if want.may_overflow is not None:
        ratio = np.where(overflowed, np.inf, ratio)
        undecided = want.may_overflow & ~np.isfinite(actual)
    return np.where(undecided, 0.0, ratio), undecided


def _describe(actual: Array, want: Expected, ratio: Float64) -> str:
    if actual.shape != want.value.shape:
        return f"shape {actual.shape}, float64 gives {want.value.shape}"
    place = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    at = ", ".join(str(int(axis)) for axis in place)
    return (
        f"{int(np.count_nonzero(ratio > 1.0))} of {ratio.size} elements differ from float64 by more"
        f" than the bound; at [{at}]: {actual[place]!r}, float64 gives {want.value[place]!r}"
        f" (bound {np.broadcast_to(want.bound, ratio.shape)[place]:.3g})"
    )
