"""Which samples form each batch of an epoch."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workloads.seeding import Stream, generator


def epoch_batches(n: int, batch: int | None, seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
    """Index arrays that hold every sample once, in an order drawn from (seed, epoch).

    batch 1 is single samples; None, or more than n, the full batch. A ragged last batch is kept.

    Shapes: (batch,) each, the last one (n % batch,) when that is not zero.
    Raises: ValueError for a batch below 1 or no samples.
    """
    size = n if batch is None else batch
    if n < 1 or size < 1:
        raise ValueError(f"cannot take batches of {size} from {n} samples: both must be 1 or more")
    return _slices(n, size, generator(seed, Stream.BATCHES, epoch))


def _slices(n: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    order = rng.permutation(n)
    for first in range(0, n, size):
        yield order[first : first + size]
