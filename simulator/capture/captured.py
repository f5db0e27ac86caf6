"""A captured function: its graph, and how arguments and results map to the graph's paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from simulator.capture.aliases import shared_memory, shared_message
from simulator.capture.layout import Layout
from simulator.capture.trees import Leaf, kind_of, leaves, python_number, rebuild
from simulator.errors import CaptureError
from simulator.graph import Array, Graph, HostScalar


class ArgumentLeaf(NamedTuple):
    """What a captured function was given at a path."""

    kind: str  # array, number or static
    shape: tuple[int, ...] = ()
    dtype: str = ""  # of an array; int or float for a number
    value: Any = None  # of a static leaf

    def admits(self, other: ArgumentLeaf) -> bool:
        """Whether another leaf may stand here: a whole number does where any number does."""
        if self.kind == other.kind == "number":
            return self.dtype in (other.dtype, "float")
        if self.kind == other.kind == "static" and callable(self.value):
            return bool(self.value is other.value)
        return bool(self == other)

    def __str__(self) -> str:
        if self.kind == "array":
            return f"{self.dtype} {self.shape}"
        return f"a number ({self.dtype})" if self.kind == "number" else repr(self.value)


def describe_leaf(value: Any) -> ArgumentLeaf | None:
    """The shape and type of an argument's leaf; None for what a step cannot take."""
    kind = kind_of(value)
    if kind == "array":
        return ArgumentLeaf(kind, np.shape(value), str(value.dtype))
    if kind == "number":
        return ArgumentLeaf(kind, (), type(python_number(value)).__name__)
    return ArgumentLeaf(kind, value=value) if kind else None


@dataclass(frozen=True)
class Captured:
    """The graph of a function for one set of shapes and types.

    `numbers` are the results that the host computes: path -> expression.
    """

    graph: Graph
    names: tuple[str, ...]  # of the arguments
    arguments: Mapping[str, ArgumentLeaf]
    numbers: Mapping[str, HostScalar]
    result: Any  # the result's tree with a Leaf at every path
    written: frozenset[str] = frozenset()  # the arrays of arguments that are written in place
    _layouts: list[Layout] = field(default_factory=list, compare=False, repr=False)  # what fitted last

    def flatten_arguments(
        self, arguments: tuple[Any, ...]
    ) -> tuple[dict[str, Array], dict[str, float | int]]:
        """The arrays and the numbers of a step's arguments by path.

        Raises: CaptureError where they do not have the captured structure, shapes and types.
        """
        read = self._layouts[0].read(arguments) if self._layouts else None
        inputs, numbers = read or self._flatten(arguments)
        if self.written:
            for path, other in shared_memory(inputs).items():
                if path in self.written:
                    raise CaptureError(shared_message(path, other))
        if read is None:
            numbered = {path: want for path, want in self.arguments.items() if want.kind == "number"}
            kinds = {path: int if want.dtype == "int" else float for path, want in numbered.items()}
            self._layouts[:] = [Layout(arguments, self.names, kinds)]
        return inputs, numbers

    def _flatten(self, arguments: tuple[Any, ...]) -> tuple[dict[str, Array], dict[str, float | int]]:
        """Looks at every leaf."""
        if len(arguments) != len(self.names):
            raise CaptureError(f"{len(arguments)} arguments for {len(self.names)}: {self.names}")
        inputs: dict[str, Array] = {}
        numbers: dict[str, float | int] = {}
        for name, argument in zip(self.names, arguments, strict=True):
            for path, value in leaves(argument, name):
                want = self.arguments.get(path)
                if want is None:
                    raise CaptureError(f"argument '{path}' was not there at capture")
                _check(path, want, value)
                if want.kind == "array":
                    inputs[path] = np.asarray(value)
                elif want.kind == "number":
                    number = python_number(value)
                    numbers[path] = number if want.dtype == "int" else float(number)
        for path, want in self.arguments.items():
            if want.kind == "array" and path not in inputs:
                raise CaptureError(f"argument '{path}', {want}, is missing")
            if want.kind == "number" and path not in numbers:
                raise CaptureError(f"argument '{path}', {want}, is missing")
        return inputs, numbers

    def unflatten_outputs(
        self, outputs: Mapping[str, Array], numbers: Mapping[str, float | int] | None = None
    ) -> Any:
        """What the function returns, in its own containers, from a step's outputs by path.

        `numbers` are the step's own, from `flatten_arguments`.
        """

        def value_of(_: str, leaf: Leaf) -> Any:
            if leaf.kind == "static":
                return leaf.value
            if leaf.kind == "number":
                return self.numbers[leaf.path].evaluate(numbers or {})
            if leaf.path not in outputs:
                raise CaptureError(f"output '{leaf.path}' is missing")
            return outputs[leaf.path]

        return rebuild(self.result, "", value_of)


def _check(path: str, want: ArgumentLeaf, value: Any) -> None:
    have = describe_leaf(value)
    if have is None or not want.admits(have):
        text = have or f"a {type(value).__name__}"
        raise CaptureError(f"argument '{path}' is {text}, but was {want} at capture")
