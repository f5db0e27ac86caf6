"""An optimizer of one's own: Lion (Chen et al., 2023), which steps by the sign of a momentum.

Try it: pulsetrain run --optimizer examples/lion.py:Lion --lr 0.001
"""

import numpy as np


class Lion:
    """``init(w) -> state`` and ``update(w, g, state, lr, t) -> (w, state)``, for every parameter tensor."""

    @staticmethod
    def init(w):
        return np.zeros_like(w)

    @staticmethod
    def update(w, g, m, lr, t):
        step = np.sign(0.9 * m + 0.1 * g)
        m = 0.99 * m + 0.01 * g
        return w - lr * step, m
