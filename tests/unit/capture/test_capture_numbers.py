"""Run-time numbers: expressions over them run on the host in Python's floats, at every step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.capture import capture
from simulator.capture.show import formula
from tests.unit.capture.interpret import array, assert_same, check, ops, run

X = array(3, 2)

EXPRESSIONS: dict[str, tuple[str, Any]] = {
    "itself": ("t", lambda t, lr: t),
    "literal left": ("(1 - (0.9 ** t))", lambda t, lr: 1 - 0.9**t),
    "arithmetic": ("((t + lr) * -(lr / 3))", lambda t, lr: (t + lr) * -(lr / 3)),
    "sqrt": ("sqrt((1.0 - (0.999 ** t)))", lambda t, lr: np.sqrt(1.0 - 0.999**t)),
    "square": ("(lr * lr)", lambda t, lr: np.square(lr)),
    "reciprocal": ("(1.0 / lr)", lambda t, lr: np.reciprocal(lr)),
    "exp log": ("log(exp(lr))", lambda t, lr: np.log(np.exp(lr))),
    "abs": ("absolute((lr - t))", lambda t, lr: abs(lr - t)),
    "maximum": ("maximum(lr, 0.01)", lambda t, lr: np.maximum(lr, 0.01)),
    "clip": ("minimum(maximum(lr, 0.0), 0.05)", lambda t, lr: np.clip(lr, 0.0, 0.05)),
    "power": ("(lr ** 0.5)", lambda t, lr: np.power(lr, 0.5)),
    "rpow": ("(2 ** t)", lambda t, lr: 2**t),
    "np.float64": ("(0.5 * lr)", lambda t, lr: np.float64(0.5) * lr),
    "np.int64": ("(lr / 4)", lambda t, lr: lr / np.int64(4)),
    "positive": ("lr", lambda t, lr: +lr),
    "bool": ("(lr + 1)", lambda t, lr: lr + True),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_is_one_entry_of_the_scalar_table(name: str) -> None:
    text, expression = EXPRESSIONS[name]
    captured = capture(lambda x, t, lr: x * expression(t, lr), (X, 1, 0.1), carry=())
    assert ops(captured) == ["multiply"]
    (entry,) = captured.graph.scalars
    assert formula(entry.expression) == text
    for t in (1, 2, 100):
        found = run(captured, (X, t, 0.03))
        np.testing.assert_array_equal(found, X * np.float32(expression(t, 0.03)))


def test_numbers_are_never_constants() -> None:
    captured = capture(lambda x, t, lr: x * lr + t, (X, 1, 0.1), carry=())
    one, two = (run(captured, (X, t, lr)) for t, lr in ((1, 0.1), (7, 0.25)))
    np.testing.assert_array_equal(one, X * np.float32(0.1) + np.float32(1))
    np.testing.assert_array_equal(two, X * np.float32(0.25) + np.float32(7))


def test_a_number_is_rounded_once() -> None:
    captured = capture(lambda x, lr: x * (lr * 3 - 0.1), (X, 0.7), carry=())
    (value,) = captured.graph.scalar_table({"lr": 0.7})
    assert value == np.float32(0.7 * 3 - 0.1) != np.float32(0.7) * np.float32(3) - np.float32(0.1)


def test_equal_expressions_share_an_entry() -> None:
    def function(x: Any, t: int) -> Any:
        return x * (1 - 0.9**t), x / (1 - 0.9**t), x + 1, x + 1.0

    assert len(check(function, X, 3).graph.scalars) == 3


def test_the_type_of_an_entry_follows_the_array() -> None:
    y = np.array([1, 2, 3], np.int32)
    captured = check(lambda x, y, t: (x + t, y + t, y + 1, y == t), X, y, 2)
    assert [entry.dtype for entry in captured.graph.scalars] == ["float32", "int32", "int32"]


@pytest.mark.parametrize("t", [3, 4, 5])
def test_numbers_compared_with_numbers(t: int) -> None:
    def function(x: Any, t: int, lr: float) -> Any:
        return (
            np.where(t < 4, x, -x),
            np.where(t >= 4, x, 0.0),
            np.where(t != 4, x, 1.0),
            np.where(t == 4, x, 1.0),
            np.where(lr > 0.1, x, 2.0),
            x * (t <= 4),
        )

    captured = capture(function, (X, 1, 0.5), carry=())
    # 0.1 and the next number are the same in float32.
    arguments = (X, t, np.nextafter(0.1, 1).item())
    assert_same(function(*arguments), run(captured, arguments))


def test_numbers_as_results() -> None:
    def function(state: dict[str, Any], x: Any, lr: float) -> Any:
        state = {"t": state["t"] + 1, "m": state["m"] * 0.5 + x}
        return state, lr / state["t"], 3, np.float64(0.5), None, "text", True

    captured = check(function, {"t": 0, "m": X}, X, 0.5, carry=(0,), steps=3)
    assert formula(captured.numbers["state.t"]) == "(state.t + 1)"
    found = run(captured, ({"t": 4, "m": X}, X, 1.0))
    assert found[0]["t"] == 5
    assert isinstance(found[0]["t"], int)
    assert found[1:] == (0.2, 3, 0.5, None, "text", True)


def test_whole_numbers_may_stand_for_any_number() -> None:
    captured = capture(lambda x, lr: x * lr, (X, 0.5), carry=())
    np.testing.assert_array_equal(run(captured, (X, 2)), X * 2)


def test_scalars_of_float32_keep_their_type_as_in_numpy() -> None:
    """np.float32 is no Python number: its arithmetic is float32, on the machine."""

    def function(x: Any, s: Any, lr: float) -> Any:
        return x * (np.float32(0.9) * lr) + s * lr

    captured = check(function, X, np.float32(0.3), 0.7)
    assert ops(captured) == ["multiply", "multiply", "multiply", "add"]
    assert captured.graph.nodes[captured.graph.inputs["s"]].shape == ()


def test_ndarray_constants_meet_numbers() -> None:
    table = np.array([1, 2], np.float32)
    check(lambda x, lr: (x * (table * lr), lr * table, table / lr, table - lr), X, 0.3)


def test_full_like_of_a_number() -> None:
    captured = check(lambda x, lr: np.full_like(x, lr) * x, X, 0.3)
    assert ops(captured) == ["broadcast_to", "multiply"]
