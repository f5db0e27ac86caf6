"""What functions read: the node of an array, a number, or an array that is no part of the step.

A number takes the type of the arrays that it meets; it becomes an entry of the scalar table.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, NoReturn

import numpy as np

from simulator.capture import build
from simulator.capture.build import MACHINE_TYPES, Shape
from simulator.capture.recorder import Recorder, fail
from simulator.capture.standin import StandIn
from simulator.graph import Array, HostScalar

DType = np.dtype[Any]
ElementType = DType | type[int] | type[float]


class Operand(NamedTuple):
    """One of `node`, `number` and `array`; `dtype` is int or float for a Python number."""

    shape: Shape
    dtype: ElementType
    node: int | None = None
    number: HostScalar | None = None
    array: Array | None = None

    @property
    def constant(self) -> float | int | None:
        """The number, where it is the same at every step."""
        known = self.number is not None and self.number.op == "const"
        return self.number.args[0] if known and self.number else None

    def __str__(self) -> str:
        if isinstance(self.dtype, type):
            return "a Python number"
        return f"{self.dtype} {self.shape}" if self.shape else f"{self.dtype} scalar"


def constant(value: float | int) -> HostScalar:
    """A host scalar that is the same at every step."""
    return HostScalar("const", (value,))


def is_number(value: Any) -> bool:
    """Whether a value of the user's is a number that the host computes with.

    np.float64 counts as Python's float: what np.sqrt gives for a number is one. (NumPy itself
    would promote a float32 array that meets it.)
    """
    return isinstance(value, int | float | np.integer) and not isinstance(value, np.bool_)


def operand(value: Any) -> Operand:
    """What a function reads of an argument of the user's."""
    if isinstance(value, StandIn):
        return value.operand()
    if isinstance(value, bool):
        return Operand((), np.dtype(np.bool_), number=constant(int(value)))
    if isinstance(value, int):
        return Operand((), int, number=constant(value))
    if isinstance(value, float):
        return Operand((), float, number=constant(float(value)))
    if isinstance(value, np.generic) and value.dtype.kind in "bif":
        return Operand((), value.dtype, number=constant(_python(value)))
    if isinstance(value, list | tuple):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and not isinstance(value, np.matrix | np.ma.MaskedArray):
        return Operand(value.shape, value.dtype, array=value)
    fail(f"a value of type {type(value).__name__} cannot be computed with")


def _python(value: np.generic) -> float | int:
    number = value.item()
    return int(number) if isinstance(number, bool) else number


def place(recorder: Recorder, given: Operand, dtype: str) -> int:
    """The node of an operand, converted to a type of the machine."""
    if given.node is not None:
        return build.cast(recorder, given.node, dtype)
    if given.number is not None:
        if given.constant is None and dtype not in ("float32", "int32"):
            fail(f"a run-time number cannot become {dtype}")
        if given.constant is None or dtype == "float32":
            return recorder.scalar(given.number, dtype)
        value = _converted(given.constant, dtype)
        if dtype == "int32":
            return recorder.scalar(constant(int(value)), dtype)
        return recorder.constant(value)
    assert given.array is not None
    machine_type(given.array.dtype, f"an array of shape {given.shape}")
    return recorder.constant(given.array.astype(np.dtype(dtype)))


def _converted(number: float | int, dtype: str) -> Array:
    value = np.asarray(number).astype(np.dtype(dtype))
    if dtype != "bool" and int(number) != value:
        fail(f"{number} does not fit into {dtype}")
    return value


def node_of(recorder: Recorder, value: Any) -> int:
    """The node of an argument that is an array, in its own type."""
    given = operand(value)
    if isinstance(given.dtype, type):
        fail("a Python number is not an array here", "NumPy would make it a float64 or int64 array")
    return place(recorder, given, machine_type(given.dtype, str(given)))


@cache
def type_name(dtype: Any) -> str:
    """NumPy's name of a type; remembered, as NumPy takes microseconds to put it together."""
    return str(np.dtype(dtype))


def machine_type(dtype: Any, what: str, hint: str = "") -> str:
    """The name of a type if the machine has it."""
    name = type_name(dtype)
    if name not in MACHINE_TYPES:
        refuse_type(name, f"{what} is {name}", hint)
    return name


def refuse_type(name: str, what: str, hint: str = "") -> NoReturn:
    """Fails for a type that the machine does not have, with what to use instead."""
    if not hint and name.startswith("float"):
        hint = "make it float32 (dtype=np.float32 or .astype(np.float32))"
    elif not hint and name.startswith(("int", "uint")):
        hint = "make it int32 (dtype=np.int32 or .astype(np.int32)), or float32"
    fail(f"{what}, but the machine has {', '.join(MACHINE_TYPES)}", hint)
