"""Optimizers: each a pure `init(w) -> state` and `update(w, g, state, lr, t) -> (w, state)`.

They act on one parameter tensor at a time. w, g and every array of a state have the same shape;
lr (learning rate) and t (number of this step, 1 first) are run-time scalars, so only arithmetic
may be applied to them. Hyper-parameters are constants. All operations are element-wise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from workloads import user_optimizer
from workloads.arrays import Array, Optimizer, Scalar
from workloads.options import choose


@dataclass(frozen=True)
class SGD:
    """w <- w - lr g.

    Source: Robbins and Monro, "A Stochastic Approximation Method", 1951.
    """

    default_lr: ClassVar[float] = 0.2

    def init(self, w: Array) -> None:
        return None

    def update(self, w: Array, g: Array, state: None, lr: Scalar, t: Scalar) -> tuple[Array, None]:
        return w - lr * g, state


@dataclass(frozen=True)
class Momentum:
    """v <- mu v - lr g;  w <- w + v.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    mu: float = 0.9
    default_lr: ClassVar[float] = 0.05

    def init(self, w: Array) -> Array:
        return np.zeros_like(w)

    def update(self, w: Array, g: Array, v: Array, lr: Scalar, t: Scalar) -> tuple[Array, Array]:
        v = self.mu * v - lr * g
        return w + v, v


@dataclass(frozen=True)
class MomentumEMA:
    """v <- mu v + (1 - mu) g;  w <- w - lr v: momentum as an exponential moving average.

    With a constant lr this is `momentum` at lr (1 - mu).
    Source: Kingma and Ba, "Adam", ICLR 2015, the first moment without bias correction.
    """

    mu: float = 0.9
    default_lr: ClassVar[float] = 0.5

    def init(self, w: Array) -> Array:
        return np.zeros_like(w)

    def update(self, w: Array, g: Array, v: Array, lr: Scalar, t: Scalar) -> tuple[Array, Array]:
        v = self.mu * v + (1.0 - self.mu) * g
        return w - lr * v, v


@dataclass(frozen=True)
class Nesterov:
    """v <- mu v - lr g;  w <- w + mu v - lr g.

    w is the look-ahead point of the original method, so g is taken where the next step starts.
    Source: Nesterov, 1983; Bengio, Boulanger-Lewandowski, Pascanu, "Advances in Optimizing
    Recurrent Networks", ICASSP 2013, equation 7.
    """

    mu: float = 0.9
    default_lr: ClassVar[float] = 0.05

    def init(self, w: Array) -> Array:
        return np.zeros_like(w)

    def update(self, w: Array, g: Array, v: Array, lr: Scalar, t: Scalar) -> tuple[Array, Array]:
        step = lr * g
        v = self.mu * v - step
        return w + self.mu * v - step, v


@dataclass(frozen=True)
class AdaGrad:
    """s <- s + g^2;  w <- w - lr g / (sqrt(s) + eps).

    Source: Duchi, Hazan, Singer, "Adaptive Subgradient Methods", JMLR 12, 2011.
    """

    eps: float = 1e-8
    default_lr: ClassVar[float] = 0.02

    def init(self, w: Array) -> Array:
        return np.zeros_like(w)

    def update(self, w: Array, g: Array, s: Array, lr: Scalar, t: Scalar) -> tuple[Array, Array]:
        s = s + np.square(g)
        return w - lr * g / (np.sqrt(s) + self.eps), s


@dataclass(frozen=True)
class RMSProp:
    """s <- rho s + (1 - rho) g^2;  w <- w - lr g / (sqrt(s) + eps).

    Source: Tieleman and Hinton, "Neural Networks for Machine Learning", lecture 6.5, 2012.
    """

    rho: float = 0.9
    eps: float = 1e-8
    default_lr: ClassVar[float] = 0.002

    def init(self, w: Array) -> Array:
        return np.zeros_like(w)

    def update(self, w: Array, g: Array, s: Array, lr: Scalar, t: Scalar) -> tuple[Array, Array]:
        s = self.rho * s + (1.0 - self.rho) * np.square(g)
        return w - lr * g / (np.sqrt(s) + self.eps), s


