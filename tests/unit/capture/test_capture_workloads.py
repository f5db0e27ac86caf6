"""The project's own training steps: every optimizer, loss and activation."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from simulator.capture import Captured, capture
from tests.unit.capture.interpret import array, check, ops
from workloads import activations, losses, optimizers
from workloads.mlp import (
    MLP,
    dropout_masks,
    init_params,
    init_state,
    make_predict,
    make_train_step,
)

WIDTHS = (6, 8, 8, 4)
BATCH = 5
X = array(BATCH, WIDTHS[0])
Y = np.eye(4, dtype=np.float32)[np.arange(BATCH) % 4]


def check_step(config: MLP, optimizer: str, steps: int = 3) -> Captured:
    made = optimizers.load(optimizer)
    params = init_params(config, "he", np.random.default_rng(0))
    state = init_state(made, params)
    masks = dropout_masks(config, BATCH, seed=1, step=0)
    arguments: tuple[Any, ...] = (params, state, X, Y, masks, 0.01, 1)
    captured = check(make_train_step(config, made), *arguments, carry=(0, 1), steps=steps)
    assert len(captured.graph.matmuls()) == 3 * config.layers - 1
    assert "transpose" not in ops(captured)
    rounded = [n for n in captured.graph.nodes if n.op == "to_bfloat16"]
    # Each layer's input and weight, and the gradient at each pre-activation, are rounded once.
    assert len(rounded) == 3 * config.layers
    return captured


@pytest.mark.parametrize("optimizer", optimizers.BY_NAME)
def test_optimizers(optimizer: str) -> None:
    check_step(MLP(WIDTHS), optimizer)


CHOICES = [(loss, output) for loss, outputs in losses.BY_NAME.items() for output in outputs]


@pytest.mark.parametrize(("loss", "activation"), list(product(CHOICES, activations.BY_NAME)))
def test_losses_and_activations(loss: tuple[str, str], activation: str) -> None:
    check_step(MLP(WIDTHS, activation=activation, loss=loss[0], output=loss[1]), "sgd", steps=1)


def test_residual_dropout_and_l2() -> None:
    captured = check_step(MLP(WIDTHS, residual=True, dropout=0.5, l2=0.01), "adam")
    assert {"masks.0", "masks.1"} <= set(captured.graph.inputs)


def test_predict() -> None:
    config = MLP(WIDTHS)
    params = init_params(config, "he", np.random.default_rng(0))
    captured = capture(make_predict(config), (params, X), carry=(), resident=(0,))
    assert len(captured.graph.matmuls()) == config.layers
    assert list(captured.graph.outputs) == ["out"]
    check(make_predict(config), params, X)


def test_a_ragged_batch_has_its_own_graph() -> None:
    config = MLP(WIDTHS)
    made = optimizers.load("sgd")
    params = init_params(config, "he", np.random.default_rng(0))
    state = init_state(made, params)
    step = make_train_step(config, made)
    full = capture(step, (params, state, X, Y, (), 0.1, 1)).graph
    again = capture(step, (params, state, X + 1, Y, (), 0.5, 9)).graph
    ragged = capture(step, (params, state, X[:2], Y[:2], (), 0.1, 1)).graph
    assert full.fingerprint() == again.fingerprint() != ragged.fingerprint()
