"""Aliases, views, promotion and trees: each function must do here what it does in plain NumPy.

All values are small integers, on which machine and NumPy agree exactly.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.reference import differences, emulate

Array = NDArray[Any]


class Moments(NamedTuple):
    m: Any
    v: Any


def in_place(w: Array, g: Array) -> Any:
    alias = w
    w -= g
    w *= 2
    w += g[0]
    w /= np.float32(2)
    w **= 2
    return w, alias


def out_argument(w: Array, g: Array) -> Any:
    buffer = np.empty_like(w)
    same = np.multiply(w, g, out=buffer)
    np.add(buffer, 1.0, buffer)
    np.sum(w, axis=0, out=g[0])
    np.clip(w, -1, 1, out=w)
    np.maximum(g, 0, out=g)
    np.greater(w, g, out=buffer)
    return buffer, same, w, g


def matmul_out(w: Array, g: Array) -> Any:
    square = w[:, :3] @ g[:, :3].T
    result = np.matmul(square, square, out=np.zeros_like(square))
    square @= np.eye(3, dtype=np.float32)
    return result, square


def writes_through_views(w: Array, g: Array) -> Any:
    first = w[0]
    first += 1
    w.T[1] = 5
    w.reshape(-1)[2] = 7
    w[:, 3:][...] = g[:, 3:]
    w[1:] -= w[:-1]
    w[:-1] = w[1:]
    return w, first


def copies_are_copies(w: Array, g: Array) -> Any:
    copied, flat, cast = w.copy(), g.flatten(), w.astype(np.float32)
    w[...] = 0
    g.fill(3)
    return copied, flat, cast, np.copy(w), w.astype(np.float32, copy=False), g


def scalars_are_immutable(w: Array, g: Array) -> Any:
    total = w.sum()
    before = total
    total += 1
    element = w[0, 0]
    kept = element
    element *= 3
    inner = w[0] @ g[0]
    old = inner
    inner -= 1
    array = np.where(w[0, 0] > 0, w[0, 1], g[0, 0])  # 0-d, but an array
    alias = array
    array += 1
    zero = w[0, 0, ...]  # a view
    zero += 5
    return total, before, element, kept, inner, old, array, alias, w


def masks(w: Array, g: Array) -> Any:
    w[w > 2] = 0
    w[np.array([True, False, True])] = g[0]
    g[g < 0] = w[0, 0]
    g[(g == 1) | ~(g <= 5) & (g != 3)] = -1
    return w, g, w * (g > 0), (w > 0).astype(np.float32).sum()


def indexing(w: Array, g: Array) -> Any:
    rows = [row * 2 for row in w]
    a, b, c = g
    return w[1], w[-1, 2], w[:, 1:3], w[::-1, None, ..., ::2], rows, a + b - c, len(w)


def functions(w: Array, g: Array) -> Any:
    return {
        "joined": [np.concatenate([w, g]), np.concatenate((w, g), 1), np.stack([w, g], axis=1)],
        "stacked": (np.vstack([w, g]), np.hstack([w, g])),
        "moved": [np.transpose(w), w.transpose(1, 0), np.swapaxes(w, 0, 1), np.moveaxis(w, 0, 1)],
        "shaped": [np.reshape(w, (4, 3)), w.ravel(), np.expand_dims(w, 0), w[None].squeeze()],
        "wide": [np.broadcast_to(w[0], (3, 4)), np.atleast_2d(w[0]), np.atleast_1d(w.sum())],
        "like": [np.zeros_like(w), np.ones_like(w), np.full_like(g, 4), np.zeros_like(w, bool)],
        "outer": np.outer(w[0], g[0]),
        "dot": [np.dot(w, g.T), w.dot(g[0])],
        "split": np.split(w, 2, axis=1),
        "where": np.where(w > 1, w, 0.0),
        "clip": [w.clip(-1, 1), np.clip(w, None, 2), np.clip(w, min=0)],
        "facts": (np.shape(w), w.shape, w.size, np.ndim(w), w.dtype == np.float32, w.nbytes),
        "reduced": [w.max(axis=-1, keepdims=True), np.min(w, (0, 1)), np.maximum.reduce(w)],
        "mean": [w[:2].mean(axis=0), np.mean(g[:, :2], axis=1, dtype=np.float32), np.add.reduce(w)],
    }


def signs_and_powers(w: Array, g: Array) -> Any:
    powers = [w**2, np.power(w, 2.0), np.square(w), (w * w) ** 0.5, w**1, (4 * np.sign(w)) ** -1]
    return powers, +w, -w, abs(g), np.sign(g), 1 / np.float32(2) - w, 2 - g, np.sqrt(np.abs(w * w))


def host_constants(w: Array, g: Array) -> Any:
    mask = np.array([1, 0, 1, 0], np.float32)
    scale = np.float32(2.0)
    return mask * w, w * mask, scale * w, w * scale, scale < w, mask - w, np.ones((3, 1), bool) * w


def integers(w: Array, g: Array) -> Any:
    labels = w.astype(np.int32)
    one_hot = (labels[:, :1] == np.arange(4)).astype(np.float32)
    shifted = labels + 1
    labels -= 2
    return one_hot, shifted, labels, np.maximum(labels, 0), labels.sum(dtype=np.int32), abs(labels)


def host_scalars(w: Array, g: Array) -> Any:
    count, root = 3, np.sqrt(16.0)
    return w / 2, 1.0 - w, w + count, count + 0.5, root, True, w * float(root), w * False


def builtins(w: Array, g: Array) -> Any:
    return sum([w, g]), sum(w), deepcopy(w), abs(w), [w.T.T, w.mT]


SCENARIOS: list[Callable[[Array, Array], Any]] = [
    in_place,
    out_argument,
    matmul_out,
    writes_through_views,
    copies_are_copies,
    scalars_are_immutable,
    masks,
    indexing,
    functions,
    signs_and_powers,
    host_constants,
    integers,
    host_scalars,
    builtins,
]


def inputs() -> tuple[Array, Array]:
    rng = np.random.default_rng(11)
    w, g = rng.integers(-4, 5, (2, 3, 4)).astype(np.float32)
    w[w == 0] = 2  # so that every quotient is finite
    return w, g


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.__name__))
def test_equals_plain_numpy(scenario: Callable[[Array, Array], Any]) -> None:
    arguments = inputs()
    actual = emulate(scenario, arguments, rows=2, dataflow="ws")
    assert [a.tolist() for a in arguments] == [a.tolist() for a in inputs()]  # copies were used
    report = differences(scenario(*inputs()), actual)
    assert report.equal, report.summary()
    assert report.elements > 10


def test_argument_trees() -> None:
    def step(params: Any, state: Any, name: str, flag: bool, function: Any, nothing: None) -> Any:
        params["layers"][0] += 1
        assert params["tied"] is params["layers"][0]
        assert (name, flag, nothing) == ("adam", True, None)
        return params, Moments(state.m * 2, state.v + 1), function(state.v)

    w = np.ones(3, np.float32)
    arguments = ({"layers": [w, (w + 1,)], "tied": w}, Moments(w, 3), "adam", True, abs, None)
    params, state, third = emulate(step, arguments, rows=1, dataflow="os")
    assert type(params["layers"][0]) is np.ndarray
    assert params["layers"][0].tolist() == params["tied"].tolist() == [2, 2, 2]
    assert params["layers"][1][0].tolist() == [2, 2, 2]
    assert isinstance(state, Moments)
    assert state.m.tolist() == [4, 4, 4]  # the same array as the two before
    assert (state.v, third) == (4, 3)
    assert w.tolist() == [1, 1, 1]


def test_host_scalars_round_once_where_they_meet_an_array() -> None:
    def step(x: Array, rate: float) -> Any:
        return x * (rate * 3.0), type(rate).__name__, rate * 3.0, np.sqrt(rate) * x + np.float64(1)

    one = np.ones(1, np.float32)
    product, kind, host, root = emulate(step, (one, np.float64(0.3)), rows=1, dataflow="ws")
    assert kind == "float"
    assert host == 0.3 * 3.0
    assert root == np.float32(np.sqrt(0.3)) + np.float32(
        1
    )  # where NumPy would leak a float64 array
    assert product[0] == np.float32(0.3 * 3.0) != np.float32(0.3) * np.float32(3.0)


def test_no_warnings_and_nans_of_arguments_are_canonical() -> None:
    def step(x: Array) -> Any:
        with np.errstate(all="raise"):
            return x, x / 0, x * 1e300, np.exp(x * 1000), np.log(x - x), x[0] * 3e38 * 3e38

    x = np.array([0x7F812345, 0x3F800000], np.uint32).view(np.float32)
    entered, *_ = emulate(step, (x,), rows=1, dataflow="ws")
    assert entered.view(np.uint32).tolist() == [0x7FC00000, 0x3F800000]
