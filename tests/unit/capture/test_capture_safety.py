"""What would make a graph wrong is refused: views, lost changes, chance, and odd trees."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulator.capture import capture
from simulator.errors import CaptureError
from tests.unit.capture.interpret import array
from tests.unit.capture.refusal import refusal, refused

X, W = array(4, 3), array(4, 3, seed=1)
Y = np.array([0, 2, 1, 2], np.int32)
K = np.ones((4, 3), np.int8)
PLAIN = np.zeros((4, 3), np.float32)


class Pair(NamedTuple):
    a: Any
    b: Any


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


def test_storing_a_written_view_somewhere_else() -> None:
    def function(x: Any) -> Any:
        v = x[0]
        v += 1
        x[1] = v
        return x

    refused("v += 1", "through a view", function, X)


def test_storing_a_written_view_in_another_array() -> None:
    def function(x: Any, w: Any) -> Any:
        v = x[0]
        v += 1
        w[0] = v
        return x, w

    refused("v += 1", "through a view", function, X, W)


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


def test_writing_while_a_view_of_a_view_lives() -> None:
    def function(x: Any) -> Any:
        v = x.T[0][:, None]
        x[0] = x.T[0][:3]
        return x, v

    refused("x[0] = ", "while a view of it", function, X)


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
    assert message.endswith(f"(called from tests/unit/capture/test_capture_safety.py:{line})")
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


@pytest.mark.parametrize(
    "truth", [lambda t: ~(t > 3), lambda t: (t > 3) + (t > 5), lambda t: (t > 3) * (t > 5)]
)
def test_ints_that_python_makes_of_comparisons_of_numbers(truth: Any) -> None:
    assert "Python makes an int" in refusal(lambda x, t: np.where(truth(t), x, 0.0), X, 7)
    capture(lambda x, t: np.where(np.logical_not(t > 3) & (t > 5), x, 0.0), (X, 7), carry=())


# -- arguments that share memory ----------------------------------------------------------------


def _adds(a: Any, b: Any) -> Any:
    a += 1.0
    return a, b * 2


def test_writing_an_argument_that_is_another_one_too() -> None:
    refused("a += 1.0", "'a' is written in place, but it shares its memory", _adds, X, X)


def test_writing_shared_memory_names_both_paths() -> None:
    def function(a: Any, b: Any) -> Any:
        a["w"] -= b[0]
        return a, b

    refused('a["w"] -= b[0]', "argument 'a.w' is", function, {"w": X}, [W, X])
    assert "with argument 'b.1'" in refusal(function, {"w": X}, [W, X])


SHARING: dict[str, tuple[Any, Any]] = {
    "the same": (X, X),
    "a view": (X, X[1:]),
    "transposed": (X, X.T),
    "reversed": (X, X[::-1]),
    "overlapping": (X[:3], X[1:]),
    "the same bytes": (X, X.view(np.int32)),
}
APART: dict[str, tuple[Any, Any]] = {
    "rows": (X[:2], X[2:]),
    "interleaved rows": (X[::2], X[1::2]),
    "columns": (X[:, :1], X[:, 1:]),
    "a copy": (X, X.copy()),
}


@pytest.mark.parametrize("name", SHARING)
def test_sharing_memory_is_found(name: str) -> None:
    def writes_b(a: Any, b: Any) -> Any:
        b[0] = 1
        return a, b

    a, b = SHARING[name]
    message = refused("b[0] = 1", "shares its memory", writes_b, a, b)
    assert "'b'" in message and "'a'" in message


@pytest.mark.parametrize("name", APART)
def test_arrays_apart_may_be_written(name: str) -> None:
    capture(_adds, APART[name], carry=())


@pytest.mark.parametrize(
    "write",
    [
        lambda a: np.add(a, 1, out=a),
        lambda a: a.fill(0),
        lambda a: a.__setitem__(a > 0, 1.0),
        lambda a: np.copyto(a, 1.0),
        lambda a: a[1:].__iadd__(1.0),
    ],
)
def test_every_way_of_writing_shared_memory(write: Any) -> None:
    assert "in-place" in refusal(lambda a, b: write(a), X, X) or "in place" in refusal(
        lambda a, b: write(a), X, X
    )


def test_reading_shared_memory_is_fine() -> None:
    def function(a: Any, b: Any) -> Any:
        a = a + b
        return a - b[:3], a * b

    capture(lambda a, b: (a + b, a @ b.T), (X, X), carry=())
    capture(lambda a, b: function(a, b)[1], (X[1:], X[:3]), carry=())


def test_arguments_that_share_memory_at_a_later_step() -> None:
    captured = capture(_adds, (X, W), carry=())
    captured.flatten_arguments((X, X.copy()))
    with pytest.raises(CaptureError, match=r"'a' is written in place, but it shares .* 'b'"):
        captured.flatten_arguments((X, X))
    capture(lambda a, b: a + b, (X, W), carry=()).flatten_arguments((X, X))


def test_changing_a_container_that_is_another_one_too() -> None:
    def function(a: Any, b: Any) -> Any:
        a["w"] = a["w"] + 1.0
        return a, b

    one = {"w": X}
    assert "the container 'a' is changed, but it is the same as 'b'" in refusal(function, one, one)
    assert "the same as 'b.0'" in refusal(lambda a, b: function(a, b), one, [one])
    capture(function, (one, {"w": X}), carry=())
    capture(lambda a, b: a["w"] + b["w"], (one, one), carry=())
