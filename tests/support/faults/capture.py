"""Faults of capture: the graph is not what the function computes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import simulator.capture
from simulator.capture import capture
from simulator.capture.arrays import TracedArray
from simulator.capture.recorder import Recorder
from simulator.capture.standin import apply_ufunc
from simulator.graph import HostScalar
from tests.support.faults.base import EMULATION, Fault, Patch, Seed

Change = Callable[[Recorder, str, tuple[int, ...], dict[str, Any]], tuple[int, ...]]


def recorded(change: Change) -> Seed:
    """Every recorded node's operands and attributes pass through ``change``."""

    def seed(patch: Patch) -> None:
        emit = Recorder.emit

        def wrong(
            self: Recorder, op: str, inputs: tuple[int, ...], shape: tuple[int, ...], dtype: str, **attrs: Any
        ) -> int:
            return emit(self, op, change(self, op, inputs, attrs), shape, dtype, **attrs)

        patch.setattr(Recorder, "emit", wrong)

    return seed


def exchanged(name: str, first: int, second: int) -> Seed:
    """Two operands of an operation are exchanged."""

    def change(
        recorder: Recorder, op: str, inputs: tuple[int, ...], attrs: dict[str, Any]
    ) -> tuple[int, ...]:
        shapes = [recorder.nodes[index].shape for index in inputs]
        if op != name or shapes[first] != shapes[second]:
            return inputs
        moved = list(inputs)
        moved[first], moved[second] = moved[second], moved[first]
        return tuple(moved)

    return recorded(change)


def forget_square_transposes(
    recorder: Recorder, op: str, inputs: tuple[int, ...], attrs: dict[str, Any]
) -> tuple[int, ...]:
    if op == "matmul":
        rows, cols = recorder.nodes[inputs[1]].shape
        attrs["transpose_b"] &= rows != cols
    return inputs


def lose_alias(patch: Patch) -> None:
    """``v -= g`` makes a new array: who else holds v does not see it."""

    def subtract(self: TracedArray, other: Any) -> Any:
        return apply_ufunc(np.subtract, "__call__", (self, other), {})

    patch.setattr(TracedArray, "__isub__", subtract)


def baked_in(name: str, position: int) -> Seed:
    """A run-time number keeps the value that it had when the function was captured."""

    def seed(patch: Patch) -> None:
        def wrong(function: Any, arguments: tuple[Any, ...], **options: Any) -> Any:
            captured = capture(function, arguments, **options)

            def frozen(expression: HostScalar) -> HostScalar:
                if expression.op == "arg" and expression.args == (name,):
                    return HostScalar("const", (arguments[position],))
                parts = (frozen(part) if isinstance(part, HostScalar) else part for part in expression.args)
                return HostScalar(expression.op, tuple(parts))

            graph = captured.graph
            scalars = tuple(replace(entry, expression=frozen(entry.expression)) for entry in graph.scalars)
            return replace(captured, graph=replace(graph, scalars=scalars))

        patch.setattr(simulator.capture, "capture", wrong)

    return seed


FAULTS = {
    "alias of an in-place update lost": Fault(
        lose_alias, EMULATION, ("--optimizer", "own.py:in_place"), weights=True
    ),
    "transpose of a square operand lost": Fault(recorded(forget_square_transposes), EMULATION, weights=True),
    "learning rate baked in": Fault(baked_in("lr", 5), EMULATION, weights=True),
    "step number baked in": Fault(baked_in("t", 6), EMULATION, weights=True),
    "operands of subtract exchanged": Fault(exchanged("subtract", 0, 1), EMULATION, weights=True),
    "branches of where exchanged": Fault(
        exchanged("where", 1, 2), EMULATION, ("--optimizer", "own.py:gated"), weights=True
    ),
}
