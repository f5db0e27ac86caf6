"""Each supported piece of NumPy gives NumPy's own bits, through the operations it should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.capture import capture
from tests.unit.capture.interpret import array, check, ops, run

A, B, ROW, COL = array(4, 3), array(4, 3, seed=1), array(3), array(4, 1)
V = array(6)
T3 = array(2, 4, 3)
POSITIVE = np.abs(A) + np.float32(0.5)
N = np.array([[3, -1, 2], [0, 5, -7]], np.int32)
K = np.array([[3, -1, 2], [0, 5, -7]], np.int8)

ELEMENTWISE: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "radd": lambda a, b: 1 + a,
    "sub": lambda a, b: a - b,
    "rsub": lambda a, b: 1.5 - a,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "rdiv": lambda a, b: 1 / b,
    "neg": lambda a, b: -a,
    "pos": lambda a, b: +a,
    "abs": lambda a, b: abs(a),
    "fabs": lambda a, b: np.fabs(a),
    "sign": lambda a, b: np.sign(a),
    "square": lambda a, b: np.square(a),
    "reciprocal": lambda a, b: np.reciprocal(a),
    "power 2": lambda a, b: a**2,
    "power 1": lambda a, b: a**1.0,
    "power -1": lambda a, b: a**-1,
    "power np.float32": lambda a, b: a ** np.float32(2),
    "sqrt": lambda a, b: np.sqrt(a * a),
    "power 0.5": lambda a, b: (a * a) ** 0.5,
    "exp": lambda a, b: np.exp(a),
    "log": lambda a, b: np.log(a * a),
    "tanh": lambda a, b: np.tanh(a),
    "maximum": lambda a, b: np.maximum(a, b),
    "minimum": lambda a, b: np.minimum(a, 0),
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= 0,
    "equal": lambda a, b: a == a,
    "not_equal": lambda a, b: a != b,
    "and": lambda a, b: (a > 0) & (b > 0),
    "or": lambda a, b: (a > 0) | (b > 0),
    "xor": lambda a, b: (a > 0) ^ (b > 0),
    "invert": lambda a, b: ~(a > 0),
    "logical_and": lambda a, b: np.logical_and(a, b > 0),
    "logical_or": lambda a, b: np.logical_or(a > 0, b > 0),
    "logical_not": lambda a, b: np.logical_not(a > 0),
    "logical_xor": lambda a, b: np.logical_xor(a > 0, b > 0),
    "bool add": lambda a, b: (a > 0) + (b > 0),
    "bool mul": lambda a, b: (a > 0) * (b > 0),
    "bool float": lambda a, b: a * (b > 0),
    "bool equal": lambda a, b: (a > 0) == (b > 0),
    "bool maximum": lambda a, b: np.maximum(a > 0, b > 0),
    "isnan": lambda a, b: np.isnan(a),
    "isfinite": lambda a, b: np.isfinite(a / 0.0),
    "isinf": lambda a, b: np.isinf(1 / (a * 0)),
    "where": lambda a, b: np.where(a > b, a, 0.0),
    "where float condition": lambda a, b: np.where(a, a, b),
    "clip": lambda a, b: np.clip(a, -0.5, 0.5),
    "clip method": lambda a, b: a.clip(-0.5, b),
    "clip max": lambda a, b: np.clip(a, None, 0.2),
    "clip keyword": lambda a, b: np.clip(a, min=-0.1, max=0.1),
    "np.float64 scalar": lambda a, b: (np.float64(0.5) * a).astype(np.float32),
    "np.float32 scalar": lambda a, b: a * np.float32(0.3) + np.float32(0.1) * np.float32(3),
    "true": lambda a, b: a + True,
    "python list": lambda a, b: a + np.array([1, 2, 3], np.float32),
    "ufunc dtype": lambda a, b: np.add(a > 0, b, dtype=np.float32),
    "as bool": lambda a, b: a.astype(bool),
    "as int32": lambda a, b: (a * 7).astype(np.int32),
    "as float32": lambda a, b: (a > 0).astype(np.float32),
    "np.astype": lambda a, b: np.astype(a > 0, np.int32),
    "copies": lambda a, b: np.copy(a) + a.copy(),
    "var": lambda a, b: a.var(axis=1),
    "std": lambda a, b: np.std(a, axis=0, keepdims=True, ddof=1),
    "outer": lambda a, b: np.outer(a[0], b[1]),
    "diff": lambda a, b: np.diff(a),
    "diff 0": lambda a, b: np.diff(a, axis=0),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        check(ELEMENTWISE[name], A, B)


def test_broadcasting_is_implicit() -> None:
    captured = check(
        lambda a, row, col, s: (a + row) * col - s, A, ROW, COL, np.array(2, np.float32)
    )
    assert ops(captured) == ["add", "multiply", "subtract"]


SHAPING: dict[str, Any] = {
    "T": lambda x: x.T,
    "transpose": lambda x: x.transpose(2, 0, 1),
    "transpose tuple": lambda x: np.transpose(x, (1, 0, 2)),
    "transposed twice": lambda x: x.transpose(1, 2, 0).transpose(1, 2, 0),
    "swapaxes": lambda x: x.swapaxes(0, -1),
    "matrix_transpose": lambda x: np.matrix_transpose(x),
    "moveaxis": lambda x: np.moveaxis(x, 0, -1),
    "moveaxis two": lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
    "reshape": lambda x: x.reshape(4, -1),
    "reshape tuple": lambda x: x.reshape((8, 3)),
    "np.reshape": lambda x: np.reshape(x, -1),
    "ravel": lambda x: x.ravel(),
    "flatten": lambda x: x.flatten(),
    "expand_dims": lambda x: np.expand_dims(x, (0, -1)),
    "squeeze": lambda x: np.squeeze(x[:1]),
    "squeeze axis": lambda x: x[:, :1].squeeze(axis=1),
    "None": lambda x: x[None],
    "newaxis": lambda x: x[:, np.newaxis, :, None],
    "ellipsis": lambda x: x[..., 0],
    "ellipsis middle": lambda x: x[1, ..., ::2],
    "negative": lambda x: x[-1, :-1],
    "step": lambda x: x[:, ::2, 1:],
    "step one element": lambda x: x[::5],
    "np.int64 index": lambda x: x[np.int64(1)],
    "element": lambda x: x[1, 2, 0],
    "beyond": lambda x: x[:, 1:99],
    "broadcast_to": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "broadcast_arrays": lambda x: list(np.broadcast_arrays(x, x[0])),
    "concatenate": lambda x: np.concatenate([x, x[:, 1:]], axis=1),
    "concatenate flat": lambda x: np.concatenate([x, x[:, 1:]], axis=None),
    "concatenate nothing": lambda x: np.concatenate([x[:0], x[:1] + 1, x[1:]]),
    "concatenate constant": lambda x: np.concatenate((x, np.zeros((1, 4, 3), np.float32))),
    "concatenate types": lambda x: np.concatenate([x, x > 0], -1),
    "stack": lambda x: np.stack([x, x + 1], axis=-1),
    "vstack": lambda x: np.vstack([x[0, 0], x[0]]),
    "hstack": lambda x: np.hstack([x[0], x[1]]),
    "hstack 1": lambda x: np.hstack([x[0, 0], x[1, 1]]),
    "column_stack": lambda x: np.column_stack([x[0, :, 0], x[1]]),
    "split": lambda x: np.split(x, 2, axis=1),
    "split at": lambda x: np.split(x, [1, 3], axis=1),
    "atleast": lambda x: (np.atleast_1d(x.sum()), np.atleast_2d(x[0, 0])),
    "repeat": lambda x: np.repeat(x, 3, axis=1),
    "repeat flat": lambda x: x.repeat(2),
    "tile": lambda x: np.tile(x, (2, 1, 3)),
    "tile more": lambda x: np.tile(x[0], (2, 1, 2)),
    "roll": lambda x: np.roll(x, 1, axis=1),
    "roll flat": lambda x: np.roll(x, -2),
    "rows": lambda x: [row * 2 for row in x],
    "range(len)": lambda x: sum(x[i] for i in range(len(x))),
    "unpack": lambda x: (lambda a, b: a - b)(*x),
    "zip": lambda x: [a + b for a, b in zip(x[0], x[1], strict=True)],
    "zeros_like": lambda x: np.zeros_like(x) + x,
    "ones_like": lambda x: np.ones_like(x, dtype=np.int32),
    "full_like": lambda x: np.full_like(x, 0.3) + x,
    "full_like shape": lambda x: np.full_like(x, 2, shape=(3,)) + x,
    "constants": lambda x: x + np.full((4, 3), 0.1, np.float32) + np.ones(3, np.float32),
    "einsum T": lambda x: np.einsum("ijk->kij", x),
    "einsum sum": lambda x: np.einsum("ijk->kj", x),
    "einsum total": lambda x: np.einsum("ijk->", x),
    "shape": lambda x: x * x.shape[0] + x.size / x.ndim + len(x) + np.size(x, 1) + np.ndim(x),
    "dtype": lambda x: x.astype(x.dtype) * np.finfo(x.dtype).eps,
    "result_type": lambda x: x.astype(np.result_type(x, np.float32)),
    "0-d": lambda x: x.sum().reshape(1) + x[0, 0, :1],
}


@pytest.mark.parametrize("name", SHAPING)
def test_shaping(name: str) -> None:
    check(SHAPING[name], T3, bits=name != "einsum total")  # einsum has its own order


REDUCTIONS: dict[str, Any] = {
    "sum": lambda x: x.sum(),
    "sum 0": lambda x: np.sum(x, axis=0),
    "sum -1": lambda x: np.sum(x, axis=-1, keepdims=True),
    "sum two": lambda x: x.sum(axis=(0, 2)),
    "sum none": lambda x: x.sum(axis=()),
    "sum dtype": lambda x: np.sum(x > 0, axis=0, dtype=np.float32),
    "sum int": lambda x: np.sum((x * 9).astype(np.int32), axis=0, dtype=np.int32),
    "sum out": lambda x: np.sum(x, axis=0, out=np.zeros_like(x[0])),
    "add.reduce": lambda x: np.add.reduce(x),
    "mean": lambda x: x.mean(),
    "mean 1": lambda x: np.mean(x, axis=1, keepdims=True),
    "mean dtype": lambda x: np.mean(x > 0, axis=1, dtype=np.float32),
    "max": lambda x: x.max(axis=-1, keepdims=True),
    "min": lambda x: np.min(x, axis=(1, 2)),
    "amax": lambda x: np.amax(x),
    "max int": lambda x: (x * 9).astype(np.int32).max(axis=0),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=1),
    "any": lambda x: np.any(x > 0.9, axis=1),
    "all": lambda x: (x > -0.9).all(axis=-1),
    "max bool": lambda x: (x > 0.9).max(axis=1),
    "min bool": lambda x: np.min(x > -0.9, axis=1),
    "logical_or.reduce": lambda x: np.logical_or.reduce(x > 0.9, axis=0),
    "norm": lambda x: x / np.sqrt((x * x).sum(axis=-1, keepdims=True)),
    "softmax": lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x).sum(-1, keepdims=True),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name: str) -> None:
    check(REDUCTIONS[name], T3)


def test_a_reduction_over_several_axes_is_one_node() -> None:
    captured = capture(lambda x: x.sum(axis=(2, -3), keepdims=True), (T3,), carry=())
    (node,) = [node for node in captured.graph.nodes if node.op == "reduce_sum"]
    assert node.attrs == {"axes": (0, 2), "keepdims": True}


def test_mean_divides_by_a_host_scalar() -> None:
    captured = capture(lambda x: x.mean(axis=0), (A,), carry=())
    assert ops(captured) == ["reduce_sum", "divide"]
    assert captured.graph.scalar_table({}) == [np.float32(4)]


MATMULS: dict[str, tuple[Any, ...]] = {
    "2d": (lambda a, b: a @ b, A, array(3, 5)),
    "a.T": (lambda a, b: a.T @ b, A, B),
    "b.T": (lambda a, b: a @ b.T, A, B),
    "both": (lambda a, b: a.T @ b.T, A, array(5, 4)),
    "vector left": (lambda a, b: a @ b, array(4), A),
    "vector right": (lambda a, b: a @ b, A, ROW),
    "vectors": (lambda a, b: a @ b, V, V),
    "3d": (lambda a, b: a @ b, T3, array(3, 5)),
    "3d vector": (lambda a, b: a @ b, T3, ROW),
    "dot": (lambda a, b: a.dot(b), A, array(3, 5)),
    "dot vectors": (lambda a, b: np.dot(a, b), V, V),
    "dot number": (lambda a, b: np.dot(np.float32(2), a) + np.dot(b, b.sum()), A, B),
    "vdot": (lambda a, b: np.vdot(a, b), A, B),
    "inner": (lambda a, b: np.inner(a, b), A, B),
    "inner vectors": (lambda a, b: np.inner(a, b), V, V),
    "matmul out": (
        lambda a, b: np.matmul(a, b, out=np.zeros_like(a, shape=(4, 5))),
        A,
        array(3, 5),
    ),
    "dot out": (lambda a, b: np.dot(a, b, out=np.zeros_like(a, shape=(4, 5))), A, array(3, 5)),
    "constant left": (lambda a, b: np.ones((2, 4), np.float32) @ a, A, B),
    "constant right": (lambda a, b: a @ np.eye(3, dtype=np.float32), A, B),
    "bools": (lambda a, b: (a > 0).T @ b, A, B),
    "tensordot": (lambda a, b: np.tensordot(a, b, 1), T3, array(3, 5)),
    "tensordot axes": (lambda a, b: np.tensordot(a, b, axes=((0, 1), (0, 1))), T3, array(2, 4, 5)),
    "einsum ij,jk": (lambda a, b: np.einsum("ij,jk->ik", a, b), A, array(3, 5)),
    "einsum ij,ik": (lambda a, b: np.einsum("ij, ik -> jk", a, b), A, B),
    "einsum ij,kj": (lambda a, b: np.einsum("ij,kj->ik", a, b), A, B),
    "einsum swapped": (lambda a, b: np.einsum("ij,jk->ki", a, b), A, array(3, 5)),
    "einsum implicit": (lambda a, b: np.einsum("ij,jk", a, b), A, array(3, 5)),
    "einsum vector": (lambda a, b: np.einsum("i,ij->j", a, b), array(4), A),
    "einsum dot": (lambda a, b: np.einsum("i,i", a, b), V, V),
    "einsum two labels": (lambda a, b: np.einsum("bti,bto->io", a, b), T3, array(2, 4, 5)),
    "einsum batch": (lambda a, b: np.einsum("bti,io->bto", a, b), T3, array(3, 5)),
}


@pytest.mark.parametrize("name", MATMULS)
def test_matmul(name: str) -> None:
    function, *arguments = MATMULS[name]
    captured = check(function, *arguments, bits=False)
    matmuls = captured.graph.matmuls()
    assert len(matmuls) == (0 if "number" in name else 1)
    assert "transpose" not in ops(captured)
    for index in matmuls:
        for source in captured.graph.nodes[index].inputs:
            assert captured.graph.nodes[source].op == "to_bfloat16"


def test_a_transpose_before_matmul_is_a_flag_and_bfloat16_is_shared() -> None:
    captured = check(lambda x, w, d: (x @ w, x.T @ d, d @ w.T), A, array(3, 5), array(4, 5))
    graph = captured.graph
    flags = [tuple(graph.nodes[i].attrs.values()) for i in graph.matmuls()]
    assert flags == [(False, False), (True, False), (False, True)]
    assert [graph.matmul_mkn(i) for i in graph.matmuls()] == [(4, 3, 5), (3, 4, 5), (4, 5, 3)]
    assert sum(node.op == "to_bfloat16" for node in graph.nodes) == 3


def test_int8_matmul() -> None:
    captured = check(lambda a, b: np.matmul(a, b.T, dtype=np.int32), K, K)
    (index,) = captured.graph.matmuls()
    node = captured.graph.nodes[index]
    assert (node.dtype, node.attrs["transpose_b"]) == ("int32", True)
    assert captured.graph.nodes[node.inputs[0]].op == "input"


INTEGERS: dict[str, Any] = {
    "add": lambda n, k: n + 1,
    "sub": lambda n, k: n - n[0],
    "neg": lambda n, k: -n,
    "abs": lambda n, k: np.abs(n),
    "sign": lambda n, k: np.sign(n),
    "maximum": lambda n, k: np.maximum(n, 2),
    "one-hot": lambda n, k: (n[0][:, None] == np.arange(4)).astype(np.float32),
    "compare": lambda n, k: n > 2,
    "compare bool": lambda n, k: ((n > 0) > 0, (n > 0) == 1, (n > 0) > 0.5, k < 0.5),
    "compare scalar": lambda n, k: n == np.int64(3),
    "compare int8": lambda n, k: k <= 2,
    "compare float": lambda n, k: n.astype(np.float32) < np.arange(3),
    "where": lambda n, k: np.where(n > 0, n, 0),
    "mixed": lambda n, k: n + k,
    "to float": lambda n, k: k.astype(np.float32) * 0.5,
    "int8 to bool": lambda n, k: k.astype(bool),
    "int8 with float": lambda n, k: k * np.float32(0.5),
    "int8 shaping": lambda n, k: np.concatenate([k.T, k.T[1:]]),
    "setitem": lambda n, k: np.stack([n, n + 1]),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers(name: str) -> None:
    check(INTEGERS[name], N, K)


def test_constants_are_shared() -> None:
    def function(x: Any) -> Any:
        return np.zeros_like(x) + x, np.zeros_like(x) - x, x * 2, x + 2.0, x - 2.0

    captured = check(function, A)
    assert sum(node.op == "constant" for node in captured.graph.nodes) == 1
    assert [entry.expression.args for entry in captured.graph.scalars] == [(2,), (2.0,)]


def test_zero_and_minus_zero_are_different_constants() -> None:
    captured = check(lambda x: (x * 0.0, x * -0.0), A)
    assert [str(value) for value in captured.graph.scalar_table({})] == ["0.0", "-0.0"]


def test_a_constant_is_copied_and_its_nan_canonical() -> None:
    table = np.array([np.nan, 1, 2], np.float32)
    table.view(np.uint32)[0] = 0xFFC12345

    def function(x: Any) -> Any:
        changing = np.zeros(3, np.float32)
        first = x + changing
        changing += 1
        return first, x + changing, x + table

    captured = check(function, ROW)
    constants = [n.attrs["value"] for n in captured.graph.nodes if n.op == "constant"]
    assert len(constants) == 3
    assert constants[2].view(np.uint32)[0] == 0x7FC00000


def test_unused_work_disappears() -> None:
    def function(x: Any, w: Any) -> Any:
        _ = np.exp(x @ w.T) * 3
        return x + 1

    assert ops(check(function, A, B)) == ["add"]


def test_equal_work_is_done_once() -> None:
    captured = check(lambda a, b: (np.exp(a * b), np.exp(a * b) + a[1:2], a[1:2] * 2), A, B)
    assert ops(captured) == ["multiply", "exp", "slice", "add", "multiply"]


def test_views_of_views_are_one_view() -> None:
    captured = check(lambda x: (x.T.T + 1, x.reshape(2, 12).reshape(3, 8), x.reshape(T3.shape)), T3)
    assert ops(captured) == ["add", "reshape"]
    assert run(captured, (T3,))[2] is not None
