"""What a function returned, and whether it returned all that it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from simulator.capture.arrays import TracedArray
from simulator.capture.captured import ArgumentLeaf
from simulator.capture.hostscalar import HostNumber
from simulator.capture.location import message
from simulator.capture.operands import constant, machine_type
from simulator.capture.recorder import Recorder
from simulator.capture.standin import StandIn
from simulator.capture.trees import Leaf, containers, join, kind_of, python_number, rebuild
from simulator.errors import CaptureError
from simulator.graph import HostScalar, Location

_TREES = "use dicts, lists, tuples and NamedTuples of arrays and numbers"


class Outcome:
    """The results of one run by path."""

    def __init__(self, recorder: Recorder, place: Location) -> None:
        self.outputs: dict[str, int] = {}
        self.numbers: dict[str, HostScalar] = {}
        self.kinds: dict[str, ArgumentLeaf] = {}
        self.carried: dict[str, str] = {}
        self.result: Any = None
        self._containers: dict[str, list[tuple[str, str]]] = {}
        self._recorder = recorder
        self._place = place

    def fail(self, what: str, hint: str = "", place: Location | None = None) -> NoReturn:
        """Raises CaptureError at the function's definition, or at a given place."""
        raise CaptureError(message([place or self._place], what, hint))

    def collect(self, result: Any, carried: tuple[str, ...]) -> None:
        """Takes the function's result apart; its first elements have the paths `carried`."""
        whole = len(carried) == 1 and (type(result) is not tuple or not result)
        if whole:
            self.result = self._part(carried[0], result)
            return
        if carried and (not isinstance(result, tuple) or len(result) < len(carried)):
            names = ", ".join(carried)
            self.fail(
                f"the function must return a tuple that starts with the new values of {names}",
                "or say with carry= which arguments its first results replace",
            )
        if not isinstance(result, tuple):
            self.result = self._part("out", result)
            return
        fields = getattr(result, "_fields", range(len(result)))
        roots = [*carried, *(join("out", field) for field in fields[len(carried) :])]
        parts = [self._part(root, part) for root, part in zip(roots, result, strict=True)]
        self.result = type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)

    def _part(self, root: str, result: Any) -> Any:
        self._containers[root] = list(containers(result, root))
        return rebuild(result, root, self._leaf)

    def _leaf(self, path: str, value: Any) -> Leaf:
        if path in self.kinds:
            self.fail(f"two results have the path '{path}'", "rename a key or an argument")
        kind: str | None
        if isinstance(value, HostNumber):
            number = value.operand().number
            assert number is not None
            kind, self.numbers[path] = "number", number
            described = ArgumentLeaf(kind, (), value.kind.__name__)
        elif isinstance(value, TracedArray) or kind_of(value) == "array":
            kind, self.outputs[path] = "array", self._node(path, value)
            node = self._recorder.nodes[self.outputs[path]]
            described = ArgumentLeaf(kind, node.shape, node.dtype)
        elif (kind := kind_of(value)) == "number":
            self.numbers[path] = constant(python_number(value))
            described = ArgumentLeaf(kind, (), type(python_number(value)).__name__)
        elif kind == "static":
            described = ArgumentLeaf(kind, value=value)
        else:
            self.fail(f"result '{path}' is a {type(value).__name__}", _TREES)
        self.kinds[path] = described
        return Leaf(described.kind, path, described.value)

    def _node(self, path: str, value: Any) -> int:
        if 0 in value.shape:
            self.fail(f"result '{path}' of shape {value.shape} has no elements")
        if isinstance(value, TracedArray):
            return value.read()
        array = np.asarray(value)
        machine_type(array.dtype, f"result '{path}'")
        return self._recorder.constant(array)

    def check_carried(self, name: str, argument: Any, given: Mapping[str, ArgumentLeaf]) -> None:
        """Refuses a new value that does not have the structure, shapes and types of the old one.

        Lists and tuples count as one kind of container.
        """
        old, new = _below(name, given), _below(name, self.kinds)
        for path, leaf in old.items():
            if path not in new:
                self.fail(f"the result has no '{path}', which the argument '{name}' has")
            if not leaf.admits(new[path]):
                self.fail(f"'{path}' was {leaf} and the function makes it {new[path]}")
        self.carried |= {path: path for path in new if path in self.outputs}
        for path in new:
            if path not in old:
                self.fail(f"the result has '{path}', which the argument '{name}' does not have")
        kinds = dict(containers(argument, name))
        for path, kind in self._containers[name]:
            if kinds.get(path, kind) != kind:
                self.fail(f"'{path}' was a {kinds[path]} and the function makes it a {kind}")

    def check_changes(
        self, before: Mapping[str, Any], nodes: Mapping[str, int], after: Any
    ) -> None:
        """Refuses an argument that the function changed but did not return.

        `before` are the stand-ins by path, `nodes` their first values, `after` the leaves that
        the arguments' containers hold now.
        """
        returned = set(self.outputs.values())
        for path, stand in before.items():
            if isinstance(stand, TracedArray) and stand.written:
                node = stand.operand().node
                if node != nodes[path] and node not in returned:
                    what = f"argument '{path}' is changed in place here but not returned"
                    self.fail(what, place=stand.written)
        expressions = {repr(number) for number in self.numbers.values()}
        for path, stand in after:
            if before.get(path, stand) is stand or not isinstance(stand, StandIn):
                continue
            given = stand.operand()
            if given.node not in returned and repr(given.number) not in expressions:
                what = f"'{path}' of an argument's container is replaced but not returned"
                self.fail(what, "return it, or work on a copy")


def _below(name: str, all_leaves: Mapping[str, ArgumentLeaf]) -> dict[str, ArgumentLeaf]:
    return {
        path: leaf
        for path, leaf in all_leaves.items()
        if path == name or path.startswith(name + ".")
    }
