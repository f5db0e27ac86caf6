"""Whole training steps over three steps: networks and optimizers as users write them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulator.capture import capture, describe
from tests.unit.capture.interpret import array, assert_same, check, ops, run

BATCH, WIDTHS = 6, (5, 8, 7, 3)
X = array(BATCH, WIDTHS[0])
Y = np.eye(3, dtype=np.float32)[np.arange(BATCH) % 3]


def params_of(widths: tuple[int, ...]) -> list[dict[str, Any]]:
    return [{"w": array(n, m, seed=n), "b": array(m, seed=m)} for n, m in pairwise(widths)]


def softmax_gradient(z: Any, y: Any) -> tuple[Any, Any]:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return -np.mean(np.sum(y * np.log(p + 1e-7), axis=1)), (p - y) / len(z)


def mlp_gradients(params: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Computes the input's gradient too, which nobody needs."""
    hidden = [x]
    for p in params[:-1]:
        hidden.append(np.maximum(hidden[-1] @ p["w"] + p["b"], 0.0))
    loss, d = softmax_gradient(hidden[-1] @ params[-1]["w"] + params[-1]["b"], y)
    grads = []
    for p, h in zip(reversed(params), reversed(hidden), strict=True):
        grads.insert(0, {"w": h.T @ d, "b": d.sum(axis=0)})
        d = (d @ p["w"].T) * (h > 0)
    return loss, grads


class Moments(NamedTuple):
    m: Any
    v: Any


def sgd(w: Any, g: Any, s: Any, lr: Any, t: Any) -> Any:
    return w - lr * g, s


def sgd_in_place(w: Any, g: Any, s: Any, lr: Any, t: Any) -> Any:
    w -= lr * g
    return w, s


def momentum_in_place(w: Any, g: Any, s: Any, lr: Any, t: Any) -> Any:
    s *= 0.9
    s += g
    np.multiply(s, lr, out=g)
    w -= g
    return w, s


def adam(w: Any, g: Any, s: Any, lr: Any, t: Any) -> Any:
    m = 0.9 * s.m + 0.1 * g
    v = 0.999 * s.v + 0.001 * g**2
    step = lr * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
    return w - step * m / (np.sqrt(v) + 1e-8), Moments(m, v)


def adam_in_place(w: Any, g: Any, s: Any, lr: Any, t: Any) -> Any:
    m, v = s
    m *= 0.9
    m += 0.1 * g
    v[...] = 0.999 * v + 0.001 * np.square(g)
    w -= lr / (1 - 0.9**t) * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w, s


def counting(w: Any, g: Any, s: Any, lr: Any, t: Any) -> Any:
    """Keeps its own step count, as a number."""
    s["count"] += 1
    s["m"] = s["m"] + g / s["count"]
    return w - lr * s["m"], s


def clipped(w: Any, g: Any, s: Any, lr: Any, t: Any) -> Any:
    norm = np.sqrt(np.sum(g * g))
    g *= np.minimum(1.0, 0.1 / (norm + 1e-6))
    return w - np.clip(lr * g, -0.01, 0.01), s


def lion(w: Any, g: Any, s: Any, lr: Any, t: Any) -> Any:
    update = np.sign(0.9 * s + 0.1 * g)
    return w * (1 - lr * 0.01) - lr * update, 0.99 * s + 0.01 * g


