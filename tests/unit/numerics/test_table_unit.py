"""exp, log and tanh: the stated steps to the bit, and the stated error against float64."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.numerics import core, kernels, make_tables, tables
from tests.unit.numerics import table_oracle
from tests.unit.numerics.vectors import BACKENDS, DIRECTED, assert_bits, floats, random_bits

FUNCTIONS = ("exp", "log", "tanh")
STATED_ULPS = {"exp": 2, "log": 2, "tanh": 3}


def neighbours(*values: float) -> np.ndarray:
    """The float32 nearest to each value and the two on either side."""
    nearest = np.array(values, np.float32).view(np.int32)
    return (nearest[:, None] + np.arange(-2, 3)).ravel().astype(np.uint32)


EDGES = {
    "exp": neighbours(88.72283, -103.972084, -87.33655, -88.0, 0.5, -0.5, 1e-30, *range(1, 12)),
    "log": neighbours(1.0, 1.5, 0.75, 2.0, 3.0, 1.0 + 1 / 256, 1.17549435e-38, 1e-40, 1e-44, 7.5e37),
    "tanh": neighbours(9.25, -9.25, 2.0**-12, -(2.0**-12), 1 / 64, 0.5, -3.7, 9.2),
}


def arguments(name: str, count: int, seed: int) -> np.ndarray:
    """Directed patterns, the function's own edges, and random arguments where it varies."""
    rng = np.random.default_rng(seed)
    inside = {
        "exp": rng.uniform(-105, 90, count),
        "log": np.exp(rng.uniform(-103, 88, count)),
        "tanh": rng.uniform(-10, 10, count),
    }[name]
    near = {
        "exp": rng.normal(0, 0.05, count),
        "log": rng.normal(1, 0.05, count),
        "tanh": rng.normal(0, 0.02, count),
    }
    parts = [inside, near[name]]
    values = np.concatenate(parts).astype(np.float32).view(np.uint32)
    return np.concatenate([DIRECTED, EDGES[name], random_bits(count, seed), values])


@pytest.fixture(params=BACKENDS)
def backend(request):
    with core.forced(request.param):
        yield request.param


@pytest.fixture(scope="module")
def stepwise():
    """The stated steps in exact fractions, for a few thousand arguments per function."""
    results = {}
    for name in FUNCTIONS:
        bits = arguments(name, 500, seed=11)
        function = getattr(table_oracle, name)
        results[name] = bits, np.array([function(x) for x in bits.tolist()], np.uint32)
    return results


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_step_is_the_stated_one(backend, stepwise, name):
    bits, expected = stepwise[name]
    assert_bits(kernels.elementwise(name, floats(bits)), floats(expected))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_backends_agree_on_many_arguments(backend, name):
    x = floats(arguments(name, 60_000, seed=12))
    with core.forced("numpy"):
        expected = kernels.elementwise(name, x)
    assert_bits(kernels.elementwise(name, x), expected)


def ordered(x: np.ndarray) -> np.ndarray:
    """Integers in the order of the floats: neighbours differ by one."""
    bits = x.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(2**31) - bits, bits)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_stated_error_holds(name):
    x = floats(arguments(name, 200_000, seed=13))
    with np.errstate(all="ignore"):
        correct = getattr(np, name)(x.astype(np.float64)).astype(np.float32)
    actual = kernels.elementwise(name, x)
    assert np.array_equal(np.isnan(actual), np.isnan(correct))
    numbers = ~np.isnan(correct)
    ulps = np.abs(ordered(actual[numbers]) - ordered(correct[numbers]))
    assert 0 < ulps.max() <= STATED_ULPS[name]


def test_special_values(backend):
    inf, nan = np.float32(np.inf), np.float32(np.nan)
    x = np.array([0.0, -0.0, inf, -inf, nan, -1.0], np.float32)
    assert_bits(kernels.elementwise("exp", x)[:5], np.array([1, 1, inf, 0, nan], np.float32))
    assert_bits(kernels.elementwise("log", x), np.array([-inf, -inf, inf, nan, nan, nan], np.float32))
    assert_bits(kernels.elementwise("tanh", x)[:5], np.array([0.0, -0.0, 1, -1, nan], np.float32))


def test_the_shipped_tables_are_the_generated_ones():
    generated = make_tables.make_tables()
    assert list(tables.SIZES) == list(generated)
    for name, table in generated.items():
        assert_bits(tables.tables()[name], table)


def test_tables_of_another_version_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "tables.npz"
    np.savez(other, version=np.array(2), **make_tables.make_tables())
    monkeypatch.setattr(tables, "_FILE", other)
    with pytest.raises(RuntimeError, match="version 1"):
        tables.tables.__wrapped__()


def test_a_wrong_table_entry_is_caught(stepwise, monkeypatch):
    """The vectors reach the tables: one entry off by one unit shows."""
    wrong = dict(tables.tables())
    wrong["exp_t"] = np.nextafter(wrong["exp_t"], np.float32(3))
    monkeypatch.setattr("simulator.numerics.table_unit.tables", lambda: wrong)
    bits, expected = stepwise["exp"]
    with core.forced("numpy"), pytest.raises(AssertionError, match="differ"):
        assert_bits(kernels.elementwise("exp", floats(bits)), floats(expected))
