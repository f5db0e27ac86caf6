"""One line for each way in which a machine description can be wrong: place, field, value, what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from simulator.machines.fields import RATE_ALLOWED


def printable(text: str) -> str:
    """Text on one line, control and non-ASCII characters escaped."""
    return text.encode("unicode_escape").decode("ascii")


def shown(value: Any) -> str:
    """A value as a machine file writes it, on one line, cut at 60 characters."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = f'"{printable(value)}"'
    elif isinstance(value, dict):
        text = "a table"
    elif isinstance(value, list):
        text = "an array"
    else:
        try:
            text = printable(str(value))
        except ValueError:  # an integer beyond Python's limit of digits
            text = "an integer of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean "x"?`` or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The schema of a field that is a table."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def allowed(field: FieldInfo) -> str:
    """What a field accepts, read from its type and its limits."""
    kind = field.annotation
    table = table_of(field)
    if table is not None:
        return f"a table with {', '.join(table.model_fields)} is needed"
    if kind is Fraction:
        return RATE_ALLOWED
    if get_origin(kind) is Literal:
        *others, last = [shown(choice) for choice in get_args(kind)]
        return f"{', '.join(others)} or {last} is allowed" if others else f"{last} is allowed"
    if kind is bool:
        return "true or false is allowed"
    if kind in (int, float):
        return f"{'an integer' if kind is int else 'a number'}{_limits(field)} is allowed"
    return "a text is needed"


def unknown(path: Sequence[str], schema: type[BaseModel]) -> str:
    """The sentence for a table or field that the schema does not have."""
    known = list(_owner(schema, path[:-1]).model_fields)
    what = "unknown field" if len(path) > 1 else "unknown table"
    return f"{'.'.join(path)}: {what}{did_you_mean(path[-1], known)} (known: {', '.join(known)})"


def one_line(
    error: ValidationError, schema: type[BaseModel], place: Mapping[str, str], default_place: str
) -> str:
    """The first error of a validation as one line, ``(and N more)`` behind it.

    ``place`` maps "unit.field" to the file or option that set it. Unknown fields come first: a misspelt
    field is missing under its right name, too.
    """
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    path = [printable(str(part)) for part in errors[0]["loc"]]
    if path:
        where = place.get(".".join(path), place.get(path[0], default_place))
        sentence = _sentence(errors[0]["type"], path, errors[0]["input"], schema)
    else:  # a check over several fields brings its own sentence, "unit.field = value: ..."
        sentence = str(errors[0]["ctx"]["error"])
        where = place.get(sentence.split(" = ")[0], default_place)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{where}: {sentence}{more}"


def _sentence(kind: str, path: Sequence[str], value: Any, schema: type[BaseModel]) -> str:
    name = ".".join(path)
    field = _owner(schema, path[:-1]).model_fields.get(path[-1])
    if kind == "extra_forbidden" or field is None:
        return unknown(path, schema)
    if kind != "missing":
        return f"{name} = {shown(value)}: {allowed(field)}"
    return f"{f'table [{name}]' if table_of(field) else name} is missing: {allowed(field)}"


def _owner(schema: type[BaseModel], path: Sequence[str]) -> type[BaseModel]:
    """The table that a field belongs to."""
    for part in path:
        field = schema.model_fields.get(part)
        schema = (table_of(field) if field else None) or schema
    return schema


def _limits(field: FieldInfo) -> str:
    integer = field.annotation is int
    low = high = ""
    for limit in field.metadata:
        if isinstance(limit, annotated_types.Ge):
            low = f"at least {limit.ge}"
        elif isinstance(limit, annotated_types.Gt):
            low = f"above {limit.gt}"
        elif isinstance(limit, annotated_types.Le):
            high = f"at most {limit.le}"
        elif isinstance(limit, annotated_types.Lt):
            high = f"at most {limit.lt - 1}" if integer else f"below {limit.lt}"  # type: ignore[operator]
    if low.startswith("at least ") and high.startswith("at most "):
        return f" from {low.removeprefix('at least ')} to {high.removeprefix('at most ')}"
    both = " and ".join(limit for limit in (low, high) if limit)
    return f" {both}" if both else ""
