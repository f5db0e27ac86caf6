"""What the machine cannot do is an error of one line that names file, line, column and function."""

from __future__ import annotations

import copy
import linecache
import math
import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulator.capture import capture
from simulator.errors import CaptureError
from tests.unit.capture.interpret import array

X, W = array(4, 3), array(4, 3, seed=1)
Y = np.array([0, 2, 1, 2], np.int32)
K = np.ones((4, 3), np.int8)
PLAIN = np.zeros((4, 3), np.float32)
PATTERN = re.compile(
    r"(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+) in (?P<function>[^:]+): (?P<text>.*)"
)


class Pair(NamedTuple):
    a: Any
    b: Any


def refusal(function: Callable[..., Any], *arguments: Any, carry: Any = ()) -> str:
    with pytest.raises(CaptureError) as caught:
        capture(function, arguments, carry=carry)
    message = str(caught.value)
    assert "\n" not in message
    return message


def refused(
    at: str, text: str, function: Callable[..., Any], *arguments: Any, carry: Any = ()
) -> str:
    """Checks that the error's column is where `at` starts in the user's line."""
    message = refusal(function, *arguments, carry=carry)
    match = PATTERN.fullmatch(message)
    assert match, message
    line = linecache.getline(match["file"], int(match["line"]))
    assert match["file"].endswith("test_capture_refusals.py")
    assert line[int(match["column"]) - 1 :].startswith(at), (message, line)
    assert text in match["text"], message
    return message


