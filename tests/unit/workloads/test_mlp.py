"""The network: gradients, cost in matrix multiplications, capturability, configuration."""

import numpy as np
import pytest

from workloads import optimizers
from workloads.mlp import (
    MLP,
    dropout_masks,
    init_params,
    init_state,
    make_gradients,
    make_predict,
    make_train_step,
)

BATCH = 4


def inputs(network, dtype):
    """Parameters of moderate size (biases not zero), x, one-hot y and masks."""
    rng = np.random.default_rng(7)
    params = [
        {name: (0.5 * w).astype(dtype) for name, w in layer.items()}
        for layer in init_params(network, "normal", rng)
    ]
    x = rng.standard_normal((BATCH, network.widths[0])).astype(dtype)
    y = np.eye(network.widths[-1], dtype=dtype)[np.arange(BATCH) % network.widths[-1]]
    masks = [mask.astype(dtype) for mask in dropout_masks(network, BATCH, seed=1, step=2)]
    return params, x, y, masks


def test_gradients_are_central_differences(network):
    params, x, y, masks = inputs(network, np.float64)
    gradients = make_gradients(network)
    _, grads = gradients(params, x, y, masks)
    for p, grad in zip(params, grads, strict=True):
        for name, w in p.items():
            slope = np.zeros_like(w)
            for index in np.ndindex(w.shape):
                kept = w[index]
                w[index] = kept + 1e-6
                above, _ = gradients(params, x, y, masks)
                w[index] = kept - 1e-6
                below, _ = gradients(params, x, y, masks)
                w[index] = kept
                slope[index] = (above - below) / 2e-6
            np.testing.assert_allclose(grad[name], slope, rtol=1e-5, atol=1e-8)


def test_a_step_is_capturable_and_stays_in_float32(network, capturable):
    check_step(network, optimizers.Adam(), capturable)


@pytest.mark.parametrize("name", optimizers.BY_NAME)
def test_every_optimizers_step_is_capturable(name, capturable):
    network = MLP((5, 6, 6, 3), residual=True, dropout=0.5, l2=0.01)
    check_step(network, optimizers.load(name), capturable)


def check_step(network, optimizer, capturable):
    """The step on stand-ins gives what it gives on arrays, in 3 L - 1 matrix multiplications."""
    params, x, y, masks = inputs(network, np.float32)
    state = init_state(optimizer, params)
    step, predict = make_train_step(network, optimizer), make_predict(network)
    arrays = capturable.tree([params, state, x, y, masks])
    recorded = step(*arrays, capturable.scalar(0.01), capturable.scalar(3))
    assert capturable.Watched.calls["matmul"] == 3 * network.layers - 1
    plain = step(params, state, x, y, masks, 0.01, 3)
    for got, expected in zip(capturable.leaves(recorded), capturable.leaves(plain), strict=True):
        assert isinstance(got, capturable.Watched)
        assert got.dtype == expected.dtype == np.float32 and got.shape == expected.shape
        np.testing.assert_array_equal(got.view(np.ndarray), expected)
    outputs = predict(arrays[0], arrays[2])
    assert outputs.dtype == np.float32 and outputs.shape == y.shape


def leaks_through_a_scalar(w, lr):
    return w * np.float64(2.0)


def leaks_through_zeros(w, lr):
    return w + np.zeros(w.shape)


def branches(w, lr):
    return w if lr > 0 else -w


def cubes(w, lr):
    return w**3


def indexes(w, lr):
    return w[np.array([0, 1])]


def counts(w, lr):
    return np.sum(w > 0, axis=0)


@pytest.mark.parametrize(
    "slip", [leaks_through_a_scalar, leaks_through_zeros, branches, cubes, indexes, counts]
)
def test_the_stand_ins_catch_a_slip(slip, capturable):
    with pytest.raises(capturable.error):
        slip(capturable.watch(np.ones((2, 2), np.float32)), capturable.scalar(0.1))


def test_an_optimizer_in_place_gives_the_same_step():
    class InPlace:
        def init(self, w):
            return np.zeros_like(w)

        def update(self, w, g, v, lr, t):
            v *= 0.9
            v -= lr * g
            w += v
            return w, v

    network = MLP((5, 6, 3), "tanh")
    params, x, y, masks = inputs(network, np.float32)
    state = init_state(InPlace(), params)
    pure = make_train_step(network, optimizers.Momentum())(params, state, x, y, masks, 0.1, 1)
    copied = [{name: w.copy() for name, w in layer.items()} for layer in params]
    own = make_train_step(network, InPlace())(copied, state, x, y, masks, 0.1, 1)
    assert own[2] == pure[2]
    for got, expected in zip(own[0], pure[0], strict=True):
        for name in got:
            np.testing.assert_array_equal(got[name], expected[name])


