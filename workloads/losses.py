"""Loss functions together with the output layer's activation.

A loss takes the pre-activation z of the output layer, because loss and activation are only stable,
and their gradient only simple, when they are taken together. Every loss is summed over the outputs
of a sample and averaged over the batch.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from workloads.activations import OUTPUTS_BY_NAME, Activation, sigmoid
from workloads.arrays import Array
from workloads.options import choose


class Loss(NamedTuple):
    """A loss and the activation of the outputs that it scores.

    Shapes: z, y, outputs(z) and dz are (B, classes); the loss is a scalar.
    """

    outputs: Callable[[Array], Array]
    value_and_gradient: Callable[[Array, Array], tuple[Array, Array]]  # (z, y) -> (loss, dz)


def _batch_mean(per_output: Array) -> Array:
    """Sums (B, classes) over the outputs and averages over the batch, to a scalar."""
    per_sample: Array = np.sum(per_output, axis=1)
    mean: Array = np.sum(per_sample, axis=0) / per_output.shape[0]
    return mean


def quadratic(activation: Activation) -> Loss:
    """L = mean over the batch of 0.5 * ||a - y||^2; dz = (a - y) / B * f'(z)."""

    def value_and_gradient(z: Array, y: Array) -> tuple[Array, Array]:
        a = activation.forward(z)
        error = a - y
        loss = 0.5 * _batch_mean(np.square(error))
        return loss, activation.backward(error / z.shape[0], z, a)

    return Loss(activation.forward, value_and_gradient)


def _sigmoid_cross_entropy(z: Array, y: Array) -> tuple[Array, Array]:
    """L = -mean over the batch of sum(y log a + (1 - y) log(1 - a)); dz = (a - y) / B.

    Written as max(z, 0) - z y + log(1 + exp(-|z|)), where nothing overflows and no log meets 0.
    """
    per_output = np.maximum(z, 0.0) - z * y + np.log(1.0 + np.exp(-np.abs(z)))
    return _batch_mean(per_output), (sigmoid.forward(z) - y) / z.shape[0]


def _softmax_parts(z: Array) -> tuple[Array, Array, Array]:
    """z less its row maximum, the exponentials of that, and their sum (B, 1)."""
    shifted = z - np.max(z, axis=1, keepdims=True)  # softmax is unchanged; exp cannot overflow
    exponentials = np.exp(shifted)
    return shifted, exponentials, np.sum(exponentials, axis=1, keepdims=True)


def _softmax(z: Array) -> Array:
    _, exponentials, total = _softmax_parts(z)
    return exponentials / total


def _softmax_cross_entropy(z: Array, y: Array) -> tuple[Array, Array]:
    """L = -mean over the batch of sum(y log softmax(z)); dz = (softmax(z) - y) / B.

    The gradient holds because the rows of y sum to one.
    """
    shifted, exponentials, total = _softmax_parts(z)
    loss = _batch_mean(y * (np.log(total) - shifted))
    return loss, (exponentials / total - y) / z.shape[0]


cross_entropy_sigmoid = Loss(sigmoid.forward, _sigmoid_cross_entropy)
cross_entropy_softmax = Loss(_softmax, _softmax_cross_entropy)

# For each loss, its possible outputs; the first is the default.
BY_NAME: dict[str, dict[str, Loss]] = {
    "quadratic": {name: quadratic(f) for name, f in OUTPUTS_BY_NAME.items()},
    "cross_entropy": {"softmax": cross_entropy_softmax, "sigmoid": cross_entropy_sigmoid},
}


def select(name: str, output: str | None = None) -> Loss:
    """The loss `name` with outputs `output`; None takes sigmoid for quadratic, else softmax.

    Raises: ValueError for an unknown loss, or outputs that the loss cannot score.
    """
    outputs = choose("loss", name, BY_NAME)
    return choose(f"output of loss {name}", output or next(iter(outputs)), outputs)
