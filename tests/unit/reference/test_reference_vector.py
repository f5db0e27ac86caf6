"""The vector unit, the table unit and reductions against exact rational arithmetic."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import simulator
from simulator.errors import CaptureError
from simulator.reference import emulate

from .exact import NAN_BITS, bits, exact, floats, hard_floats, rounded

TABLES = np.load(Path(simulator.__file__).parent / "numerics" / "tables.npz")
SPECIAL = floats(
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x00800000, 0x3F800000,
    0xBF800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000, 0x7FC12345, 0xFFC00000, 0x7F800001,
)  # fmt: skip


def run(function: Callable[..., Any], *arguments: Any) -> Any:
    return emulate(function, arguments, rows=4, dataflow="ws")


@pytest.mark.parametrize(
    ("function", "value"),
    [
        (np.add, lambda a, b: a + b),
        (np.subtract, lambda a, b: a - b),
        (np.multiply, lambda a, b: a * b),
        (np.divide, lambda a, b: a / b),
        (np.square, lambda a, b: a * a),
        (np.reciprocal, lambda a, b: 1 / a),
        (np.negative, lambda a, b: -a),
        (np.absolute, lambda a, b: abs(a)),
        (np.sign, lambda a, b: (a > 0) - (a < 0)),
        (np.maximum, max),
        (np.minimum, min),
    ],
)
@pytest.mark.parametrize("spread", [2, 60, 120])
def test_arithmetic_rounds_once(function: Any, value: Any, spread: int) -> None:
    rng = np.random.default_rng(spread)
    a, b = hard_floats(rng, (300,), spread), hard_floats(rng, (300,), spread)
    a, b = np.where(a == 0, np.float32(3), a), np.where(b == 0, np.float32(-7), b)
    result = run(function, a, b) if function.nin == 2 else run(function, a)
    expected = [rounded(Fraction(value(exact(x), exact(y)))) for x, y in zip(a, b, strict=True)]
    assert bits(np.abs(result)) == bits(np.abs(np.array(expected)))
    nonzero = result != 0
    assert (np.sign(result) == np.sign(expected))[nonzero].all()


def test_sqrt_rounds_once() -> None:
    x = np.abs(hard_floats(np.random.default_rng(0), (200,), 120))
    for value, root in zip(x, run(np.sqrt, x), strict=True):
        ulp = exact(np.nextafter(root, np.float32(np.inf))) - exact(root)
        low, high = max(exact(root) - ulp / 2, Fraction(0)), exact(root) + ulp / 2
        assert low**2 <= exact(value) <= high**2


def test_special_values_of_arithmetic() -> None:
    a, b = SPECIAL[:, None], SPECIAL[None, :]
    with np.errstate(all="ignore"):
        for function in (np.add, np.subtract, np.multiply, np.divide):
            expected = function(a, b)
            expected[np.isnan(expected)] = floats(NAN_BITS)[0]
            assert bits(run(function, a, b)) == bits(expected)


def test_unary_special_values() -> None:
    x = floats(0x00000000, 0x80000000, 0xFF800000, 0xFFC00001)
    minus_zero, one = 0x80000000, 0x3F800000
    assert bits(run(np.sqrt, x)) == [0, minus_zero, NAN_BITS, NAN_BITS]
    assert bits(run(np.negative, x)) == [minus_zero, 0, 0x7F800000, NAN_BITS]
    assert bits(run(np.absolute, x)) == [0, 0, 0x7F800000, NAN_BITS]
    assert bits(run(np.sign, x)) == [0, 0, one | minus_zero, NAN_BITS]
    assert bits(run(lambda x: x**-1, x)) == [0x7F800000, 0xFF800000, minus_zero, NAN_BITS]
    assert bits(run(lambda x: x**0.5, x)) == [0, minus_zero, NAN_BITS, NAN_BITS]
    assert bits(run(lambda x: x**2, x)) == [0, 0, 0x7F800000, NAN_BITS]
    assert bits(run(lambda x: x**1, x)) == [0, minus_zero, 0xFF800000, NAN_BITS]
    assert bits(run(lambda x: x.copy(), x)) == [0, minus_zero, 0xFF800000, NAN_BITS]


def test_maximum_and_minimum_of_zeros_and_nans() -> None:
    a = floats(0, 0x80000000, 0, 0x80000000, 0xFFC00001, 0x3F800000)
    b = floats(0x80000000, 0, 0, 0x80000000, 0x3F800000, 0x7F812345)
    assert bits(run(np.maximum, a, b)) == [0, 0, 0, 0x80000000, NAN_BITS, NAN_BITS]
    assert bits(run(np.minimum, a, b)) == [0x80000000] * 2 + [0, 0x80000000, NAN_BITS, NAN_BITS]
    assert bits(run(lambda x: np.maximum(x, 0.0), b)) == [0, 0, 0, 0, 0x3F800000, NAN_BITS]
    assert bits(run(lambda x: np.clip(x, -0.0, 0.0), a)) == [0, 0x80000000] * 2 + [NAN_BITS, 0]


def test_comparisons_with_nan() -> None:
    a, b = floats(0, 0x7FC00000, 0x3F800000), floats(0x80000000, 0x7FC00000, 0x7FC00000)
    for function in (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal):
        assert (run(function, a, b) == function(a, b)).all()


def test_conversions() -> None:
    x = floats(0x3FF33333, 0xBFF33333, 0x7FC00000, 0x7F800000, 0xCF800000, 0x4F000000, 0x80000000)
    integers = run(lambda x: x.astype(np.int32), x)
    assert integers.dtype == np.int32
    assert integers.tolist() == [1, -1, 0, 2**31 - 1, -(2**31), 2**31 - 1, 0]
    assert run(lambda x: x.astype(np.bool_), x).tolist() == [True] * 6 + [False]
    wide = np.array([2**24 + 1, 2**24 + 3, -(2**31)], np.int32)
    assert run(lambda x: x.astype(np.float32), wide).tolist() == [2**24, 2**24 + 4, -(2.0**31)]


def test_int32_wraps() -> None:
    x = np.array([2**31 - 1, -(2**31), 5], np.int32)
    assert run(lambda x: x + 1, x).tolist() == [-(2**31), -(2**31) + 1, 6]
    assert run(lambda x: x - 1, x).tolist() == [2**31 - 2, 2**31 - 1, 4]
    assert run(lambda x: -x, x).tolist() == [-(2**31) + 1, -(2**31), -5]
    assert run(np.absolute, x).tolist() == [2**31 - 1, -(2**31), 5]
    assert run(lambda x: np.sum(x[:2], dtype=np.int32) + x[0], x).item() == 2**31 - 2


def _exp(x: np.float32) -> np.float32:
    def f(text: str) -> np.float32:
        return np.float32(float.fromhex(text))

    n = np.float32(round(exact(mul(x, f("0x1.715476p+6")))))
    k, j = divmod(int(n), 64)
    r = sub(sub(x, mul(n, f("0x1.628p-7"))), mul(n, f("0x1.90bfbep-17")))
    p = add(r, mul(mul(r, r), add(np.float32(0.5), mul(r, f("0x1.555556p-3")))))
    t = TABLES["exp_t"][j]
    y = exact(add(t, mul(t, p)))
    return rounded(y * Fraction(2) ** k)


def _log(x: np.float32) -> np.float32:
    significand, exponent = math.frexp(float(x))
    m, e = Fraction(significand) * 2, exponent - 1
    if m >= Fraction(3, 2):
        m, e = m / 2, e + 1
    j = round(m * 128)
    r = mul(np.float32(m - Fraction(j, 128)), TABLES["log_r"][j - 96])
    third, scale = np.float32(float.fromhex("0x1.555556p-2")), np.float32(e)
    p = add(r, mul(mul(r, r), sub(mul(r, third), np.float32(0.5))))
    high = mul(scale, np.float32(float.fromhex("0x1.62e4p-1")))
    low = mul(scale, np.float32(float.fromhex("0x1.7f7d1cp-20")))
    return add(add(high, TABLES["log_l"][j - 96]), add(low, p))


def _tanh(x: np.float32) -> np.float32:
    a = exact(abs(x))
    j = round(a * 32)
    d, t, s = np.float32(a - Fraction(j, 32)), TABLES["tanh_t"][j], TABLES["tanh_s"][j]
    third = np.float32(float.fromhex("0x1.555556p-2"))
    u = add(t, mul(d, sub(third, mul(t, t))))
    return np.float32(np.copysign(add(t, mul(s, sub(d, mul(mul(d, d), u)))), x))


def mul(a: np.float32, b: np.float32) -> np.float32:
    return rounded(exact(a) * exact(b))


def add(a: np.float32, b: np.float32) -> np.float32:
    return rounded(exact(a) + exact(b))


def sub(a: np.float32, b: np.float32) -> np.float32:
    return rounded(exact(a) - exact(b))


def samples(function: np.ufunc) -> NDArray[np.float32]:
    rng = np.random.default_rng(7)
    if function is np.exp:
        edges = [88.72283, -103.97208, 0.0, 1.0, -87.5, -95.0]
        return np.array([*rng.uniform(-103, 88, 300), *rng.normal(size=300), *edges], np.float32)
    if function is np.log:
        ends = floats(
            1,
            0x007FFFFF,
            0x00800000,
            0x7F7FFFFF,
            0x3F800000,
            0x3F7FFFFF,
            0x3FC00000,
            0x40400000,
            0x4B400000,
        )
        random = np.exp(rng.uniform(-100, 88, 300)).astype(np.float32)
        return np.array([*random, *rng.uniform(0.5, 2, 300), *ends], np.float32)
    return np.array(
        [*rng.uniform(-9.25, 9.25, 300), *rng.normal(size=300), 9.2499, 0.001], np.float32
    )


@pytest.mark.parametrize(("function", "steps"), [(np.exp, _exp), (np.log, _log), (np.tanh, _tanh)])
def test_table_functions_step_by_step(function: Any, steps: Any) -> None:
    x = samples(function)
    assert bits(run(function, x)) == bits([steps(value) for value in x])


@pytest.mark.parametrize(("function", "bound"), [(np.exp, 2), (np.log, 2), (np.tanh, 3)])
def test_table_functions_keep_the_stated_error(function: Any, bound: float) -> None:
    x = samples(function)
    x = np.concatenate([x * np.float32(1 - i / 64) for i in range(40)])
    x = x[x != 0]
    true = function(x.astype(np.float64))
    ulp = np.spacing(np.abs(true).astype(np.float32)).astype(np.float64)
    assert (np.abs(run(function, x) - true) <= (bound + 0.01) * ulp).all()


def test_table_functions_special_values() -> None:
    infinity, one, minus = 0x7F800000, 0x3F800000, 0x80000000
    x = floats(0, minus, infinity, infinity | minus, 0xFFC00001, 0x42B17218, 0x42B17217)
    assert bits(run(np.exp, x))[:6] == [one, one, infinity, 0, NAN_BITS, infinity]
    assert bits(run(np.log, x))[:5] == [infinity | minus] * 2 + [infinity, NAN_BITS, NAN_BITS]
    assert bits(run(np.tanh, x))[:5] == [0, minus, one, one | minus, NAN_BITS]
    x = floats(0xBF800000, 0x80000001, 0xC2CFF1B5, 0xC2CFF1B4, 0x397FFFFF, 0xC1140000)
    assert bits(run(np.log, x))[:2] == [NAN_BITS, NAN_BITS]
    assert bits(run(np.exp, x))[2:4] == [0, 1]
    assert bits(run(np.tanh, x))[4:] == [0x397FFFFF, one | minus]
    assert run(np.tanh, np.array([9.25, 9.28, -20, 3e38], np.float32)).tolist() == [1, 1, -1, 1]


def test_sums_run_in_order_from_the_first_element() -> None:
    x = hard_floats(np.random.default_rng(5), (4, 5, 6), 12)

    def fold(values: Any) -> np.float32:
        total = values[0]
        for value in values[1:]:
            total = add(total, value)
        return np.float32(total)

    last = [fold(x[i, j]) for i in range(4) for j in range(5)]
    assert bits(run(lambda x: x.sum(-1), x)) == bits(last)
    first = np.array([[fold(x[:, j, k]) for k in range(6)] for j in range(5)])
    middle = np.array([fold(first[:, k]) for k in range(6)])
    assert bits(run(lambda x: np.sum(x, axis=(1, 0)), x)) == bits(middle)
    everything = fold(middle)
    for function in (np.sum, lambda x: x.sum(keepdims=True), lambda x: np.add.reduce(x, axis=None)):
        assert bits(run(function, x)) == bits([everything])
    assert bits(run(np.mean, x)) == bits([rounded(exact(everything) / 120)])
    assert bits(run(lambda x: x.mean((0, -2)), x)) == bits([rounded(exact(v) / 20) for v in middle])


def test_reductions_of_special_values() -> None:
    zeros = floats(0x80000000, 0, 0x80000000)
    assert bits(run(np.sum, zeros[:1])) == [0x80000000]
    assert bits(run(np.sum, zeros[::2])) == [0x80000000]
    assert bits(run(np.sum, zeros)) == [0]
    assert bits(run(np.max, zeros)) == [0]
    assert bits(run(np.min, zeros)) == [0x80000000]
    assert bits(run(np.max, SPECIAL)) == bits(run(np.sum, SPECIAL)) == [NAN_BITS]
    assert bits(run(lambda x: x.min(axis=0), SPECIAL[:12])) == [0xFF800000]
    with pytest.raises(CaptureError, match="no elements"):
        run(np.max, np.zeros(0, np.float32))
