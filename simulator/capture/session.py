"""`capture`: runs a function twice on stand-ins and makes its graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from simulator.capture.aliases import shared_memory, shared_message
from simulator.capture.arrays import TracedArray
from simulator.capture.build import MACHINE_TYPES
from simulator.capture.captured import ArgumentLeaf, Captured, describe_leaf
from simulator.capture.hostscalar import HostNumber
from simulator.capture.location import definition, message
from simulator.capture.outcome import Outcome
from simulator.capture.recorder import Recorder
from simulator.capture.simplify import first_difference, live_graph
from simulator.capture.trees import contents, leaves, mutable_containers, rebuild
from simulator.errors import CaptureError
from simulator.graph import HostScalar, Location

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_RANDOM = "draw random numbers and count steps outside the function and pass them as arguments"


def capture(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    *,
    carry: Sequence[int] = (0, 1),
    resident: Sequence[int] | None = None,
    name: str = "step",
) -> Captured:
    """Captures a NumPy function for the shapes and types of example arguments.

    The first results are the new values of the arguments at the positions `carry`. The arrays of
    the arguments at the positions `resident` (those of `carry` unless given) live in the machine.

    Raises: CaptureError naming file, line and column for what the machine cannot do.
    """
    session = _Session(function, tuple(arguments), tuple(carry))
    kept = session.carry if resident is None else tuple(resident)
    session.check_positions("resident", kept)
    first, second = session.run(kept, name), session.run(kept, name)
    session.compare(first, second)
    return first


class _Session:
    """What both runs of a function share."""

    def __init__(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], carry: tuple[int, ...]
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.carry = carry
        self.place = definition(function)
        self.names = _argument_names(function, len(arguments))
        self.check_positions("carry", carry)
        self.leaves = self._describe()
        self.shared = self._shared()
        self.twins: dict[str, tuple[str, ...]] = {}
        for path, other in self._shared_containers().items():
            self.twins |= {path: (other,), other: (path,)}

    def fail(self, what: str, hint: str = "", place: Location | None = None) -> NoReturn:
        """Raises CaptureError at the function's definition, or at a given place."""
        raise CaptureError(message([place or self.place], what, hint))

    def check_positions(self, what: str, positions: tuple[int, ...]) -> None:
        """Refuses positions of arguments that are not there, or twice there."""
        for position in positions:
            if not 0 <= position < len(self.names) or positions.count(position) > 1:
                hint = f"pass {what}=() for a function that keeps nothing"
                self.fail(f"{what}={positions} of {len(self.names)} arguments", hint)

    def _describe(self) -> dict[str, ArgumentLeaf]:
        described: dict[str, ArgumentLeaf] = {}
        for name, argument in zip(self.names, self.arguments, strict=True):
            for path, value in leaves(argument, name):
                leaf = describe_leaf(value)
                if path in described:
                    self.fail(f"two arguments have the path '{path}'", "rename a key")
                if leaf is None:
                    what = f"argument '{path}' is a {type(value).__name__}"
                    hint = "use dicts, lists, tuples and NamedTuples of arrays and numbers"
                    self.fail(what, hint)
                if leaf.kind == "array":
                    self._check_array(path, leaf)
                described[path] = leaf
        return described

    def _shared(self) -> dict[str, str]:
        """The arrays among the arguments that share memory: path -> a path of another."""
        return shared_memory(
            {
                path: value
                for path, value in self._leaves(self.arguments)
                if isinstance(value, np.ndarray)
            }
        )

    def _shared_containers(self) -> dict[str, str]:
        """The dicts and lists that stand at two paths of the arguments: the later -> the first."""
        first: dict[int, str] = {}
        found: dict[str, str] = {}
        for name, argument in zip(self.names, self.arguments, strict=True):
            for path, container in mutable_containers(argument, name):
                if first.setdefault(id(container), path) != path:
                    found[path] = first[id(container)]
        return found

    def _check_array(self, path: str, leaf: ArgumentLeaf) -> None:
        if leaf.dtype not in MACHINE_TYPES:
            wanted = "np.int32" if "int" in leaf.dtype else "np.float32"
            types = ", ".join(MACHINE_TYPES)
            what = f"argument '{path}' is {leaf.dtype}, but the machine has {types}"
            self.fail(what, f"pass it .astype({wanted})")
        if 0 in leaf.shape:
            self.fail(f"argument '{path}' of shape {leaf.shape} has no elements")

    def run(self, resident: tuple[int, ...], name: str) -> Captured:
        """Calls the function once on stand-ins."""
        recorder = Recorder(self.place)
        outcome = Outcome(recorder, self.place)
        nodes: dict[str, int] = {}

        def stand_in(path: str, value: Any) -> Any:
            leaf = self.leaves[path]
            if leaf.kind == "array":
                nodes[path] = recorder.input(path, leaf.shape, leaf.dtype, self.place)
                is_scalar = isinstance(value, np.generic)
                other = self.shared.get(path)
                twin = shared_message(path, other) if other else ""
                return TracedArray(recorder, nodes[path], is_scalar=is_scalar, twin=twin)
            if leaf.kind == "number":
                kind = int if leaf.dtype == "int" else float
                return HostNumber(recorder, HostScalar("arg", (path,)), kind)
            return value

        trees = tuple(
            rebuild(argument, path, stand_in)
            for path, argument in zip(self.names, self.arguments, strict=True)
        )
        before = dict(self._leaves(trees))
        changed = [
            (path, other, container, contents(container))
            for name, tree in zip(self.names, trees, strict=True)
            for path, container in mutable_containers(tree, name)
            for other in self.twins.get(path, ())
        ]

        def run_and_collect() -> None:
            result = self.function(*trees)
            recorder.settle()
            carried = tuple(self.names[position] for position in self.carry)
            outcome.collect(result, carried)
            for path, position in zip(carried, self.carry, strict=True):
                argument = self.arguments[position]
                outcome.check_carried(path, argument, self.leaves)
            outcome.check_changes(before, nodes, self._leaves(trees))
            for path, other, container, was in changed:
                if contents(container) != was:
                    what = f"the container '{path}' is changed, but it is the same as '{other}'"
                    self.fail(f"{what}, which Python would change too", "pass a copy of one")

        recorder.run(run_and_collect, ())
        return Captured(
            graph=live_graph(
                recorder,
                outcome.outputs,
                carried=outcome.carried,
                resident=frozenset(
                    path
                    for position in resident
                    for path, _ in leaves(self.arguments[position], self.names[position])
                    if path in nodes
                ),
                name=name,
            ),
            names=self.names,
            arguments=self.leaves,
            numbers=outcome.numbers,
            result=outcome.result,
            written=frozenset(
                path
                for path, stand in before.items()
                if isinstance(stand, TracedArray) and stand.written
            ),
        )

    def _leaves(self, trees: tuple[Any, ...]) -> list[tuple[str, Any]]:
        return [
            leaf
            for name, tree in zip(self.names, trees, strict=True)
            for leaf in leaves(tree, name)
        ]

    def compare(self, first: Captured, second: Captured) -> None:
        """Refuses a function that is not the same twice."""
        node = first_difference(first.graph, second.graph)
        if node is not None:
            what = f"the second capture differs from the first here ({node.op} {node.shape})"
            self.fail(what, _RANDOM, node.where)
        for path, number in second.numbers.items():
            if repr(first.numbers.get(path)) != repr(number):
                self.fail(f"the number '{path}' differs between two captures", _RANDOM)
        if first.graph.outputs != second.graph.outputs:
            self.fail("the function returns other results in a second capture", _RANDOM)


def _argument_names(function: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The names of positional arguments from the signature; argN where it has none."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    names = [parameter.name for parameter in parameters if parameter.kind in _POSITIONAL]
    return tuple(names[:count] + [f"arg{i}" for i in range(len(names), count)])
