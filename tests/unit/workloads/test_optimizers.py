"""Each optimizer against its recurrence, written again for one number."""

import numpy as np
import pytest

from workloads import optimizers
from workloads.optimizers import BY_NAME

LR = 0.05
STEPS = 10


def sgd(w, gradients):
    for g in gradients:
        w -= LR * g
        yield w


def momentum(w, gradients):
    velocity = 0.0
    for g in gradients:
        velocity = 0.9 * velocity - LR * g
        w += velocity
        yield w


def momentum_ema(w, gradients):
    average = 0.0
    for g in gradients:
        average += 0.1 * (g - average)
        w -= LR * average
        yield w


def nesterov(w, gradients):
    # The original pair: theta moves, and the gradient is taken at w = theta + 0.9 velocity.
    theta, velocity = w, 0.0
    for g in gradients:
        velocity = 0.9 * velocity - LR * g
        theta += velocity
        yield theta + 0.9 * velocity


def adagrad(w, gradients):
    past = []
    for g in gradients:
        past.append(g)
        w -= LR * g / (sum(x * x for x in past) ** 0.5 + 1e-8)
        yield w


def rmsprop(w, gradients):
    past = []
    for g in gradients:
        past = [0.9 * x for x in past] + [0.1 * g * g]
        w -= LR * g / (sum(past) ** 0.5 + 1e-8)
        yield w


def rmsprop_momentum(w, gradients):
    mean_square = velocity = 0.0
    for g in gradients:
        mean_square = 0.9 * mean_square + 0.1 * g * g
        velocity = 0.9 * velocity - LR * g / (mean_square**0.5 + 1e-8)
        w += velocity
        yield w


def adam(w, gradients, decay=0.0):
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        m_hat = m / (1 - 0.9**t)
        v_hat = v / (1 - 0.999**t)
        w -= LR * decay * w + LR * m_hat / (v_hat**0.5 + 1e-8)
        yield w


def adamw(w, gradients):
    return adam(w, gradients, decay=0.01)


RECURRENCES = {
    "sgd": sgd,
    "momentum": momentum,
    "momentum_ema": momentum_ema,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "rmsprop_momentum": rmsprop_momentum,
    "adam": adam,
    "adamw": adamw,
}


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("size", [1.0, 1e-7], ids=["ordinary", "as small as eps"])
def test_ten_steps_follow_the_recurrence(name, size):
    rng = np.random.default_rng(11)
    w = rng.standard_normal((2, 3))
    gradients = size * rng.standard_normal((STEPS, 2, 3))
    expected = {
        index: list(RECURRENCES[name](w[index], gradients[(slice(None), *index)].tolist()))
        for index in np.ndindex(w.shape)
    }
    optimizer = optimizers.load(name)
    state = optimizer.init(w)
    for step in range(STEPS):
        w, state = optimizer.update(w, gradients[step], state, LR, step + 1)
        for index, values in expected.items():
            assert w[index] == pytest.approx(values[step], rel=1e-9)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_zero_gradient_moves_nothing_but_decay(name):
    optimizer = optimizers.load(name)
    w = np.ones((2, 3), np.float32)
    with np.errstate(all="raise"):
        moved, _ = optimizer.update(w, np.zeros_like(w), optimizer.init(w), 0.1, 1)
    expected = np.float32(1 - 0.1 * 0.01) if name == "adamw" else np.float32(1)
    np.testing.assert_array_equal(moved, np.full_like(w, expected))


@pytest.mark.parametrize("name", BY_NAME)
def test_update_is_pure_and_keeps_float32(name):
    optimizer = optimizers.load(name)
    w = np.ones((2, 3), np.float32)
    g = np.full_like(w, 0.5)
    state = optimizer.init(w)
    first = optimizer.update(w, g, state, 0.1, 1)
    second = optimizer.update(w, g, state, 0.1, 1)
    assert (w == 1).all() and (g == 0.5).all()
    assert first[0].dtype == np.float32
    np.testing.assert_array_equal(first[0], second[0])


def test_momentum_ema_is_momentum_at_a_tenth_of_the_rate():
    w, g = np.ones(3), np.arange(3.0)
    ema, plain = optimizers.MomentumEMA(), optimizers.Momentum()
    a, b = (w, ema.init(w)), (w, plain.init(w))
    for t in range(1, 5):
        a = ema.update(a[0], g, a[1], 0.5, t)
        b = plain.update(b[0], g, b[1], 0.05, t)
    np.testing.assert_allclose(a[0], b[0], rtol=1e-12)


def test_every_optimizer_says_its_rate():
    for name in BY_NAME:
        assert 0 < optimizers.default_lr(optimizers.load(name)) < 1
    assert optimizers.default_lr(object()) == 0.01


def test_hyper_parameters_are_fields():
    assert optimizers.Adam(b1=0.8).b1 == 0.8
    w = np.ones(2)
    _, m = optimizers.MomentumEMA(mu=0.0).update(w, w, w, 0.1, 1)
    np.testing.assert_array_equal(m, w)
