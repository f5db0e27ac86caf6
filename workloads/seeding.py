"""Independent random streams from one seed."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream is for. Numbers are part of every recorded result: never reuse one."""

    INITIALIZATION = 1
    BATCHES = 2
    DROPOUT = 3
    SPLIT = 4
    SYNTHETIC = 5


def generator(seed: int, stream: Stream, index: int = 0) -> np.random.Generator:
    """The generator of (seed, stream, index): an epoch or a step can be drawn without the earlier
    ones, so a run can resume and the simulator and NumPy can iterate apart.

    Raises: ValueError for a negative seed.
    """
    if seed < 0:
        raise ValueError(f"seed {seed} is negative: it must be 0 or more")
    return np.random.default_rng((seed, int(stream), index))