OPTIMIZERS: dict[str, tuple[Callable[..., Any], Callable[[Any], Any]]] = {
    "sgd": (sgd, lambda w: None),
    "sgd in place": (sgd_in_place, lambda w: ()),
    "momentum in place": (momentum_in_place, np.zeros_like),
    "adam": (adam, lambda w: Moments(np.zeros_like(w), np.zeros_like(w))),
    "adam in place": (adam_in_place, lambda w: [np.zeros_like(w), np.zeros_like(w)]),
    "counting": (counting, lambda w: {"count": 0, "m": np.zeros_like(w)}),
    "clipped": (clipped, lambda w: None),
    "lion": (lion, np.zeros_like),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_mlp(name: str) -> None:
    update, init = OPTIMIZERS[name]

    def train_step(params: Any, state: Any, x: Any, y: Any, lr: float, t: int) -> Any:
        loss, grads = mlp_gradients(params, x, y)
        for p, g, s in zip(params, grads, state, strict=True):
            for key in p:
                p[key], s[key] = update(p[key], g[key], s[key], lr, t)
        return params, state, loss

    params = params_of(WIDTHS)
    state = [{key: init(w) for key, w in p.items()} for p in params]
    captured = check(train_step, params, state, X, Y, 0.1, 1, carry=(0, 1), steps=3)
    graph, layers = captured.graph, len(params)
    assert len(graph.matmuls()) == 3 * layers - 1  # the input's gradient is dead
    assert "transpose" not in ops(captured)
    users = graph.uses()[graph.inputs["x"]]  # x is rounded once, for the forward pass and for dW
    assert [graph.nodes[i].op for i in users] == ["to_bfloat16"]
    assert len(graph.uses()[users[0]]) == 2
    assert set(graph.carried) == set(graph.resident)
    assert all(path == carried for path, carried in graph.carried.items())
    assert {"params.0.w", "params.2.b"} <= set(graph.carried)
    assert set(graph.inputs) == {*graph.resident, "x", "y"}
    assert set(graph.outputs) == {*graph.carried, "out.2"}


def test_two_branches_residual_and_layer_norm() -> None:
    def norm(h: Any, gain: Any) -> tuple[Any, Any, Any]:
        centred = h - h.mean(axis=-1, keepdims=True)
        scale = 1 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + 1e-5)
        return centred * scale * gain, centred, scale

    def train_step(params: Any, state: Any, x: Any, mask: Any, y: Any, lr: float) -> Any:
        a, b = np.tanh(x @ params["a"]), 1 / (1 + np.exp(-(x @ params["b"])))
        joined = np.concatenate([a, b], axis=1) * mask
        h, centred, scale = norm(joined, params["gain"])
        out = h @ params["out"]
        error = out - y
        loss = 0.5 * (error**2).mean() + 1e-3 * np.sum(params["a"] * params["a"])
        d = error / error.size
        dh = (d @ params["out"].T) * params["gain"] * scale
        dh = (
            dh
            - dh.mean(axis=1, keepdims=True)
            - centred * scale**2 * (dh * centred).mean(axis=1, keepdims=True)
        )
        da, db = dh[:, :4] * mask[:, :4] * (1 - a * a), dh[:, 4:] * mask[:, 4:] * b * (1 - b)
        grads = {
            "a": x.T @ da + 2e-3 * params["a"],
            "b": x.T @ db,
            "gain": (d @ params["out"].T * centred * scale).sum(axis=0),
            "out": h.T @ d,
        }
        state = {k: 0.9 * v + grads[k] for k, v in state.items()}
        return {k: w - lr * state[k] for k, w in params.items()}, state, loss

    params = {"a": array(5, 4), "b": array(5, 6, seed=2), "gain": array(10), "out": array(10, 2)}
    state = {key: np.zeros_like(w) for key, w in params.items()}
    mask = (array(BATCH, 10, seed=3) > 0).astype(np.float32) * 2
    check(train_step, params, state, X, mask, array(BATCH, 2), 0.1, carry=(0, 1), steps=3)


def test_rnn_unrolled_three_steps() -> None:
    def train_step(params: Any, xs: Any, y: Any, lr: float) -> Any:
        w, u, v = params
        states = [np.zeros((xs.shape[1], u.shape[0]), np.float32)]
        for x in xs:
            states.append(np.tanh(x @ w + states[-1] @ u))
        error = states[-1] @ v - y
        d, dv = error @ v.T, states[-1].T @ error
        dw, du = np.zeros_like(w), np.zeros_like(u)
        for i in reversed(range(len(xs))):
            dz = d * (1 - states[i + 1] ** 2)
            dw += xs[i].T @ dz
            du += states[i].T @ dz
            d = dz @ u.T
        w -= lr * dw
        return [w, u - lr * du, v - lr * dv], np.sum(error**2) / y.shape[0]

    params = [array(4, 5), array(5, 5, seed=1), array(5, 2)]
    arguments = params, array(3, BATCH, 4), array(BATCH, 2), 0.05
    check(train_step, *arguments, carry=(0,), steps=3)


def test_a_step_of_batch_one_has_the_same_operations() -> None:
    def step(params: Any, x: Any, y: Any) -> Any:
        loss, grads = mlp_gradients(params, x, y)
        return loss, grads

    many = check(step, params_of(WIDTHS), X, Y)
    one = check(step, params_of(WIDTHS), X[:1], Y[:1], bits=False)
    assert ops(many) == ops(one)


def test_predict_reads_resident_parameters() -> None:
    def predict(params: Any, x: Any) -> Any:
        return np.maximum(x @ params[0]["w"], 0.0)

    captured = capture(predict, (params_of(WIDTHS), X), carry=(), resident=(0,), name="predict")
    assert captured.graph.resident >= {"params.0.w", "params.2.b"}
    assert "params.2.b" in captured.graph.inputs  # unread arguments stay inputs
    assert (captured.graph.name, captured.graph.carried) == ("predict", {})
    assert_same(predict(params_of(WIDTHS), X), run(captured, (params_of(WIDTHS), X)))


def test_a_captured_step_can_be_read() -> None:
    def train_step(params: Any, state: Any, x: Any, y: Any, lr: float, t: int) -> Any:
        loss, grads = mlp_gradients(params, x, y)
        new = [
            {k: adam(p[k], g[k], s[k], lr, t) for k in p}
            for p, g, s in zip(params, grads, state, strict=True)
        ]
        return (
            [{k: w for k, (w, _) in layer.items()} for layer in new],
            [{k: s for k, (_, s) in layer.items()} for layer in new],
            loss,
        )

    params = params_of(WIDTHS)
    state = [{k: Moments(np.zeros_like(w), np.zeros_like(w)) for k, w in p.items()} for p in params]
    captured = capture(train_step, (params, state, X, Y, 0.1, 1))
    text = describe(captured.graph)
    assert "8 matmuls" in text
    assert "input params.0.w (resident)" in text
    assert "transpose_a" in text
    assert "test_capture_training.py:" in text
    assert "output out.2 = %" in text
