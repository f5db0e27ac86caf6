"""Arguments read a second time, by the layout of the first: the same result, and the same refusals."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulator.capture import Captured, capture
from simulator.errors import CaptureError


class Moments(NamedTuple):
    m: Any
    v: Any


def arguments(scale: float = 1.0) -> tuple[Any, ...]:
    w = np.full((2, 3), scale, np.float32)
    params = [{"weight": w, "bias": np.zeros(3, np.float32)}]
    return params, (Moments(w + 1, w + 2), None), w * 2, 0.1 * scale, 3, "mean"


def step(params: Any, state: Any, x: Any, lr: Any, t: Any, how: str) -> Any:
    ((moments, _),) = (state,)
    w = params[0]["weight"] + lr * x + t * moments.m
    return [{"weight": w, "bias": params[0]["bias"] * 2}], (Moments(w, moments.v), None), np.sum(w)


@pytest.fixture
def captured() -> Captured:
    made = capture(step, arguments())
    made.flatten_arguments(arguments())
    return made


def same(one: Any, other: Any) -> bool:
    (arrays, numbers), (others, other_numbers) = one, other
    equal = all(np.array_equal(arrays[path], others[path]) for path in arrays)
    return numbers == other_numbers and arrays.keys() == others.keys() and equal


def test_the_second_reading_is_the_first(captured: Captured) -> None:
    fresh = capture(step, arguments())
    for scale in (2.0, 3.0):
        given = arguments(scale)
        read = captured._layouts[0].read(given)
        assert read is not None and same(read, captured._flatten(given))
        assert same(captured.flatten_arguments(given), fresh.flatten_arguments(given))
    numbers = captured.flatten_arguments(arguments())[1]
    assert numbers == {"lr": 0.1, "t": 3} and isinstance(numbers["t"], int)


def changed(position: int, value: Any) -> tuple[Any, ...]:
    given = list(arguments())
    given[position] = value
    return tuple(given)


PARAMS, STATE = arguments()[:2]
REFUSED = {
    "too few": arguments()[:-1],
    "another shape": changed(2, np.zeros((3, 3), np.float32)),
    "another type": changed(2, np.zeros((2, 3), np.int32)),
    "float64": changed(2, np.zeros((2, 3))),
    "a number where an array was": changed(2, 1.0),
    "an array where a number was": changed(3, np.zeros(3, np.float32)),
    "a fraction where a whole number was": changed(4, 3.5),
    "another word": changed(5, "sum"),
    "another key": changed(0, [{"weight": PARAMS[0]["weight"], "offset": PARAMS[0]["bias"]}]),
    "one key more": changed(0, [{**PARAMS[0], "more": PARAMS[0]["bias"]}]),
    "one key less": changed(0, [{"weight": PARAMS[0]["weight"]}]),
    "one layer more": changed(0, PARAMS * 2),
    "something where nothing was": changed(1, (STATE[0], PARAMS[0]["bias"])),
    "nothing where something was": changed(1, (None, None)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_first_reading_refuses_the_second_does(name: str, captured: Captured) -> None:
    with pytest.raises(CaptureError) as first:
        captured._flatten(REFUSED[name])
    with pytest.raises(CaptureError) as second:
        captured.flatten_arguments(REFUSED[name])
    assert str(first.value) == str(second.value)
    assert same(captured.flatten_arguments(arguments(5.0)), captured._flatten(arguments(5.0)))


def test_other_containers_and_numbers_that_also_fit(captured: Captured) -> None:
    (layer,) = PARAMS
    for given in (
        changed(0, (layer,)),
        changed(0, [defaultdict(list, layer)]),
        changed(1, [STATE[0], None]),
        changed(3, 1),
        changed(3, np.float64(0.5)),
        changed(4, np.int64(7)),
    ):
        assert same(captured.flatten_arguments(given), captured._flatten(given))
        assert same(captured.flatten_arguments(given), captured._flatten(given))