VALUES: dict[str, tuple[str, Any]] = {
    "if": ("x.sum() > 0 else", lambda x, n: 1 if x.sum() > 0 else 2),
    "if number": ("n > 0 else", lambda x, n: 1 if n > 0 else 2),
    "if number itself": ("1 if", lambda x, n: 1 if n else 2),
    "and": ("n > 0", lambda x, n: n > 0 and x),
    "not": ("not", lambda x, n: not x),
    "max": ("max", lambda x, n: max(n, 3)),
    "float": ("float", lambda x, n: float(x.sum())),
    "float number": ("float", lambda x, n: x * float(n)),
    "math": ("math.sqrt", lambda x, n: x * math.sqrt(n)),
    "int": ("int", lambda x, n: x * int(n)),
    "complex": ("complex", lambda x, n: complex(n)),
    "round": ("round", lambda x, n: round(n)),
    "range": ("range", lambda x, n: [x for _ in range(n)]),
    "index": ("PLAIN[n]", lambda x, n: PLAIN[n]),
    "slice": ("x[:n]", lambda x, n: x[:n]),
    "item": ("x[0, 0].item", lambda x, n: x[0, 0].item()),
    "tolist": ("x.tolist", lambda x, n: x.tolist()),
    "format": ("f'{x}'", lambda x, n: f'{x}'),
    "format number": ("f'{n:.3f}'", lambda x, n: f'{n:.3f}'),
    "np.array": ("np.array", lambda x, n: np.array([n])),
    "np.array of array": ("np.array", lambda x, n: np.array([x, x])),
    "np.asarray": ("np.asarray", lambda x, n: np.asarray(x)),
    "np.float32": ("np.float32", lambda x, n: np.float32(n) * x),
    "np.full": ("np.full", lambda x, n: x + np.full((4, 3), n)),
    "np.zeros": ("np.zeros", lambda x, n: x + np.zeros(n)),
    "in": ("x in", lambda x, n: x in [PLAIN]),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_not_known_at_capture(name: str) -> None:
    at, function = VALUES[name]
    refused(at, "", function, X, 3)


def test_the_messages_say_what_to_do() -> None:
    assert "use np.where" in refusal(lambda x: 1 if x.sum() > 0 else 2, X)
    assert "y[:, None] == np.arange(n)" in refusal(
        lambda x, y: np.eye(3, dtype=np.float32)[y], X, Y
    )
    assert "y[:, None] == np.arange(n)" in refusal(lambda x, y: x[np.arange(4), y], X, Y)
    assert "np.where" in refusal(lambda x: x[x > 0], X)
    assert "dtype=np.int32" in refusal(lambda k: k @ k.T, K)
    assert "dtype=np.float32" in refusal(lambda x: x + np.zeros(3), X)
    assert ".astype(np.float32)" in refusal(lambda x, y: x.T * y, X, Y)
    assert "Python int" in refusal(lambda x: x / np.prod(x.shape), X)
    assert "argmax" in refusal(lambda x: x.argmax(axis=1), X)
    assert "np.log(1 + x)" in refusal(lambda x: np.log1p(x), X)
    assert "np.zeros_like" in refusal(lambda x: np.add(x, 1, out=PLAIN), X)


DTYPES: dict[str, tuple[str, str, Any]] = {
    "float64 array": ("x + np.zeros", "float64", lambda x, y, k: x + np.zeros(3)),
    "np.prod": ("x / np.prod", "float64", lambda x, y, k: x / np.prod(x.shape)),
    "int and float": ("y * 0.5", "float64", lambda x, y, k: y * 0.5),
    "int and float32": ("y[:, None] * x", "float64", lambda x, y, k: y[:, None] * x),
    "int division": ("y / 2", "float64", lambda x, y, k: y / 2),
    "bool sum": ("(x > 0).sum()", "int64", lambda x, y, k: (x > 0).sum()),
    "bool mean": ("np.mean", "float64", lambda x, y, k: np.mean(x > 0)),
    "int sum": ("y.sum()", "int64", lambda x, y, k: y.sum()),
    "astype float": ("x.astype", "float64", lambda x, y, k: x.astype(float)),
    "astype int": ("x.astype", "int64", lambda x, y, k: x.astype(int)),
    "astype int8": ("x.astype", "int8", lambda x, y, k: x.astype(np.int8)),
    "astype half": ("x.astype", "float16", lambda x, y, k: x.astype(np.float16)),
    "where of numbers": ("np.where", "float64", lambda x, y, k: np.where(x > 0, 1.0, 0.0)),
    "where of ints": ("np.where", "int64", lambda x, y, k: np.where(x > 0, 1, 0)),
    "where of int8": ("np.where", "int8", lambda x, y, k: np.where(k > 0, k, k)),
    "exp of bool": ("np.exp", "float16", lambda x, y, k: np.exp(x > 0)),
    "sqrt of int": ("np.sqrt", "float64", lambda x, y, k: np.sqrt(y)),
    "int multiply": ("y * y", "int32", lambda x, y, k: y * y),
    "int square": ("y**2", "float32", lambda x, y, k: y**2),
    "int8 add": ("k + k", "int8", lambda x, y, k: k + k),
    "int8 max": ("k.max", "int8", lambda x, y, k: k.max()),
    "int8 matmul": ("k @ k.T", "int8", lambda x, y, k: k @ k.T),
    "int32 matmul": ("y @ y", "int32", lambda x, y, k: y @ y),
    "int64 constant": ("y + np.arange", "int64", lambda x, y, k: y + np.arange(4)),
    "wide comparison": ("y == np.arange", "int64", lambda x, y, k: y == np.arange(4) * 2**40),
    "int == float": ("y == 1.0", "float64", lambda x, y, k: y == 1.0),
    "complex": ("x * 1j", "complex", lambda x, y, k: x * 1j),
    "list": ("x + [", "float64", lambda x, y, k: x + [1.0, 2.0, 3.0]),
    "stacked numbers": ("np.stack", "float64", lambda x, y, k: np.stack([x[0, 0], 1.0])),
    "dot with a number": ("np.dot", "float64", lambda x, y, k: np.dot(2.0, x)),
    "float_power": ("np.float_power", "float64", lambda x, y, k: np.float_power(x, 2)),
    "result": ("lambda", "float64", lambda x, y, k: np.zeros(3)),
    "out": ("np.add", "float32", lambda x, y, k: np.add(x, x, out=np.zeros_like(x, np.int32))),
    "in place": ("y.__iadd__", "float64", lambda x, y, k: y.__iadd__(0.5)),
    "none": ("x + None", "NoneType", lambda x, y, k: x + None),
    "string": ("x == 'a'", "str", lambda x, y, k: x == 'a'),
    "negative bool": ("-(x > 0)", "negative", lambda x, y, k: -(x > 0)),
    "int range": ("y + 2**40", "int32", lambda x, y, k: y + 2**40),
}  # fmt: skip


@pytest.mark.parametrize("name", DTYPES)
def test_types_that_the_machine_does_not_have(name: str) -> None:
    at, text, function = DTYPES[name]
    if name == "result":
        assert "result 'out' is float64" in refusal(function, X, Y, K)
    else:
        refused(at, text, function, X, Y, K)


UNSUPPORTED: dict[str, tuple[str, Any]] = {
    "where=": ("np.exp", lambda x: np.exp(x, where=x > 0)),
    "where= in sum": ("np.sum", lambda x: np.sum(x, where=x > 0)),
    "add.at": ("np.add.at", lambda x: np.add.at(x, 0, 1.0)),
    "accumulate": ("np.add.accumulate", lambda x: np.add.accumulate(x)),
    "outer": ("np.multiply.outer", lambda x: np.multiply.outer(x, x)),
    "multiply.reduce": ("np.multiply.reduce", lambda x: np.multiply.reduce(x)),
    "initial": ("np.max", lambda x: np.max(x, initial=0.0)),
    "reduce initial": ("np.add.reduce", lambda x: np.add.reduce(x, initial=1.0)),
    "order": ("np.add", lambda x: np.add(x, x, order="F")),
    "reshape F": ("np.reshape", lambda x: np.reshape(x, (3, 4), order="F")),
    "sin": ("np.sin", lambda x: np.sin(x)),
    "floor": ("np.floor", lambda x: np.floor(x)),
    "mod": ("x % 2", lambda x: x % 2),
    "floordiv": ("x // 2", lambda x: x // 2),
    "cumsum": ("np.cumsum", lambda x: np.cumsum(x)),
    "cumsum method": ("x.cumsum", lambda x: x.cumsum()),
    "argmax": ("np.argmax", lambda x: np.argmax(x)),
    "sort": ("x.sort", lambda x: x.sort()),
    "norm": ("np.linalg.norm", lambda x: np.linalg.norm(x)),
    "cube": ("x**3", lambda x: x**3),
    "power of array": ("x**x", lambda x: x**x),
    "power of number": ("2.0**x", lambda x: 2.0**x),
    "fancy": ("x[[0, 1]]", lambda x: x[[0, 1]]),
    "fancy array": ("x[np.array", lambda x: x[np.array([0, 1])]),
    "mask": ("x[x > 0]", lambda x: x[x > 0]),
    "mask in tuple": ("x[0, x[0]", lambda x: x[0, x[0] > 0]),
    "bool index": ("x[True]", lambda x: x[True]),
    "float index": ("x[1.0]", lambda x: x[1.0]),
    "backwards": ("x[::-1]", lambda x: x[::-1]),
    "out of bounds": ("x[4]", lambda x: x[4]),
    "too many": ("x[0, 0, 0]", lambda x: x[0, 0, 0]),
    "two ellipses": ("x[..., ...]", lambda x: x[..., ...]),
    "empty": ("x[2:2] + 1", lambda x: x[2:2] + 1),
    "empty sum": ("x[2:2].sum", lambda x: x[2:2].sum(axis=0)),
    "step 0": ("x[::0]", lambda x: x[::0]),
    "shapes": ("x + x.T", lambda x: x + x.T),
    "matmul shapes": ("x @ x", lambda x: x @ x),
    "many matmuls": ("x[None] @", lambda x: x[None] @ x.T[None]),
    "matmul scalar": ("x @ x[0, 0]", lambda x: x @ x[0, 0]),
    "matmul axes": ("np.matmul", lambda x: np.matmul(x, x, axes=[(0, 1), (0, 1), (0, 1)])),
    "einsum rows": ("np.einsum", lambda x: np.einsum("ij,ij->i", x, x)),
    "einsum outer": ("np.einsum", lambda x: np.einsum("i,j->ij", x[0], x[1])),
    "einsum diagonal": ("np.einsum", lambda x: np.einsum("ii->i", x[:3])),
    "einsum three": ("np.einsum", lambda x: np.einsum("ij,ij,ij->ij", x, x, x)),
    "einsum moved": ("np.einsum", lambda x: np.einsum("ijk,jl->ikl", x[None], x)),
    "where one": ("np.where", lambda x: np.where(x > 0)),
    "reshape": ("x.reshape", lambda x: x.reshape(5, 5)),
    "squeeze": ("x.squeeze", lambda x: x.squeeze(0)),
    "axis": ("x.sum", lambda x: x.sum(axis=2)),
    "concatenate": ("np.concatenate", lambda x: np.concatenate([x, x.T])),
    "len of scalar": ("len", lambda x: len(x.sum())),
    "iterate scalar": ("list", lambda x: list(x.sum())),
    "ddof": ("x.var", lambda x: x.var(axis=0, ddof=4)),
    "mT": ("x.flags", lambda x: x.flags),
    "lists": ("np.ones", lambda x: x + np.ones((0, 3), np.float32)),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported(name: str) -> None:
    at, function = UNSUPPORTED[name]
    if name == "lists":
        at = "x + np.ones"
    refused(at, "", function, X)


NUMBERS: dict[str, tuple[str, Any]] = {
    "floordiv": ("t // 2", lambda x, t: x * (t // 2)),
    "mod": ("t % 2", lambda x, t: x * (t % 2)),
    "tanh": ("np.tanh", lambda x, t: x * np.tanh(t)),
    "cos": ("np.cos", lambda x, t: x * np.cos(t)),
    "exponent": ("x**t", lambda x, t: x**t),
    "base": ("t**x", lambda x, t: t**x),
    "stack": ("np.stack", lambda x, t: np.stack([t, t])),
    "reciprocal": ("np.reciprocal", lambda x, t: x * np.reciprocal(t)),
    "truth": ("np.logical_and", lambda x, t: np.logical_and(x, t)),
    "copyto": ("np.copyto", lambda x, t: np.copyto(PLAIN, t)),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_unsupported_with_a_run_time_number(name: str) -> None:
    at, function = NUMBERS[name]
    refused(at, "", function, X, 3)


# -- writing -----------------------------------------------------------------------------------


def test_writing_through_a_view() -> None:
    def function(x: Any) -> Any:
        v = x[0]
        v += 1
        return x, v

    refused("v += 1", "through a view", function, X)


def test_writing_through_a_view_and_nothing_after() -> None:
    def function(x: Any) -> None:
        x.T[...] = 1.0

    refused("x.T[...]", "through a view", function, X)


WRITES: dict[str, tuple[str, Any]] = {
    "rows": ("row *= 2", lambda x: [row.__imul__(2) for row in x]),
    "reshape": ("x.ravel", lambda x: np.add(x, 1, out=x.ravel().reshape(4, 3))),
    "nested": ("x[0]", lambda x: x[0].__setitem__(1, 2.0)),
    "broadcast": ("np.broadcast_to", lambda x: np.broadcast_to(x, (2, 4, 3)).fill(0)),
    "copyto": ("np.copyto", lambda x: np.copyto(x.T, 1.0)),
}


@pytest.mark.parametrize("name", WRITES)
def test_writing_through_other_views(name: str) -> None:
    assert "through a view" in refusal(WRITES[name][1], X)


def test_writing_while_a_view_lives() -> None:
    def function(x: Any) -> Any:
        v = x.T
        x -= 1.0
        return x, v

    message = refused("x -= 1.0", "while a view of it", function, X)
    assert f"made in line {function.__code__.co_firstlineno + 1}" in message


def test_writing_a_region_while_another_view_lives() -> None:
    def function(x: Any) -> Any:
        first, rest = x[0], x[1:]
        x[0] += rest[0]
        return x, first

    refused("x[0] += rest[0]", "while a view of it", function, X)


def test_writing_after_the_view_is_gone() -> None:
    def function(x: Any) -> Any:
        v = x.T
        s = v.sum()
        del v
        x -= 1.0
        return x, s

    capture(function, (X,), carry=())


def test_a_view_held_by_a_reference_cycle_is_gone() -> None:
    def function(x: Any) -> Any:
        cycle: list[Any] = [x.T]
        cycle.append(cycle)
        del cycle
        x -= 1.0
        return x

    capture(function, (X,), carry=())


def test_reading_a_view_after_its_array_was_written_from_it() -> None:
    def function(x: Any) -> Any:
        v = x[1:]
        x[:-1] = v
        return x, v * 2

    refused("v * 2", "was written since", function, X)


def test_a_plain_ndarray_as_a_target() -> None:
    def function(x: Any) -> Any:
        total = np.zeros((4, 3), np.float32)
        total += x
        return total

    refused("total += x", "not part of the step", function, X)
    refused("np.add", "not part", lambda x: np.add(x, x, out=PLAIN), X)
    refused("np.sum", "not part", lambda x: np.sum(x, axis=0, out=PLAIN[0]), X)
    refused("np.matmul", "not part", lambda x: np.matmul(x, x.T, out=np.zeros((4, 4))), X)
    refused("PLAIN.__setitem__", "ndarray", lambda x: PLAIN.__setitem__(0, x[0]), X)
    refused("PLAIN.__setitem__", "float()", lambda x: PLAIN.__setitem__((0, 0), x[0, 0]), X)


def test_an_argument_changed_but_not_returned() -> None:
    def function(params: Any, x: Any) -> Any:
        params["w"] -= x
        return params["w"] * 2

    refused('params["w"] -= x', "argument 'params.w' is changed", function, {"w": W}, X)


def test_an_argument_replaced_but_not_returned() -> None:
    def function(params: Any, x: Any) -> Any:
        params["w"] = params["w"] - x
        return x * 2

    assert "'params.w' of an argument" in refusal(function, {"w": W}, X)


def test_scalars_are_immutable() -> None:
    def fill(x: Any) -> Any:
        s = x.sum()
        s[...] = 0
        return s

    refused("s[...]", "immutable", fill, X)
    refused("np.add", "immutable", lambda x: np.add(x.sum(), 1, out=x.sum()), X)


def test_assignments_that_do_not_fit() -> None:
    refused("x.__setitem__", "not fit", lambda x: x.__setitem__(0, x.T[:2].copy()), X)
    refused("x.__setitem__", "how many", lambda x: x.__setitem__(x > 0, x[0]), X)
    refused("x.__setitem__", "mask of shape", lambda x: x.__setitem__(x[0] > 0, 1.0), X)
    refused("k.__setitem__", "does not fit", lambda k: k.__setitem__(0, 300), K)


# -- the function as a whole -------------------------------------------------------------------


def test_a_generator_inside() -> None:
    rng = np.random.default_rng(0)

    def function(x: Any) -> Any:
        h = x * 2
        mask = rng.random((4, 3), np.float32)
        return h * mask

    refused("h * mask", "second capture differs", function, X)


def test_a_counter_inside() -> None:
    count = [0]

    def function(x: Any) -> Any:
        count[0] += 1
        h = np.exp(x)
        return h * count[0]

    refused("h * count[0]", "second capture differs", function, X)


def test_a_counter_as_a_result() -> None:
    count = [0]

    def function(x: Any) -> Any:
        count[0] += 1
        return x, count[0]

    assert "'out.1' differs between two captures" in refusal(function, X)


def test_another_structure_the_second_time() -> None:
    calls: list[int] = []

    def function(x: Any) -> Any:
        calls.append(1)
        return np.exp(x) if len(calls) == 1 else np.tanh(x)

    refused("np.tanh(x)", "second capture differs", function, X)


def test_an_array_kept_from_another_capture() -> None:
    kept: list[Any] = []

    def function(x: Any) -> Any:
        kept.append(x)
        return kept[0] + 1

    refused("kept[0] + 1", "another capture", function, X)
    with pytest.raises(CaptureError, match="after the capture"):
        kept[0] + 1


def test_a_swallowed_error_still_ends_the_capture() -> None:
    def function(x: Any) -> Any:
        try:
            return x * float(x.sum())
        except Exception:
            return x

    refused("float(x.sum())", "float()", function, X)


def test_errors_of_the_function_itself_name_its_line() -> None:
    def function(x: Any) -> Any:
        return {}["missing"] + x

    refused('{}["missing"]', "KeyError: 'missing'", function, X)
    with pytest.raises(CaptureError) as caught:
        capture(function, (X,), carry=())
    assert isinstance(caught.value.__cause__, KeyError)


def test_the_caller_chain() -> None:
    def inner(x: Any) -> Any:
        return np.cumsum(x)

    def outer(x: Any) -> Any:
        return inner(x) + 1

    message = refused("np.cumsum", "not supported", outer, X)
    line = outer.__code__.co_firstlineno + 1
    assert message.endswith(f"(called from tests/unit/capture/test_capture_refusals.py:{line})")
    assert " in inner: " in message


def test_numpy_and_generated_frames_are_not_the_users() -> None:
    message = refused("np.apply_over_axes", "", lambda x: np.apply_over_axes(max, x, 0), X)
    assert "called from" not in message
    refused("copy.deepcopy", "", lambda x: copy.deepcopy(x[None].T) @ x, X)


def test_arguments() -> None:
    def identity(x: Any) -> Any:
        return x

    assert "argument 'x' is float64" in refusal(identity, X.astype(float))
    assert ".astype(np.int32)" in refusal(identity, np.arange(3))
    assert "argument 'x' is a object" in refusal(identity, object())
    assert "argument 'x.a' is a set" in refusal(identity, {"a": {1}})
    assert "two arguments have the path 'x.1'" in refusal(identity, {1: X, "1": X})
    assert "no elements" in refusal(identity, X[:0])
    assert "carry=(0, 1) of 1 arguments" in refusal(identity, X, carry=(0, 1))
    assert "in identity" in refusal(identity, X, carry=(0, 0))


def test_results_of_unknown_types() -> None:
    assert "result 'out' of shape (0, 3) has no elements" in refusal(lambda x: x[2:2], X)
    assert "result 'out.1' is a set" in refusal(lambda x: (x, {1}), X)


def test_carried_results() -> None:
    params = {"a": X, "b": [W, 1.5]}

    def gives(result: Any) -> str:
        return refusal(lambda params: (result(params),), params, carry=(0,))

    assert "no 'params.b.1'" in gives(lambda p: {"a": p["a"], "b": [p["b"][0]]})
    assert "has 'params.c'" in gives(lambda p: {**p, "c": p["a"]})
    assert "'params.a' was float32 (4, 3)" in gives(lambda p: {**p, "a": p["a"].T})
    assert "makes it bool (4, 3)" in gives(lambda p: {**p, "a": p["a"] > 0})
    assert "was a number" in gives(lambda p: {**p, "b": [W, X]})
    assert "was a dict and the function makes it a Pair" in gives(lambda p: Pair(p["a"], p["b"]))
    message = refusal(lambda a, b: a, X, W, carry=(0, 1))
    assert "must return a tuple that starts with the new values of a, b" in message
    assert "(int) and the function makes it a number (float)" in refusal(
        lambda t: t / 2, 3, carry=(0,)
    )


def test_partial_and_callable_objects_have_a_place() -> None:
    def function(scale: float, x: Any) -> Any:
        return np.zeros(3)

    class Model:
        def __call__(self, x: Any) -> Any:
            return np.zeros(3)

    assert " in function: result 'out'" in refusal(partial(function, 2.0), X)
    assert " in __call__: result 'out'" in refusal(Model(), X)
