"""Activations, losses and initializers, each on its own."""

import numpy as np
import pytest

from workloads import activations, initializers, losses

Z = np.linspace(-6.0, 6.0, 121).reshape(11, 11) + 0.013  # no entry at ReLU's kink
NAMES = sorted(activations.OUTPUTS_BY_NAME)


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_is_its_definition(name):
    expected = {
        "sigmoid": 1.0 / (1.0 + np.exp(-Z)),
        "tanh": (np.exp(Z) - np.exp(-Z)) / (np.exp(Z) + np.exp(-Z)),
        "relu": Z * (Z > 0),
        "linear": Z,
    }[name]
    np.testing.assert_allclose(activations.OUTPUTS_BY_NAME[name].forward(Z), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_an_activations_gradient_is_its_slope(name):
    f = activations.OUTPUTS_BY_NAME[name]
    da = np.cos(Z)
    slope = (f.forward(Z + 1e-6) - f.forward(Z - 1e-6)) / 2e-6
    np.testing.assert_allclose(f.backward(da, Z, f.forward(Z)), da * slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_takes_any_float32_in_silence(name):
    f = activations.OUTPUTS_BY_NAME[name]
    z = np.float32([[-3e38, -1e4, -100.0, -0.0, 0.0, 100.0, 1e4, 3e38]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        a = f.forward(z)
        slope = f.backward(np.ones_like(z), z, a)
    assert a.dtype == slope.dtype == np.float32
    assert np.isfinite(a).all() and np.isfinite(slope).all()


def test_the_sigmoid_keeps_its_relative_precision_where_it_is_small():
    z = np.float32([[-70.0, -30.0, -10.0]])
    expected = 1.0 / (1.0 + np.exp(-z.astype(np.float64)))
    np.testing.assert_allclose(activations.sigmoid.forward(z), expected, rtol=1e-5)


def targets(z):
    return np.eye(z.shape[1])[np.arange(len(z)) % z.shape[1]]


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def test_quadratic_is_half_the_squared_distance_averaged_over_the_batch():
    y = targets(Z)
    loss, dz = losses.select("quadratic").value_and_gradient(Z, y)
    a = sigmoid(Z)
    assert loss == pytest.approx(np.mean([0.5 * np.dot(r, r) for r in a - y]), rel=1e-12)
    np.testing.assert_allclose(dz, (a - y) / len(Z) * a * (1 - a), rtol=1e-9)


def test_cross_entropy_of_sigmoids_is_its_definition():
    y = targets(Z)
    loss, dz = losses.select("cross_entropy", "sigmoid").value_and_gradient(Z, y)
    a = sigmoid(Z)
    expected = -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum() / len(Z)
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(dz, (a - y) / len(Z), rtol=1e-9)


def test_cross_entropy_of_a_softmax_is_its_definition():
    y = targets(Z)
    loss, dz = losses.select("cross_entropy").value_and_gradient(Z, y)
    assert loss == pytest.approx(-np.log(softmax(Z)[y == 1]).mean(), rel=1e-12)
    np.testing.assert_allclose(dz, (softmax(Z) - y) / len(Z), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_cross_entropy_is_finite_for_confident_mistakes(output):
    z = np.float32([[1e4, -1e4, 0.0], [-200.0, 200.0, 0.0]])
    y = np.float32([[0, 1, 0], [1, 0, 0]])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, dz = losses.select("cross_entropy", output).value_and_gradient(z, y)
    assert loss.dtype == dz.dtype == np.float32
    assert loss > 100 and np.isfinite(loss) and np.isfinite(dz).all()


@pytest.mark.parametrize("name, output", [("quadratic", "tanh"), ("cross_entropy", "softmax")])
def test_the_outputs_are_those_that_the_loss_scores(name, output):
    expected = {"tanh": np.tanh(Z), "softmax": softmax(Z)}[output]
    np.testing.assert_allclose(losses.select(name, output).outputs(Z), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "name, output", [("hinge", None), ("quadratic", "softmax"), ("cross_entropy", "relu")]
)
def test_an_unknown_loss_or_output_is_one_clear_line(name, output):
    with pytest.raises(ValueError, match=r"^unknown (loss|output) .*: choose \w+, "):
        losses.select(name, output)


@pytest.mark.parametrize(
    "name, deviation", [("normal", 1.0), ("scaled_normal", 0.05), ("he", 0.05 * 2**0.5)]
)
def test_an_initializers_moments(name, deviation):
    weight, bias = initializers.BY_NAME[name](np.random.default_rng(1), 400, 1000)
    assert weight.shape == (400, 1000) and bias.shape == (1000,)
    assert weight.dtype == bias.dtype == np.float32
    # Five standard errors of the mean, of the deviation, and of the fourth moment of a Gaussian.
    scaled = weight.astype(np.float64) / deviation
    assert abs(scaled.mean()) < 5 / weight.size**0.5
    assert abs(scaled.std() - 1) < 5 / (2 * weight.size) ** 0.5
    assert abs((scaled**4).mean() - 3) < 5 * (96 / weight.size) ** 0.5
    if name == "normal":
        assert abs(bias.mean()) < 5 / 1000**0.5 and abs(bias.std() - 1) < 5 / 2000**0.5
    else:
        assert not bias.any()
