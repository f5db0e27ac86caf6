"""A multilayer perceptron: its configuration, forward and backward pass, and training step.

Shapes: B batch, L layers, widths (n_0, ..., n_L). Layer l has a weight (n_l, n_{l+1}) and a bias
(n_{l+1},); every layer but the last is hidden. A step takes 3 L - 1 matrix multiplications: L
forward, L for the weights' gradients and L - 1 for the layers' inputs, as x needs no gradient.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np

from workloads import activations, initializers, losses
from workloads.arrays import Array, Optimizer, Params, Scalar, State
from workloads.initializers import Initializer
from workloads.options import choose
from workloads.seeding import Stream, generator


@dataclass(frozen=True)
class MLP:
    """What network to train, and on which loss.

    Raises: ValueError for an unknown name or a number out of range.
    """

    widths: tuple[int, ...]  # inputs, hidden layers, classes
    activation: str = "relu"  # of the hidden layers
    loss: str = "cross_entropy"
    output: str | None = None  # the outputs' activation; None takes the loss's usual one
    residual: bool = False  # adds a hidden layer's input to its output where widths are equal
    dropout: float = 1.0  # ratio of active hidden units; 1.0 is no dropout
    l2: float = 0.0  # adds l2 / 2 * sum of squared weights (not biases) to the loss

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))
        if len(self.widths) < 2 or any(width < 1 for width in self.widths):
            raise ValueError(f"widths {self.widths} must be two or more numbers of 1 or more")
        choose("activation", self.activation, activations.BY_NAME)
        losses.select(self.loss, self.output)
        if not 0.0 < self.dropout <= 1.0:
            raise ValueError(f"dropout {self.dropout} is the ratio of active units: 0 < ratio <= 1")
        if not 0.0 <= self.l2 < float("inf"):
            raise ValueError(f"l2 {self.l2} must be finite and not negative")
        if self.residual and not any(map(self.skips, range(self.layers))):
            raise ValueError(f"residual needs two hidden layers of equal width in {self.widths}")

    @property
    def layers(self) -> int:
        return len(self.widths) - 1

    def skips(self, layer: int) -> bool:
        """Whether a residual connection passes this layer: both its ends are hidden and equal."""
        hidden = 0 < layer < self.layers - 1
        return self.residual and hidden and self.widths[layer] == self.widths[layer + 1]


class Forward(NamedTuple):
    """What the forward pass computed. Shapes: each entry (B, width), L, L and L - 1 of them."""

    inputs: list[Array]  # of every layer; inputs[0] is x
    z: list[Array]  # pre-activations; z[-1] is the outputs'
    a: list[Array]  # activations of the hidden layers, before dropout and residual connection


def forward(config: MLP, params: Params, x: Array, masks: Sequence[Array] = ()) -> Forward:
    """Shapes: x (B, n_0); masks one (B, width) per hidden layer, or none."""
    f = activations.BY_NAME[config.activation]
    inputs: list[Array] = [x]
    zs: list[Array] = []
    activated: list[Array] = []
    for layer, p in enumerate(params):
        z = inputs[layer] @ p["weight"] + p["bias"]
        zs.append(z)
        if layer < config.layers - 1:
            a = f.forward(z)
            activated.append(a)
            h = a * masks[layer] if masks else a
            inputs.append(h + inputs[layer] if config.skips(layer) else h)
    return Forward(inputs, zs, activated)


def backward(
    config: MLP, params: Params, saved: Forward, dz: Array, masks: Sequence[Array] = ()
) -> Params:
    """The gradients of all parameters. Shapes: dz (B, n_L), the gradient at saved.z[-1]."""
    f = activations.BY_NAME[config.activation]
    grads: Params = []
    dh = dz  # the gradient at the output of the layer; only hidden layers use it
    for layer in reversed(range(config.layers)):
        grads.insert(0, {"weight": saved.inputs[layer].T @ dz, "bias": np.sum(dz, axis=0)})
        if layer > 0:
            through = dz @ params[layer]["weight"].T
            dh = through + dh if config.skips(layer) else through
            da = dh * masks[layer - 1] if masks else dh
            dz = f.backward(da, saved.z[layer - 1], saved.a[layer - 1])
    return grads


def _l2_loss(config: MLP, params: Params, loss: Array) -> Array:
    for p in params:
        per_output: Array = np.sum(np.square(p["weight"]), axis=0)
        loss = loss + 0.5 * config.l2 * np.sum(per_output, axis=0)
    return loss


# (params, x, y, masks) -> (loss, gradients)
Gradients: TypeAlias = Callable[[Params, Array, Array, Sequence[Array]], tuple[Array, Params]]
# (params, state, x, y, masks, lr, t) -> (params, state, loss)
TrainStep: TypeAlias = Callable[
    [Params, State, Array, Array, Sequence[Array], Scalar, Scalar], tuple[Params, State, Array]
]
# (params, x) -> outputs
Predict: TypeAlias = Callable[[Params, Array], Array]


def make_gradients(config: MLP) -> Gradients:
    """The function (params, x, y, masks) -> (loss, gradients).

    Shapes: x (B, n_0); y (B, n_L) one-hot; masks one (B, width) per hidden layer, none without
    dropout; loss scalar; gradients like params.
    """
    scored = losses.select(config.loss, config.output)
    wanted = config.layers - 1 if config.dropout < 1.0 else 0

    def gradients(
        params: Params, x: Array, y: Array, masks: Sequence[Array]
    ) -> tuple[Array, Params]:
        if len(masks) != wanted:
            raise ValueError(f"{len(masks)} dropout masks for {config}: it takes {wanted}")
        saved = forward(config, params, x, masks)
        loss, dz = scored.value_and_gradient(saved.z[-1], y)
        grads = backward(config, params, saved, dz, masks)
        if config.l2 > 0.0:
            loss = _l2_loss(config, params, loss)
            for p, grad in zip(params, grads, strict=True):
                grad["weight"] = grad["weight"] + config.l2 * p["weight"]
        return loss, grads

    return gradients


def make_train_step(config: MLP, optimizer: Optimizer) -> TrainStep:
    """The function (params, state, x, y, masks, lr, t) -> (params, state, loss).

    lr is the learning rate and t the number of this step, 1 first; the rest as `make_gradients`.
    An optimizer that updates in place writes into the given params and state.
    """
    gradients = make_gradients(config)

    def train_step(
        params: Params,
        state: State,
        x: Array,
        y: Array,
        masks: Sequence[Array],
        lr: Scalar,
        t: Scalar,
    ) -> tuple[Params, State, Array]:
        loss, grads = gradients(params, x, y, masks)
        new_params: Params = []
        new_state: State = []
        for p, g, s in zip(params, grads, state, strict=True):
            updated = {name: optimizer.update(p[name], g[name], s[name], lr, t) for name in p}
            new_params.append({name: w for name, (w, _) in updated.items()})
            new_state.append({name: kept for name, (_, kept) in updated.items()})
        return new_params, new_state, loss

    return train_step


def make_predict(config: MLP) -> Predict:
    """The function (params, x) -> outputs (B, classes), without dropout; argmax is the host's."""
    scored = losses.select(config.loss, config.output)

    def predict(params: Params, x: Array) -> Array:
        return scored.outputs(forward(config, params, x).z[-1])

    return predict


