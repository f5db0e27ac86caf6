"""Reductions: sequential along each axis, the lowest axis first."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from simulator.errors import ProgramError
from simulator.numerics import core, kernels
from tests.unit.numerics import oracle
from tests.unit.numerics.vectors import BACKENDS, DIRECTED, assert_bits, floats, random_bits

REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min")


@pytest.fixture(params=BACKENDS)
def backend(request):
    with core.forced(request.param):
        yield request.param


def values(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Numbers of similar size, so that every addition rounds and the order shows."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def expected(name: str, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """One axis after the other by exact fractions; the axes stay with length 1."""
    for axis in sorted(axes):
        bits = x.view(np.uint32)
        reduced = np.apply_along_axis(lambda line: [oracle.reduce(name, line.tolist())], axis, bits)
        x = np.ascontiguousarray(reduced.astype(np.uint32)).view(np.float32)
    return x


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)], ids=str)
def test_axes_are_reduced_in_order(backend, name, axes):
    x = values((5, 19, 7), seed=1)
    want = expected(name, x, axes)
    assert_bits(kernels.reduce(name, x, axes, keepdims=True), want)
    assert_bits(kernels.reduce(name, x, axes), np.squeeze(want, axes))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_all_pairs_of_special_values(backend, name):
    left, right = np.repeat(DIRECTED, len(DIRECTED)), np.tile(DIRECTED, len(DIRECTED))
    pairs = np.stack([left, right])
    want = np.array([oracle.reduce(name, [a, b]) for a, b in pairs.T.tolist()], np.uint32)
    assert_bits(kernels.reduce(name, floats(pairs), (0,)), floats(want))
    assert_bits(kernels.reduce(name, floats(np.ascontiguousarray(pairs.T)), (1,)), floats(want))


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("shape", [(300, 70), (2, 5000), (37, 1), (1, 37), (70, 300)], ids=str)
def test_backends_agree_on_random_patterns(backend, name, shape):
    x = values(shape, 6)
    x[:, ::3] = np.resize(floats(random_bits(1000, 5)), x[:, ::3].shape)
    for axes in ((0,), (1,), (0, 1)):
        got = kernels.reduce(name, x, axes)
        with core.forced("numpy"):
            assert_bits(got, kernels.reduce(name, x, axes))


def test_one_element_is_itself(backend):
    x = floats(np.array([[0x80000000, 0, 0x7F812345, 0x00000001]], np.uint32))
    want = floats(np.array([0x80000000, 0, oracle.NAN, 1], np.uint32))
    for name, axes in itertools.product(REDUCTIONS, [(0,), ()]):
        assert_bits(kernels.reduce(name, x, axes).reshape(-1), want)


def test_a_sum_of_negative_zeros_is_negative_zero(backend):
    x = np.full((4, 3), -0.0, np.float32)
    assert_bits(kernels.reduce("reduce_sum", x, (0, 1)), np.asarray(np.float32(-0.0)))


def test_int32_reductions_wrap(backend):
    x = np.array([[2**31 - 1, -5], [1, 3], [2**31 - 1, -(2**31)]], np.int32)
    assert kernels.reduce("reduce_sum", x, (0,)).tolist() == [-1, 2**31 - 2]
    assert kernels.reduce("reduce_max", x, (1,)).tolist() == [2**31 - 1, 3, 2**31 - 1]
    assert kernels.reduce("reduce_min", x, (0, 1)).tolist() == -(2**31)


def test_results_are_new_arrays(backend):
    for x in (np.ones((1, 3), np.int32), np.ones((1, 3), np.float32)):
        for axes in ((0,), ()):
            assert not np.shares_memory(kernels.reduce("reduce_sum", x, axes), x)


def test_views_and_empty_results(backend):
    x = values((6, 8), seed=2)
    assert_bits(kernels.reduce("reduce_sum", x.T, (1,)), kernels.reduce("reduce_sum", x, (0,)))
    assert_bits(kernels.reduce("reduce_max", x[::2, ::-3], (0,)), x[::2, ::-3].max(axis=0))
    assert kernels.reduce("reduce_sum", np.zeros((3, 0), np.float32), (0,)).shape == (0,)


def test_what_cannot_be_reduced_is_refused(backend):
    x = np.zeros((3, 0), np.float32)
    with pytest.raises(ProgramError, match="no elements"):
        kernels.reduce("reduce_sum", x, (1,))
    with pytest.raises(ProgramError, match="axes"):
        kernels.reduce("reduce_sum", x, (2,))
    with pytest.raises(ProgramError, match="axes"):
        kernels.reduce("reduce_sum", x, (0, 0))
    with pytest.raises(ProgramError, match="no reduction"):
        kernels.reduce("reduce_sum", x.astype(np.bool_), (0,))
    with pytest.raises(ProgramError, match="no reduction"):
        kernels.reduce("reduce_mean", x, (0,))


def test_a_pairwise_sum_is_caught(monkeypatch):
    """The order shows in these values: NumPy's own pairwise sum differs."""
    x = values((1000,), seed=3)
    assert np.sum(x) != kernels.reduce("reduce_sum", x, (0,))
