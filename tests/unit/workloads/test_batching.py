"""Batches of an epoch."""

import numpy as np
import pytest

from workloads.batching import epoch_batches


@pytest.mark.parametrize(
    "n, batch, sizes",
    [
        (10, 4, [4, 4, 2]),
        (8, 4, [4, 4]),
        (5, 1, [1] * 5),
        (5, None, [5]),
        (5, 5, [5]),
        (5, 99, [5]),
    ],
)
def test_every_sample_comes_once_and_the_ragged_batch_is_kept(n, batch, sizes):
    batches = list(epoch_batches(n, batch, seed=3, epoch=1))
    assert [len(chosen) for chosen in batches] == sizes
    assert sorted(np.concatenate(batches).tolist()) == list(range(n))


def order(seed, epoch):
    return np.concatenate(list(epoch_batches(50, 8, seed, epoch))).tolist()


def test_the_order_comes_from_seed_and_epoch():
    assert order(3, 1) == order(3, 1)
    assert len({tuple(order(seed, epoch)) for seed in (3, 4) for epoch in (0, 1)}) == 4
    assert order(3, 0) != list(range(50))


@pytest.mark.parametrize("n, batch", [(0, 4), (10, 0), (10, -1), (0, None)])
def test_no_samples_or_no_batch_is_an_error_at_once(n, batch):
    with pytest.raises(ValueError, match="both must be 1 or more"):
        epoch_batches(n, batch, seed=0, epoch=0)


def test_a_negative_seed_is_one_clear_line():
    with pytest.raises(ValueError, match="seed -1 is negative"):
        epoch_batches(3, 1, seed=-1, epoch=0)
