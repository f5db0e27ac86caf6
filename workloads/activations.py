"""Activation functions, forward and backward side by side."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from workloads.arrays import Array


class Activation(NamedTuple):
    """An element-wise function and its gradient.

    Shapes: every argument and result (B, width). z is the pre-activation, a = forward(z), da the
    gradient with respect to a; backward gives the gradient with respect to z.
    """

    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array, Array], Array]


# exp(80) is still finite in float32, and 1 / (1 + exp(80)) = 1.8e-35 is still a normal number.
_SATURATED = 80.0


def _sigmoid(z: Array) -> Array:
    return 1.0 / (1.0 + np.exp(np.minimum(-z, _SATURATED)))


def _sigmoid_backward(da: Array, z: Array, a: Array) -> Array:
    return da * (a * (1.0 - a))


def _tanh(z: Array) -> Array:
    return np.tanh(z)


def _tanh_backward(da: Array, z: Array, a: Array) -> Array:
    return da * (1.0 - a * a)


def _relu(z: Array) -> Array:
    return np.maximum(z, 0.0)


def _relu_backward(da: Array, z: Array, a: Array) -> Array:
    return np.where(z > 0.0, da, 0.0)


def _linear(z: Array) -> Array:
    return z


def _linear_backward(da: Array, z: Array, a: Array) -> Array:
    return da


sigmoid = Activation(_sigmoid, _sigmoid_backward)
tanh = Activation(_tanh, _tanh_backward)
relu = Activation(_relu, _relu_backward)
linear = Activation(_linear, _linear_backward)  # for outputs only

BY_NAME = {"sigmoid": sigmoid, "tanh": tanh, "relu": relu}
OUTPUTS_BY_NAME = {**BY_NAME, "linear": linear}