def init_params(config: MLP, initializer: str | Initializer, rng: np.random.Generator) -> Params:
    """First parameters, float32, from an initializer or the name of one."""
    if isinstance(initializer, str):
        initializer = choose("initializer", initializer, initializers.BY_NAME)
    params: Params = []
    for n_in, n_out in pairwise(config.widths):
        weight, bias = initializer(rng, n_in, n_out)
        params.append({"weight": weight, "bias": bias})
    return params


def init_state(optimizer: Optimizer, params: Params) -> State:
    """The optimizer's first state for every parameter."""
    return [{name: optimizer.init(w) for name, w in layer.items()} for layer in params]


def dropout_masks(config: MLP, batch: int, seed: int, step: int) -> tuple[Array, ...]:
    """Masks of inverted dropout for one step, drawn from (seed, step); none without dropout.

    An active unit is scaled by 1 / ratio in training, so nothing changes at prediction.
    Shapes: (batch, width) float32 per hidden layer, holding 0 or 1 / ratio.
    Source: Srivastava et al., "Dropout", JMLR 15, 2014, section 10.
    """
    if config.dropout == 1.0:
        return ()
    rng = generator(seed, Stream.DROPOUT, step)
    ratio = config.dropout
    shapes = [(batch, width) for width in config.widths[1:-1]]
    return tuple(
        (rng.random(shape, np.float32) < ratio).astype(np.float32) / ratio for shape in shapes
    )
