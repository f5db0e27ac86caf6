"""Random programs with aliases, views and writes in place equal NumPy, or are refused; never wrong.

A program is a list of statements over variables. A statement that NumPy refuses is left out, and
so is one that the capture refuses for its views, until what is left is captured and compared.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import Phase, event, example, given, settings
from hypothesis import strategies as st

from simulator.capture import capture
from simulator.errors import CaptureError
from tests.unit.capture.interpret import array, assert_same, run

Variables = dict[str, Any]
NAMES = tuple("abcdefgh")
ARGUMENTS: Variables = {"a": array(3, 3), "b": array(3, 3, seed=1), "c": array(3)}
KEYS: tuple[Any, ...] = (
    0,
    -1,
    slice(None),
    slice(1, None),
    slice(None, None, 2),
    Ellipsis,
    (slice(None), 1),
    (0, 1),
    (slice(None, 2), slice(1, None)),
    (None, 2),
    (Ellipsis, 0),
)
BINARY = (operator.add, operator.sub, operator.mul, operator.truediv, np.maximum, np.minimum)
IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv)
UFUNCS = (np.add, np.multiply, np.maximum)
UNARY = (np.negative, np.abs, np.sign, np.copy, np.square, lambda x: x * 2, lambda x: x > 0)
VIEWS = (
    lambda x: x.T,
    lambda x: x.reshape(-1),
    lambda x: x[:, None],
    lambda x: np.expand_dims(x, 0),
    lambda x: np.squeeze(x),
    lambda x: np.broadcast_to(x, (3, 3)),
    lambda x: np.atleast_2d(x),
    lambda x: x.astype(np.float32, copy=False),
)
REDUCE = (
    lambda x: x.max(),
    lambda x: x.sum(axis=0),
    lambda x: x.min(axis=-1, keepdims=True),
    lambda x: x.mean(axis=1),
    lambda x: np.sum(x[0]),
)


class Statement(NamedTuple):
    """`kind` of what is done to the variables x, y, z; `n` chooses a function or a key."""

    kind: str
    x: str
    y: str
    z: str
    n: int


def _augment_item(v: Variables, s: Statement) -> None:
    v[s.x][KEYS[s.n % len(KEYS)]] += v[s.y]


def _set_item(v: Variables, s: Statement) -> None:
    v[s.x][KEYS[s.n % len(KEYS)]] = v[s.y]


def _set_item_of_itself(v: Variables, s: Statement) -> None:
    v[s.x][KEYS[s.n % len(KEYS)]] = v[s.x][KEYS[s.n // 2 % len(KEYS)]]


def _set_mask(v: Variables, s: Statement) -> None:
    v[s.x][v[s.y] > 0] = 0.5


def _choose(functions: Any, s: Statement) -> Callable[..., Any]:
    chosen: Callable[..., Any] = functions[s.n % len(functions)]
    return chosen


def _in_place(v: Variables, s: Statement) -> None:
    v[s.x] = _choose(IN_PLACE, s)(v[s.x], v[s.y])


KINDS: dict[str, Callable[[Variables, Statement], Any]] = {
    "binary": lambda v, s: v.update({s.z: _choose(BINARY, s)(v[s.x], v[s.y])}),
    "literal": lambda v, s: v.update({s.z: _choose(BINARY, s)(v[s.x], 1.5)}),
    "unary": lambda v, s: v.update({s.z: _choose(UNARY, s)(v[s.x])}),
    "alias": lambda v, s: v.update({s.z: v[s.x]}),
    "item": lambda v, s: v.update({s.z: v[s.x][KEYS[s.n % len(KEYS)]]}),
    "view": lambda v, s: v.update({s.z: _choose(VIEWS, s)(v[s.x])}),
    "reduce": lambda v, s: v.update({s.z: _choose(REDUCE, s)(v[s.x])}),
    "where": lambda v, s: v.update({s.z: np.where(v[s.x] > 0, v[s.x], v[s.y])}),
    "stack": lambda v, s: v.update({s.z: np.stack([v[s.x], v[s.y]])[s.n % 2]}),
    "in place": _in_place,
    "in place literal": lambda v, s: v.update({s.x: _choose(IN_PLACE, s)(v[s.x], 1.25)}),
    "out": lambda v, s: _choose(UFUNCS, s)(v[s.x], v[s.y], out=v[s.z]),
    "set item": _set_item,
    "set item of itself": _set_item_of_itself,
    "augment item": _augment_item,
    "set mask": _set_mask,
    "fill": lambda v, s: v[s.x].fill(s.n),
    "delete": lambda v, s: v.pop(s.x) if s.x not in ARGUMENTS else None,
}
WRITES = ("in place", "in place literal", "out", "set item", "augment item", "set mask")
# Writes are drawn more often than the rest, and views are forgotten often.
_kinds = st.sampled_from([*KINDS, *WRITES, *WRITES, "delete", "delete"])
_any = st.integers(0, 7)
_statements = st.tuples(_kinds, _any, _any, _any, st.integers(0, 120))
programs = st.lists(_statements, min_size=10, max_size=40)


def named(program: list[tuple[str, int, int, int, int]]) -> list[Statement]:
    """Gives the statements variables that are there, as far as can be told."""
    statements: list[Statement] = []
    names = list(ARGUMENTS)
    for kind, x, y, z, n in program:
        target = NAMES[z] if kind != "out" else names[z % len(names)]
        statements.append(Statement(kind, names[x % len(names)], names[y % len(names)], target, n))
        names += [target] * (target not in names)
    return statements


def possible(program: list[Statement]) -> list[Statement]:
    """The statements that NumPy runs and that keep the arrays small and in the machine's types."""
    kept: list[Statement] = []
    variables = copy.deepcopy(ARGUMENTS)
    for statement in program:
        before = dict(variables)
        try:
            KINDS[statement.kind](variables, statement)
        except (KeyError, ValueError, TypeError, IndexError, AttributeError):
            continue
        if all(v.dtype in (np.float32, np.bool_) and 0 < v.size < 30 for v in variables.values()):
            kept.append(statement)
        else:
            variables = before
    return kept


