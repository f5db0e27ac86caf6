"""The stand-in for a number of a step: learning rate, step count, and what is made of them.

Its arithmetic is recorded and runs on the host, in Python's own numbers, at every step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.capture import build
from simulator.capture.arrays import TracedArray
from simulator.capture.hints import OUTSIDE
from simulator.capture.operands import Operand, constant, operand
from simulator.capture.recorder import Recorder, current, fail
from simulator.capture.standin import StandIn
from simulator.graph import HostScalar

Kind = type[int] | type[float]

_FUNCTIONS = {
    np.add: "add",
    np.subtract: "subtract",
    np.multiply: "multiply",
    np.divide: "divide",
    np.power: "power",
    np.float_power: "power",
    np.negative: "negative",
    np.absolute: "absolute",
    np.fabs: "absolute",
    np.sqrt: "sqrt",
    np.exp: "exp",
    np.log: "log",
    np.maximum: "maximum",
    np.minimum: "minimum",
}
_ALWAYS_FLOAT = {np.divide, np.float_power, np.fabs, np.sqrt, np.exp, np.log}
_COMPARISONS = {
    np.equal: ("equal", False),
    np.not_equal: ("not_equal", False),
    np.less: ("less", False),
    np.less_equal: ("less_equal", False),
    np.greater: ("less", True),
    np.greater_equal: ("less_equal", True),
}
_SMALLEST = 5e-324  # the smallest positive number


class HostNumber(StandIn):
    """A number that is known only at run time."""

    __slots__ = ("_recorder", "expression", "kind")
    noun = "a number"

    def __init__(self, recorder: Recorder, expression: HostScalar, kind: Kind) -> None:
        self._recorder = recorder
        self.expression = expression
        self.kind = kind

    def operand(self) -> Operand:
        if self._recorder is not current():
            fail("a number of another capture is used", "do not keep numbers in global variables")
        return Operand((), self.kind, number=self.expression)

    def __copy__(self) -> HostNumber:
        return self

    def __deepcopy__(self, memo: Any) -> HostNumber:
        return self

    def __repr__(self) -> str:
        return f"<run-time {self.kind.__name__}>"


def host_ufunc(ufunc: np.ufunc, inputs: tuple[Any, ...]) -> HostNumber | TracedArray:
    """A ufunc of numbers alone: an expression for the host."""
    operands = [operand(value) for value in inputs]
    args = [given.number for given in operands if given.number is not None]
    kinds = {given.dtype for given in operands}
    whole = kinds <= {int, np.dtype(np.bool_)}
    recorder = current()
    if ufunc in _COMPARISONS:
        op, exchanged = _COMPARISONS[ufunc]
        return _compare(recorder, op, args[::-1] if exchanged else args)
    if ufunc is np.positive:
        return HostNumber(recorder, args[0], int if whole else float)
    if ufunc is np.square:
        return host_ufunc(np.multiply, (inputs[0], inputs[0]))
    if ufunc is np.reciprocal and not whole:
        return host_ufunc(np.divide, (1.0, inputs[0]))
    if ufunc not in _FUNCTIONS:
        fail(f"np.{ufunc.__name__} of a run-time number is not supported", OUTSIDE)
    if ufunc is np.power and whole:
        exponent = operands[1].constant  # a negative one would give a float
        whole = exponent is not None and exponent >= 0
    kind: Kind = int if whole and ufunc not in _ALWAYS_FLOAT else float
    return HostNumber(recorder, HostScalar(_FUNCTIONS[ufunc], tuple(args)), kind)


def _compare(recorder: Recorder, op: str, args: list[HostScalar]) -> TracedArray:
    """Compares finite numbers exactly: the machine sees the sign of their difference.

    Rounded to float32 one by one, two different numbers could be equal.
    """
    difference = HostScalar("subtract", tuple(args))
    distance = HostScalar("maximum", (HostScalar("absolute", (difference,)), constant(_SMALLEST)))
    sign = recorder.scalar(HostScalar("divide", (difference, distance)), "float32")
    zero = recorder.scalar(constant(0.0), "float32")
    made = TracedArray(recorder, build.elementwise(recorder, op, sign, zero), is_scalar=True)
    made.compares_numbers = True
    return made
