"""Initial weights and biases.

They are made on the host, once, and never recorded; standard deviations are Python floats because
a np.float64 scalar would turn float32 arrays into float64.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from workloads.arrays import Array

# (rng, n_in, n_out) -> weight (n_in, n_out), bias (n_out,), both float32
Initializer: TypeAlias = Callable[[np.random.Generator, int, int], tuple[Array, Array]]


def _gaussian(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> Array:
    return rng.standard_normal(shape, dtype=np.float32) * deviation


def normal(rng: np.random.Generator, n_in: int, n_out: int) -> tuple[Array, Array]:
    """Weights and biases from N(0, 1)."""
    return _gaussian(rng, (n_in, n_out), 1.0), _gaussian(rng, (n_out,), 1.0)


def scaled_normal(rng: np.random.Generator, n_in: int, n_out: int) -> tuple[Array, Array]:
    """Weights with standard deviation 1 / sqrt(n_in), zero biases: z starts near unit variance.

    Source: LeCun, Bottou, Orr, Mueller, "Efficient BackProp", 1998, section 4.6.
    """
    return _gaussian(rng, (n_in, n_out), n_in**-0.5), np.zeros(n_out, np.float32)


def he(rng: np.random.Generator, n_in: int, n_out: int) -> tuple[Array, Array]:
    """Weights with standard deviation sqrt(2 / n_in), zero biases: for ReLU, which drops half.

    Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015, equation 10.
    """
    return _gaussian(rng, (n_in, n_out), (2.0 / n_in) ** 0.5), np.zeros(n_out, np.float32)


BY_NAME: dict[str, Initializer] = {"normal": normal, "scaled_normal": scaled_normal, "he": he}