class RMSPropMomentumState(NamedTuple):
    """Mean square of the gradient, and velocity."""

    s: Array
    v: Array


@dataclass(frozen=True)
class RMSPropMomentum:
    """s <- rho s + (1 - rho) g^2;  v <- mu v - lr g / (sqrt(s) + eps);  w <- w + v.

    Source: Graves, "Generating Sequences With Recurrent Neural Networks", 2013, equations 38 to 41,
    without the centring term.
    """

    rho: float = 0.9
    mu: float = 0.9
    eps: float = 1e-8
    default_lr: ClassVar[float] = 0.0005

    def init(self, w: Array) -> RMSPropMomentumState:
        return RMSPropMomentumState(np.zeros_like(w), np.zeros_like(w))

    def update(
        self, w: Array, g: Array, state: RMSPropMomentumState, lr: Scalar, t: Scalar
    ) -> tuple[Array, RMSPropMomentumState]:
        s = self.rho * state.s + (1.0 - self.rho) * np.square(g)
        v = self.mu * state.v - lr * g / (np.sqrt(s) + self.eps)
        return w + v, RMSPropMomentumState(s, v)


class AdamState(NamedTuple):
    """First and second moment of the gradient."""

    m: Array
    v: Array


@dataclass(frozen=True)
class Adam:
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;
    w <- w - lr (m / c1) / (sqrt(v / c2) + eps),  c1 = 1 - b1^t,  c2 = 1 - b2^t.

    Both sides of the fraction are multiplied by sqrt(c2): the bias corrections become arithmetic
    on scalars, and no array is divided for them.
    Source: Kingma and Ba, "Adam", ICLR 2015, algorithm 1 and the remark that ends section 2.
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    default_lr: ClassVar[float] = 0.002

    def init(self, w: Array) -> AdamState:
        return AdamState(np.zeros_like(w), np.zeros_like(w))

    def update(
        self, w: Array, g: Array, state: AdamState, lr: Scalar, t: Scalar
    ) -> tuple[Array, AdamState]:
        m = self.b1 * state.m + (1.0 - self.b1) * g
        v = self.b2 * state.v + (1.0 - self.b2) * np.square(g)
        root = (1.0 - self.b2**t) ** 0.5
        step = lr * root / (1.0 - self.b1**t)
        return w - step * m / (np.sqrt(v) + self.eps * root), AdamState(m, v)


@dataclass(frozen=True)
class AdamW:
    """Adam on a parameter that first decays by itself: w <- (1 - lr decay) w, then `Adam`.

    The decay bypasses the moments, unlike an L2 term in the loss.
    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2
    with the decay multiplied by lr, as PyTorch and Optax do.
    """

    b1: float = 0.9
    b2: float = 0.999
    eps: float = 1e-8
    decay: float = 0.01
    default_lr: ClassVar[float] = 0.002

    def init(self, w: Array) -> AdamState:
        return Adam(self.b1, self.b2, self.eps).init(w)

    def update(
        self, w: Array, g: Array, state: AdamState, lr: Scalar, t: Scalar
    ) -> tuple[Array, AdamState]:
        adam = Adam(self.b1, self.b2, self.eps)
        return adam.update((1.0 - lr * self.decay) * w, g, state, lr, t)


BY_NAME: dict[str, Callable[[], Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "momentum_ema": MomentumEMA,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "rmsprop_momentum": RMSPropMomentum,
    "adam": Adam,
    "adamw": AdamW,
}


def load(spec: str) -> Optimizer:
    """An optimizer by its name in `BY_NAME`, or a user's own as FILE.py:NAME.

    Raises: ValueError of one line that says what is wrong and what is allowed.
    """
    if ":" in spec or spec.endswith(".py"):
        optimizer: Optimizer = user_optimizer.load(spec)
        return optimizer
    return choose("optimizer", spec, BY_NAME, more=", or FILE.py:NAME")()


def default_lr(optimizer: Optimizer) -> float:
    """The learning rate to take when none is given; 0.01 if the optimizer does not say."""
    return float(getattr(optimizer, "default_lr", 0.01))
