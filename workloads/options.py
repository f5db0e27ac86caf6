"""Names and `key=value` texts from the command line, with errors of one line."""

import math
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def choose(what: str, name: str, table: Mapping[str, T], more: str = "") -> T:
    """The entry of `table` called `name`.

    Raises: ValueError naming every allowed choice.
    """
    if name not in table:
        raise ValueError(f"unknown {what} '{name}': choose {', '.join(table)}{more}")
    return table[name]


def parse(what: str, text: str, kinds: Mapping[str, type[int] | type[float]]) -> dict[str, float]:
    """Reads `key=number,key=number`; `kinds` maps each allowed key to int or float.

    Raises: ValueError for an unknown or repeated key and for what is not a finite number.
    """
    found: dict[str, float] = {}
    for item in filter(None, text.split(",")):
        key, equals, value = (part.strip() for part in item.partition("="))
        if key not in kinds or not equals:
            raise ValueError(f"{what}: '{item.strip()}' is none of {_allowed(kinds)}")
        if key in found:
            raise ValueError(f"{what}: '{key}' is given twice")
        found[key] = _number(what, key, value, kinds[key])
    return found


def _allowed(kinds: Mapping[str, type[int] | type[float]]) -> str:
    return ", ".join(f"{key}=NUMBER" for key in kinds) or "its options (it has none)"


def _number(what: str, key: str, value: str, kind: type[int] | type[float]) -> float:
    try:
        number = kind(value)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise ValueError(f"{what}: {key}={value} is not {wanted}") from None
    if not math.isfinite(number):
        raise ValueError(f"{what}: {key}={value} is not finite")
    return number