def test_a_step_leaves_its_arguments_alone():
    network = MLP((5, 6, 3), l2=0.1)
    params, x, y, _ = inputs(network, np.float32)
    before = [{name: w.copy() for name, w in layer.items()} for layer in params]
    optimizer = optimizers.Adam()
    make_train_step(network, optimizer)(params, init_state(optimizer, params), x, y, (), 0.1, 1)
    for got, expected in zip(params, before, strict=True):
        for name in got:
            np.testing.assert_array_equal(got[name], expected[name])


def test_without_hidden_layers_it_is_logistic_regression():
    network = MLP((5, 3), output="sigmoid")
    params, x, y, _ = inputs(network, np.float64)
    a = 1 / (1 + np.exp(-(x @ params[0]["weight"] + params[0]["bias"])))
    np.testing.assert_allclose(make_predict(network)(params, x), a, rtol=1e-12)
    _, grads = make_gradients(network)(params, x, y, ())
    np.testing.assert_allclose(grads[0]["weight"], x.T @ (a - y) / BATCH, rtol=1e-10, atol=1e-15)


def test_a_residual_connection_adds_a_hidden_layers_input():
    network = MLP((3, 4, 4, 2), "tanh", "quadratic", "linear", residual=True)
    params, x, *_ = inputs(network, np.float64)
    weights = [(p["weight"], p["bias"]) for p in params]
    first = np.tanh(x @ weights[0][0] + weights[0][1])
    second = first + np.tanh(first @ weights[1][0] + weights[1][1])
    expected = second @ weights[2][0] + weights[2][1]
    np.testing.assert_allclose(make_predict(network)(params, x), expected, rtol=1e-12)


def test_residual_connections_join_hidden_layers_of_equal_width_only():
    network = MLP((4, 4, 8, 8, 4, 4), residual=True)
    assert [network.skips(layer) for layer in range(5)] == [False, False, True, False, False]


def test_l2_adds_half_the_squared_weights_to_the_loss():
    params, x, y, _ = inputs(MLP((5, 6, 3)), np.float64)
    plain, _ = make_gradients(MLP((5, 6, 3)))(params, x, y, ())
    with_l2, _ = make_gradients(MLP((5, 6, 3), l2=0.3))(params, x, y, ())
    squares = sum((p["weight"] ** 2).sum() for p in params)
    assert with_l2 - plain == pytest.approx(0.15 * squares, rel=1e-12)


def test_dropout_masks_hold_zero_or_the_inverse_of_the_ratio():
    network = MLP((5, 300, 200, 3), dropout=0.8)
    masks = dropout_masks(network, 64, seed=3, step=5)
    assert [mask.shape for mask in masks] == [(64, 300), (64, 200)]
    for mask in masks:
        assert mask.dtype == np.float32
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1.25)}
        assert abs(mask.mean() - 1) < 5 * (0.25 / mask.size) ** 0.5


def test_dropout_masks_come_from_seed_and_step():
    network = MLP((5, 30, 3), dropout=0.5)
    (one,) = dropout_masks(network, 8, seed=3, step=5)
    np.testing.assert_array_equal(one, dropout_masks(network, 8, seed=3, step=5)[0])
    assert (one != dropout_masks(network, 8, seed=3, step=6)[0]).any()
    assert (one != dropout_masks(network, 8, seed=4, step=5)[0]).any()
    assert dropout_masks(MLP((5, 30, 3)), 8, seed=3, step=5) == ()


def test_missing_dropout_masks_are_an_error():
    network = MLP((5, 6, 3), dropout=0.5)
    params, x, y, _ = inputs(network, np.float32)
    with pytest.raises(ValueError, match=r"0 dropout masks .* it takes 1"):
        make_gradients(network)(params, x, y, ())


def test_initial_parameters_have_the_networks_shapes():
    params = init_params(MLP((5, 6, 3)), "he", np.random.default_rng(0))
    shapes = [(p["weight"].shape, p["bias"].shape) for p in params]
    assert shapes == [((5, 6), (6,)), ((6, 3), (3,))]
    assert all(w.dtype == np.float32 for p in params for w in p.values())


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"widths": (5,)}, "widths"),
        ({"widths": (5, 0, 3)}, "widths"),
        ({"activation": "gelu"}, "unknown activation 'gelu': choose sigmoid, tanh, relu"),
        ({"loss": "hinge"}, "unknown loss 'hinge': choose quadratic, cross_entropy"),
        ({"output": "linear"}, "unknown output of loss cross_entropy 'linear': choose softmax"),
        ({"dropout": 0.0}, "dropout"),
        ({"dropout": float("nan")}, "dropout"),
        ({"l2": -1.0}, "l2"),
        ({"l2": float("nan")}, "l2"),
        ({"residual": True}, "residual needs two hidden layers of equal width"),
    ],
)
def test_a_wrong_configuration_is_one_clear_line(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        MLP(**{"widths": (5, 6, 3), **settings})
    assert "\n" not in str(error.value)
