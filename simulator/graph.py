"""The graph: what a captured NumPy function computes, operation by operation, with shapes and types.

A graph is a list of immutable nodes in topological order. An edge is the index of a node, so a graph can
be compared, hashed and written down. Views (transpose, reshape, slice) are nodes; the compiler charges for
them. Host scalars (learning rate, step count, literals) are entries of a scalar table that is computed on
the host in Python floats every step and rounded once; a ``scalar`` node reads one entry.

``docs/arithmetic.md`` states the value of every operation to the bit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Element types of tensors. NumPy has no bfloat16: such a tensor is stored as the uint16 of its upper half.
ITEM_BYTES: Mapping[str, int] = {"float32": 4, "int32": 4, "bfloat16": 2, "int8": 1, "bool": 4}
STORAGE: Mapping[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "int32": np.dtype(np.int32),
    "bfloat16": np.dtype(np.uint16),
    "int8": np.dtype(np.int8),
    "bool": np.dtype(np.bool_),
}

# Element-by-element functions of the vector unit and how many operands each takes.
ELEMENTWISE: Mapping[str, int] = {
    "copy": 1,
    "negative": 1,
    "absolute": 1,
    "sign": 1,
    "sqrt": 1,
    "exp": 1,
    "log": 1,
    "tanh": 1,
    "add": 2,
    "subtract": 2,
    "multiply": 2,
    "divide": 2,
    "maximum": 2,
    "minimum": 2,
    "equal": 2,
    "not_equal": 2,
    "less": 2,
    "less_equal": 2,
    "logical_and": 2,
    "logical_or": 2,
    "logical_not": 1,
    "where": 3,
    "to_bfloat16": 1,
    "to_float32": 1,
    "to_int32": 1,
    "to_bool": 1,
}
REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min")
SOURCES = ("input", "constant", "scalar")
VIEWS = ("transpose", "reshape", "slice", "broadcast_to")
OTHER = ("matmul", "concatenate", "update")
OPS = frozenset((*ELEMENTWISE, *REDUCTIONS, *SOURCES, *VIEWS, *OTHER))


class Location(NamedTuple):
    """Where in the user's source an operation was written (column counts from 1, 0 where unknown)."""

    file: str
    line: int
    column: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Location("<unknown>", 0, 0, "")


@dataclass(frozen=True)
class Node:
    """One operation.

    ``attrs`` by op:
      input:      ``path`` (str)
      constant:   ``value`` (ndarray of the node's storage type)
      scalar:     ``index`` into ``Graph.scalars``
      matmul:     ``transpose_a``, ``transpose_b`` (bool): inputs are stored (m,k) and (k,n), or transposed
      reduce_*:   ``axes`` (sorted tuple of non-negative ints), ``keepdims`` (bool)
      transpose:  ``axes`` (permutation)
      slice:      ``key``: per input axis, (start, stop, step) with step >= 1, normalised
      update:     ``key`` as for slice: the second input written into that region of the first
      concatenate: ``axis``
    A reshape keeps C order; broadcast_to follows NumPy; both are described by ``shape`` alone.
    """

    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    dtype: str
    attrs: Mapping[str, Any] = field(default_factory=dict)
    where: Location = NOWHERE

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def key(self) -> tuple[Any, ...]:
        """What the node computes, without where it was written: equal keys are the same value."""
        attrs = tuple(
            (name, value.tobytes() if isinstance(value, np.ndarray) else value)
            for name, value in sorted(self.attrs.items())
        )
        return (self.op, self.inputs, self.shape, self.dtype, attrs)


@dataclass(frozen=True)
class HostScalar:
    """An expression over run-time numbers, evaluated by the host in Python floats at every step.

    ``op`` is ``const`` (args: the number), ``arg`` (args: the path of a number among the step's arguments),
    or a function of ``HOST_FUNCTIONS`` whose args are HostScalars.
    """

    op: str
    args: tuple[Any, ...]

    def evaluate(self, arguments: Mapping[str, float | int]) -> float | int:
        """The Python number for the given arguments."""
        number: float | int
        if self.op == "const":
            number = self.args[0]
        elif self.op == "arg":
            number = arguments[self.args[0]]
        else:
            number = _HOST_FUNCTIONS[self.op](*(arg.evaluate(arguments) for arg in self.args))
        return number


def _host_power(base: float | int, exponent: float | int) -> float | int:
    power: float | int = base**exponent
    return power


_HOST_FUNCTIONS: Mapping[str, Any] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "power": _host_power,
    "negative": lambda a: -a,
    "absolute": abs,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "maximum": max,
    "minimum": min,
}
HOST_FUNCTIONS = frozenset(_HOST_FUNCTIONS)


@dataclass(frozen=True)
class ScalarEntry:
    """One entry of the scalar table: a host expression and the type that it is rounded to, once."""

    expression: HostScalar
    dtype: str  # float32 or int32


@dataclass(frozen=True)
class Graph:
    """A captured function.

    ``inputs`` maps an argument's path to its node; ``outputs`` a result's path to its node. ``carried`` maps
    an output path to the input path whose place it takes in the next step (parameters and state).
    ``resident`` are the paths that live in the machine's own memory between steps (carried ones, and the
    parameters that ``predict`` only reads); all other inputs come, and outputs go, over the host link at
    every step.
    """

    nodes: tuple[Node, ...]
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    scalars: tuple[ScalarEntry, ...] = ()
    carried: Mapping[str, str] = field(default_factory=dict)
    resident: frozenset[str] = frozenset()
    name: str = "step"

    def scalar_table(self, arguments: Mapping[str, float | int]) -> list[Array]:
        """The scalar table of one step: each expression evaluated in Python floats and rounded once."""
        with np.errstate(over="ignore"):
            return [
                np.asarray(entry.expression.evaluate(arguments), dtype=STORAGE[entry.dtype])
                for entry in self.scalars
            ]

    def uses(self) -> list[list[int]]:
        """For every node the nodes that read it."""
        users: list[list[int]] = [[] for _ in self.nodes]
        for index, node in enumerate(self.nodes):
            for source in dict.fromkeys(node.inputs):
                users[source].append(index)
        return users

    def fingerprint(self) -> str:
        """A hash of what is computed (not of where it was written)."""
        digest = hashlib.sha256()
        for node in self.nodes:
            digest.update(repr(node.key()).encode())
        for mapping in (self.inputs, self.outputs, self.carried):
            digest.update(repr(sorted(mapping.items())).encode())
        digest.update(repr([(e.expression, e.dtype) for e in self.scalars]).encode())
        digest.update(repr(sorted(self.resident)).encode())
        return digest.hexdigest()

    def matmuls(self) -> list[int]:
        """The nodes that are matrix multiplications, in order."""
        return [index for index, node in enumerate(self.nodes) if node.op == "matmul"]

    def matmul_mkn(self, index: int) -> tuple[int, int, int]:
        """``(m, k, n)`` of a matmul node."""
        node = self.nodes[index]
        a = self.nodes[node.inputs[0]].shape
        k = a[0] if node.attrs["transpose_a"] else a[1]
        return node.shape[0], k, node.shape[1]
