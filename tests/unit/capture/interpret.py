"""A plain NumPy interpreter of graphs, and the comparison of a captured function with itself.

bfloat16 is taken as float32, so a graph gives the very bits of NumPy wherever both do the same
operations in the same order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from simulator.capture import Captured, capture
from simulator.capture.trees import leaves
from simulator.graph import ELEMENTWISE, Graph, Node

_SAME_NAME = frozenset(ELEMENTWISE) - {"copy", "to_bfloat16", "to_float32", "to_int32", "to_bool"}
_REDUCE = {"reduce_sum": np.add, "reduce_max": np.maximum, "reduce_min": np.minimum}
_CONVERT = {
    "to_bfloat16": np.float32,
    "to_float32": np.float32,
    "to_int32": np.int32,
    "to_bool": np.bool_,
}


def compute(node: Node, operands: list[Any]) -> Any:
    """One node's value."""
    attrs = node.attrs
    if node.op in _SAME_NAME:
        return getattr(np, node.op)(*operands)
    if node.op in _CONVERT:
        return np.asarray(operands[0]).astype(_CONVERT[node.op])
    if node.op in _REDUCE:
        reduce = _REDUCE[node.op].reduce
        typed = {"dtype": operands[0].dtype} if node.op == "reduce_sum" else {}
        return reduce(operands[0], axis=attrs["axes"], keepdims=attrs["keepdims"], **typed)
    if node.op == "matmul":
        a = operands[0].T if attrs["transpose_a"] else operands[0]
        b = operands[1].T if attrs["transpose_b"] else operands[1]
        return np.matmul(a, b, dtype=np.int32) if a.dtype == np.int8 else a @ b
    if node.op == "transpose":
        return np.transpose(operands[0], attrs["axes"])
    if node.op == "reshape":
        return np.reshape(operands[0], node.shape)
    if node.op == "broadcast_to":
        return np.broadcast_to(operands[0], node.shape)
    if node.op == "concatenate":
        return np.concatenate(operands, attrs["axis"])
    key = tuple(slice(*bounds) for bounds in attrs["key"])
    if node.op == "slice":
        return operands[0][key]
    assert node.op == "update", node.op
    assert operands[0][key].shape == operands[1].shape
    assert operands[0].dtype == operands[1].dtype
    updated = operands[0].copy()
    updated[key] = operands[1]
    return updated


def interpret(graph: Graph, inputs: dict[str, Any], numbers: dict[str, Any]) -> dict[str, Any]:
    """The outputs by path; checks the shape and type of every node on the way."""
    table = graph.scalar_table(numbers)
    values: list[Any] = []
    for node in graph.nodes:
        if node.op == "input":
            value = inputs[node.attrs["path"]]
        elif node.op == "constant":
            value = node.attrs["value"]
        elif node.op == "scalar":
            value = table[node.attrs["index"]]
        else:
            value = compute(node, [values[i] for i in node.inputs])
        want = {"bfloat16": "float32"}.get(node.dtype, node.dtype)
        assert (np.shape(value), str(value.dtype)) == (node.shape, want), node
        values.append(value)
    return {path: np.array(values[index]) for path, index in graph.outputs.items()}


def run(captured: Captured, arguments: tuple[Any, ...]) -> Any:
    """What the captured function returns."""
    inputs, numbers = captured.flatten_arguments(arguments)
    return captured.unflatten_outputs(interpret(captured.graph, inputs, numbers), numbers)


def assert_same(expected: Any, found: Any, bits: bool = True) -> None:
    """Two results are equal: containers, types, and every bit (or nearly, for BLAS orders)."""
    want, have = dict(leaves(expected, "")), dict(leaves(found, ""))
    assert list(want) == list(have)
    for path, value in want.items():
        if isinstance(value, np.ndarray | np.float32):
            assert value.dtype == have[path].dtype, path
            assert np.shape(value) == np.shape(have[path]), path
            if bits:
                np.testing.assert_array_equal(have[path], value, err_msg=path)
            else:
                np.testing.assert_allclose(have[path], value, 1e-5, 1e-6, err_msg=path)
        else:
            assert value == have[path], path


def check(
    function: Callable[..., Any],
    *arguments: Any,
    carry: Sequence[int] = (),
    steps: int = 1,
    bits: bool = True,
) -> Captured:
    """Captures a function and compares it with plain NumPy over some steps."""
    captured = capture(function, arguments, carry=carry)
    ours, theirs = copy.deepcopy(arguments), copy.deepcopy(arguments)
    for _ in range(steps):
        expected = function(*copy.deepcopy(theirs))
        found = run(captured, ours)
        assert_same(expected, found, bits)
        if carry:
            ours, theirs = _next(ours, found, carry), _next(theirs, expected, carry)
    return captured


def _next(arguments: tuple[Any, ...], result: Any, carry: Sequence[int]) -> tuple[Any, ...]:
    following = list(arguments)
    parts = result if type(result) is tuple else (result,)
    for position, value in zip(carry, parts, strict=False):
        following[position] = value
    return tuple(following)


def ops(captured: Captured) -> list[str]:
    """The operations of a graph without its sources."""
    return [
        node.op
        for node in captured.graph.nodes
        if node.op not in ("input", "constant", "scalar", "to_bfloat16")
    ]


def array(*shape: int, seed: int = 0) -> Any:
    """Random float32 numbers between -1 and 1."""
    rng = np.random.default_rng([seed, *shape])
    return (rng.random(shape, np.float32) * 2 - 1).astype(np.float32)