def execute(program: list[Statement], position: list[int], *arguments: Any) -> Variables:
    """All variables after the program; `position` tells how far it came."""
    variables = dict(zip(ARGUMENTS, arguments, strict=True))
    originals = list(arguments)
    for index, statement in enumerate(program):
        position[:] = [index]
        KINDS[statement.kind](variables, statement)
    position[:] = [len(program) - 1]
    return {**variables, "originals": originals}


@settings(max_examples=150, deadline=None, phases=(Phase.explicit, Phase.generate, Phase.shrink))
@given(programs)
@example([("unary", 0, 0, 3, 6), ("unary", 3, 0, 4, 1), ("binary", 0, 4, 5, 0)])
def test_random_programs(program: list[tuple[str, int, int, int, int]]) -> None:
    with np.errstate(all="ignore"):
        kept, refusals = possible(named(program)), 0
        arguments = tuple(ARGUMENTS.values())
        while True:
            position = [0]
            expected = execute(kept, position, *copy.deepcopy(arguments))

            def function(
                a: Any, b: Any, c: Any, kept: Any = kept, position: list[int] = position
            ) -> Variables:
                return execute(kept, position, a, b, c)

            try:
                captured = capture(function, arguments, carry=())
            except CaptureError as error:
                # NumPy's np.float32(1).fill(2) does nothing and is refused too; np.abs of a bool is a bool.
                refused = ("view", "immutable", "no elements", "no absolute of bool")
                assert any(text in str(error) for text in refused), (error, kept)
                kept = possible(kept[: position[0]] + kept[position[0] + 1 :])
                refusals += 1
                continue
            break
        assert_same(expected, run(captured, arguments))
    event(f"{len(kept) // 5 * 5} or more statements")
    event(f"{sum(s.kind in WRITES for s in kept)} writes")
    event(f"{refusals} refused")
