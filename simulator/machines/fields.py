"""What machine descriptions are made of: numbers with their limits, and the base of all tables."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

RATE_ALLOWED = 'a positive number or a fraction such as "1000/7" is allowed'


def parse_rate(value: Any) -> Fraction:
    """A positive rational rate: an integer, a float with an exact meaning, or a text such as ``"1000/7"``.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Fraction):
        raise ValueError(RATE_ALLOWED)
    if isinstance(value, str) and len(value) > 40:  # "1e999999999" would be expanded digit by digit
        raise ValueError(RATE_ALLOWED)
    if isinstance(value, str) and "e" in value.lower():
        raise ValueError(RATE_ALLOWED)
    try:
        rate = Fraction(value) if not isinstance(value, float) else Fraction(str(value))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(RATE_ALLOWED) from None
    if rate <= 0 or rate.numerator >= 2**31 or rate.denominator >= 2**31:
        raise ValueError(RATE_ALLOWED)
    return rate


def _no_bool(value: Any) -> Any:
    """Python counts True as 1; a machine file must not."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("an integer is required")
    return value


Rate = Annotated[
    Fraction, BeforeValidator(parse_rate), PlainSerializer(lambda rate: str(rate), return_type=str)
]
Count = Annotated[int, Field(strict=True, ge=1, lt=2**40)]
Latency = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Stages = Annotated[int, Field(strict=True, ge=1, le=64)]
Flag = Annotated[bool, Field(strict=True)]
Megahertz = Annotated[float, Field(strict=True, gt=0, le=100_000, allow_inf_nan=False)]
Nanometres = Annotated[float, Field(strict=True, gt=0, le=1000, allow_inf_nan=False)]
Text = Annotated[str, Field(strict=True, max_length=200, pattern=r"^\P{Cc}+$")]  # one line
StrictChoice = BeforeValidator(_no_bool)  # in front of a Literal of integers


class Unit(BaseModel):
    """Base of all tables: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Technology(Unit):
    """What the energy table is read at."""

    process_nm: Annotated[Nanometres, Field(description="manufacturing process, as the foundry names it")]
