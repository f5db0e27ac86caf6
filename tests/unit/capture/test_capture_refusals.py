"""What the machine cannot do is an error of one line that names file, line, column and function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.unit.capture.interpret import array
from tests.unit.capture.refusal import refusal, refused

X, W = array(4, 3), array(4, 3, seed=1)
Y = np.array([0, 2, 1, 2], np.int32)
K = np.ones((4, 3), np.int8)
PLAIN = np.zeros((4, 3), np.float32)


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
    "list": ("x * [", "float64", lambda x, y, k: x * [1.0, 2.0, 3.0]),
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
