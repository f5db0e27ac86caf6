"""Learning-rate schedules and their text form."""

import math

import pytest

from workloads.schedules import Constant, Cosine, Exponential, Step, Warmup, parse


def test_constant_never_changes():
    assert {parse("constant", 0.3)(step) for step in (0, 1, 10**6)} == {0.3}


def test_step_falls_by_its_factor_at_each_multiple():
    schedule = parse("step:every=10,factor=0.5", 0.8)
    assert [schedule(s) for s in (0, 9, 10, 19, 20)] == [0.8, 0.8, 0.4, 0.4, 0.2]


def test_exponential_falls_by_its_rate_over_every():
    schedule = parse("exponential:every=10,rate=0.25", 1.0)
    assert [schedule(s) for s in (0, 5, 10, 20)] == pytest.approx([1, 0.5, 0.25, 0.0625])


def test_cosine_goes_from_base_to_final_and_stays():
    schedule = parse("cosine:total=100,final=0.1", 2.0)
    assert [schedule(s) for s in (0, 50, 100, 500)] == pytest.approx([2.0, 1.1, 0.2, 0.2])
    assert schedule(25) == pytest.approx(0.2 + 1.8 * (0.5 + 0.5 * math.sqrt(0.5)))


@pytest.mark.parametrize("name", ["constant", "step:every=7", "exponential:every=7"])
def test_warm_up_rises_in_equal_steps_before_any(name):
    plain = parse(name, 0.4)
    warm = parse(name + (",warmup=4" if ":" in name else ":warmup=4"), 0.4)
    assert [warm(s) for s in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert [warm(s + 4) for s in range(30)] == [plain(s) for s in range(30)]


def test_the_total_of_cosine_counts_the_warm_up():
    schedule = parse("cosine:total=1000,final=0.1,warmup=50", 1.0)
    assert schedule == Warmup(50, Cosine(1.0, 950, 0.1))
    assert schedule(1000) == pytest.approx(0.1)


def test_a_known_length_gives_the_defaults():
    assert parse("cosine:warmup=10", 1.0, 100) == Warmup(10, Cosine(1.0, 90))
    assert parse("exponential", 1.0, 100) == Exponential(1.0, 100, 0.1)
    assert parse("step", 1.0, 100) == Step(1.0, 34, 0.1)
    assert parse("constant", 1.0, 100) == Constant(1.0)
    assert parse("cosine", 1.0, 0)(0) == 1.0


def test_rates_are_python_floats():
    for text in ("constant", "step", "exponential", "cosine", "cosine:warmup=3"):
        assert {type(parse(text, 0.1, 20)(step)) for step in range(25)} == {float}


@pytest.mark.parametrize(
    "text, message",
    [
        ("linear", "unknown schedule 'linear': choose constant, step, exponential, cosine"),
        ("", "unknown schedule ''"),
        ("cosine", "needs total=STEPS"),
        ("step", "needs every=STEPS"),
        ("cosine:totl=3", "'totl=3' is none of total=NUMBER, final=NUMBER, warmup=NUMBER"),
        ("cosine:total", "'total' is none of"),
        ("cosine:total=10,total=20", "'total' is given twice"),
        ("cosine:total=1e3", "total=1e3 is not a whole number"),
        ("cosine:total=10,final=x", "final=x is not a number"),
        ("cosine:total=10,final=nan", "final=nan is not finite"),
        ("cosine:total=10,final=1.5", "final=1.5 must be between 0 and 1"),
        ("cosine:total=10,warmup=10", "total must leave 1 step or more after the warm-up"),
        ("step:every=0", "every must leave 1 step"),
        ("step:every=3,factor=-1", "factor=-1.0 must be between"),
        ("constant:warmup=-1", "warmup=-1 must be 0 or more"),
    ],
)
def test_a_wrong_text_is_one_clear_line(text, message):
    with pytest.raises(ValueError, match=message) as error:
        parse(text, 0.1)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("base_lr", [-0.1, math.nan, math.inf])
def test_a_wrong_rate_is_an_error(base_lr):
    with pytest.raises(ValueError, match="learning rate"):
        parse("constant", base_lr)
