"""Writing in place: aliases follow as in NumPy, and what is safe through views is allowed."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from tests.unit.capture.interpret import array, check, ops

X, W, ROW = array(4, 3), array(4, 3, seed=1), array(3)


def _alias(x: Any, w: Any) -> Any:
    y = x
    y += w
    return x, y, x * 2


def _scalar_alias(x: Any, w: Any) -> Any:
    total = x.sum()
    same = total
    total += 1
    element = w[0, 0]
    element *= 3
    return x, total, same, element, w


def _zero_dimensional(x: Any, w: Any) -> Any:
    total = np.zeros_like(x, shape=())
    same = total
    total += x.sum()
    return same


def _region(x: Any, w: Any) -> Any:
    x[1:3, ::2] = w[:2, :2]
    x[0] = 0.5
    x[-1, -1] = w[0, 0]
    x[:, 1] = w[0, 0]
    return x


def _nothing(x: Any, w: Any) -> Any:
    x[:0] = 1
    x[4:] = w[4:]
    return x


def _augmented_region(x: Any, w: Any) -> Any:
    x[0] += w[0]
    x[:, 1] *= 2
    x[1, 1] -= 1
    x[..., 2:] /= w[:, 2:]
    x[None, 0] += 1
    x[...] += w
    x[:] -= 0.5
    return x


def _kept_view(x: Any, w: Any) -> Any:
    v = x[0]
    v += w[0]
    x[0] = v
    return x, v


def _overlap(x: Any, w: Any) -> Any:
    x[1:] = x[:-1]
    x -= x[0]
    x[:, :2] += x[:, 1:]
    return x


def _square_overlap(x: Any, w: Any) -> Any:
    s = x[:3] * 1
    s += s.T
    return x, s


def _mask(x: Any, w: Any) -> Any:
    x[x > 0.2] = 0.0
    x[w < 0] = w[0, 0]
    x[x[:, 0] > 0] = w[1]
    x[np.eye(4, 3, dtype=bool)] = 7
    return x


def _out(x: Any, w: Any) -> Any:
    h = np.empty_like(x)
    np.multiply(x, w, out=h)
    np.add(h, 1.0, out=h)
    np.clip(h, -0.5, 0.9, out=h)
    np.exp(h, h)
    np.greater(x, 0, out=w)
    return h, x, w


def _out_larger(x: Any, w: Any) -> Any:
    np.add(x[0], 1.0, out=w)
    return x, w


def _whole(x: Any, w: Any) -> Any:
    x[...] = w * 2
    w[:] = 1
    return x, w


def _copyto(x: Any, w: Any) -> Any:
    np.copyto(x, w[0])
    w.fill(2.5)
    return x, w


def _copies(x: Any, w: Any) -> Any:
    a, b, c, d = x.copy(), np.copy(x), copy.deepcopy([x]), x.astype(np.float32)
    e = x.astype(np.float32, copy=False)
    x += w
    a *= 2
    return x, a, b, c, d, e


def _cast(x: Any, w: Any) -> Any:
    n = np.zeros_like(x, dtype=np.int32)
    n[...] = x * 9
    n[0] = 3.7
    flags = x > 0
    flags[0] = True
    x[1] = flags[1]
    return n, flags, x


def _operators(x: Any, w: Any) -> Any:
    x += w
    x -= 0.5
    x *= w
    x /= 3
    x **= 2
    p = x > 0.1
    p &= w > 0
    p |= w < -0.5
    p ^= w < 0
    return x, p


def _matmul_in_place(x: Any, w: Any) -> Any:
    x @= np.eye(3, dtype=np.float32)
    return x


def _nested(x: Any, w: Any) -> Any:
    tree = {"a": [x, w], "b": (x,)}
    tree["a"][0] += 1
    tree["b"][0][0] += tree["a"][1][0]
    return tree


def _loop(x: Any, w: Any) -> Any:
    for i in range(len(x)):
        x[i] += w[i] * i
    for a in (x, w):
        a *= 2
    return x, w


def _history(x: Any, w: Any) -> Any:
    x[:-1] = x[1:]
    x[-1] = w.mean(axis=0)
    return x, x.mean(axis=0)


PROGRAMS = [value for name, value in globals().items() if name.startswith("_") and name[1] != "_"]
NAMES = [program.__name__ for program in PROGRAMS if callable(program)]


@pytest.mark.parametrize("name", NAMES)
def test_in_place(name: str) -> None:
    check(globals()[name], X, W, bits=name != "_matmul_in_place")


def test_an_assignment_is_an_update_of_a_region() -> None:
    def function(x: Any) -> Any:
        x[1:3, ::2] = 1.5
        return x

    captured = check(function, X)
    assert ops(captured) == ["broadcast_to", "update"]
    (node,) = [node for node in captured.graph.nodes if node.op == "update"]
    assert node.attrs["key"] == ((1, 3, 1), (0, 3, 2))


def test_an_assignment_to_the_whole_is_no_update() -> None:
    assert ops(check(_whole, X, W)) == ["multiply", "broadcast_to"]


def test_an_assignment_under_a_mask_is_where() -> None:
    def function(x: Any) -> Any:
        x[x > 0] = 0
        return x

    assert ops(check(function, X)) == ["less", "where"]


def test_the_arguments_of_the_caller_stay_as_they_are() -> None:
    tree = {"w": X.copy(), "n": [1, 2]}

    def function(tree: Any) -> Any:
        tree["w"] += 1
        tree["n"].append(3)
        tree["extra"] = tree["w"]
        return tree["w"]

    check(function, tree)
    assert list(tree) == ["w", "n"]
    assert tree["n"] == [1, 2]
    np.testing.assert_array_equal(tree["w"], X)
