"""NumPy's ufuncs on stand-ins: types by NumPy's own promotion, then operations of the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from simulator.capture import build
from simulator.capture.build import MACHINE_TYPES
from simulator.capture.hostscalar import HostNumber, host_ufunc
from simulator.capture.operands import (
    DType,
    ElementType,
    Operand,
    constant,
    is_number,
    operand,
    place,
    refuse_type,
    type_name,
)
from simulator.capture.recorder import Recorder, current, fail
from simulator.capture.results import call_options, deliver
from simulator.capture.standin import UFUNCS, UfuncHandler

Operands = Sequence[Operand]
# (ufunc, operands, types of NumPy's loop: inputs and result) -> node
Lowering = Callable[[Recorder, np.ufunc, Operands, tuple[DType, ...]], int]


def takes_numbers_only(inputs: tuple[Any, ...]) -> bool:
    """Whether a function of these is the host's work."""
    return all(isinstance(value, HostNumber) or is_number(value) for value in inputs)


@cache
def resolve(ufunc: np.ufunc, types: tuple[ElementType, ...], dtype: Any) -> tuple[DType, ...]:
    """The types of the loop that NumPy takes: of every input and the result."""
    if dtype is None:
        return ufunc.resolve_dtypes((*types, None))
    return ufunc.resolve_dtypes((*types, None), signature=(*(None for _ in types), np.dtype(dtype)))


def _handler(ufunc: np.ufunc, lowering: Lowering) -> UfuncHandler:
    def handle(inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out, dtype, casting = call_options(ufunc, kwargs)
        recorder = current()
        if takes_numbers_only(inputs):
            result = host_ufunc(ufunc, inputs)
            if out is None:
                return result
            return deliver(recorder, place(recorder, operand(result), str(out.dtype)), out, inputs)
        if ufunc in _INTS_OF_BOOLS and all(
            getattr(value, "compares_numbers", False) for value in inputs
        ):
            fail("Python makes an int of comparisons of numbers here", "use np.logical_not, & and |")
        operands = [operand(value) for value in inputs]
        loop = resolve(ufunc, tuple(given.dtype for given in operands), dtype)
        node = lowering(recorder, ufunc, operands, loop)
        return deliver(recorder, node, out, inputs, casting)

    return handle


def machine_loop(ufunc: np.ufunc, operands: Operands, loop: tuple[DType, ...]) -> str:
    """The name of the loop's type, if the machine has it."""
    name = type_name(loop[0])
    for used in (name, type_name(loop[-1])):
        if used not in MACHINE_TYPES:
            described = " and ".join(str(given) for given in operands)
            what = f"np.{ufunc.__name__} of {described} is {used}"
            refuse_type(used, what, _promotion_hint(operands))
    return name


def _promotion_hint(operands: Operands) -> str:
    types = [given.dtype for given in operands]
    for given in operands:
        if given.number is not None and given.dtype == np.int64:
            return "make the np.int64 scalar (np.prod, a sum of shapes) a Python int"
        if str(given.dtype) == "float64":
            return "make the array with dtype=np.float32"
    if not any(str(dtype) == "float64" for dtype in types):
        return "convert integers and bools with .astype(np.float32) first"
    return ""


def simple(op: str, types: Sequence[str] = ("float32", "int32"), on_bool: str = "") -> Lowering:
    """A function of the vector unit, for some types; on bools it may be another function."""

    def lower(
        recorder: Recorder, ufunc: np.ufunc, operands: Operands, loop: tuple[DType, ...]
    ) -> int:
        dtype = machine_loop(ufunc, operands, loop)
        chosen = on_bool if dtype == "bool" and on_bool else op
        if dtype not in types and chosen != on_bool:
            fail(f"the machine has no {op} of {dtype}", "convert with .astype(np.float32) first")
        placed = [place(recorder, given, dtype) for given in operands]
        return build.elementwise(recorder, chosen, *placed)

    return lower


def comparison(op: str, exchanged: bool = False) -> Lowering:
    """A comparison; the machine has two of the four orders, the others exchange the operands."""

    def lower(
        recorder: Recorder, ufunc: np.ufunc, operands: Operands, loop: tuple[DType, ...]
    ) -> int:
        name = type_name(loop[0])
        if name not in MACHINE_TYPES:
            name, operands = _narrowed(ufunc, operands, loop)
        # A bool is compared as the 0.0 or 1.0 that it is on the machine.
        dtype = {"bool": "float32", "int8": "int32"}.get(name, name)
        placed = [place(recorder, given, dtype) for given in operands]
        return build.elementwise(recorder, op, *(placed[::-1] if exchanged else placed))

    return lower


def _narrowed(ufunc: np.ufunc, operands: Operands, loop: tuple[DType, ...]) -> tuple[str, Operands]:
    """Compares in a type of the machine where that changes no value.

    ``y[:, None] == np.arange(n)`` compares int32 with int64, ``flags > 0`` bool with int64.
    """
    floats = any(given.dtype in (float, np.float32) for given in operands)
    name = "float32" if floats else "int32"
    if not all(_fits(given, name) for given in operands):
        machine_loop(ufunc, operands, loop)
    return name, [
        given if given.array is None else given._replace(array=given.array.astype(name))
        for given in operands
    ]


def _fits(given: Operand, name: str) -> bool:
    """Whether a type holds every value of an operand exactly."""
    if given.node is not None:
        return given.dtype in (np.dtype(name), np.bool_, np.int8)
    if given.number is not None and given.constant is None:
        return given.dtype is int and name == "int32"
    values = np.asarray(given.constant if given.array is None else given.array)
    if given.array is not None and values.dtype.kind not in "biu" and values.dtype != np.float32:
        return False  # a float64 array is a mistake, whatever it holds
    with np.errstate(all="ignore"):
        return np.array_equal(values.astype(name).astype(values.dtype), values)


def _logical(op: str) -> Lowering:
    def lower(
        recorder: Recorder, ufunc: np.ufunc, operands: Operands, loop: tuple[DType, ...]
    ) -> int:
        if ufunc.__name__.startswith("bitwise") or ufunc is np.invert:
            machine_loop(ufunc, operands, loop)
            if loop[0] != np.bool_:
                fail(f"np.{ufunc.__name__} of {loop[0]} is not supported", "it is for bools only")
        placed = [_truth(recorder, given) for given in operands]
        if op == "xor":
            placed = [build.cast(recorder, index, "float32") for index in placed]
            return build.elementwise(recorder, "not_equal", *placed)
        return build.elementwise(recorder, op, *placed)

    return lower


def _truth(recorder: Recorder, given: Operand) -> int:
    if given.node is not None or given.constant is not None:
        return place(recorder, given, "bool")
    if given.array is not None:
        return recorder.constant(given.array.astype(np.bool_))
    fail("a run-time number is used as a truth value", "compare it with another number")


def _power(recorder: Recorder, ufunc: np.ufunc, operands: Operands, loop: tuple[DType, ...]) -> int:
    """x ** y for the exponents with which each NumPy operation rounds once."""
    base, exponent = operands[0], operands[1].constant
    dtype = machine_loop(ufunc, operands, loop)
    if dtype != "float32" or exponent not in (2, 0.5, 1, -1):
        fail(
            "only float32 ** 2, ** 0.5, ** 1 and ** -1 are supported",
            "write x * x * x, or np.exp(y * np.log(x))",
        )
    x = place(recorder, base, dtype)
    if exponent == 2:
        return build.elementwise(recorder, "multiply", x, x)
    if exponent == 0.5:
        return build.elementwise(recorder, "sqrt", x)
    return x if exponent == 1 else _reciprocal_of(recorder, x)


def _reciprocal_of(recorder: Recorder, x: int) -> int:
    return build.elementwise(recorder, "divide", recorder.scalar(constant(1), "float32"), x)


def _unary_float(make: Callable[[Recorder, int], int]) -> Lowering:
    def lower(
        recorder: Recorder, ufunc: np.ufunc, operands: Operands, loop: tuple[DType, ...]
    ) -> int:
        dtype = machine_loop(ufunc, operands, loop)
        if dtype != "float32":
            hint = "convert with .astype(np.float32) first"
            fail(f"np.{ufunc.__name__} of {dtype} is not supported", hint)
        return make(recorder, place(recorder, operands[0], dtype))

    return lower


def _magnitude(op: str) -> Callable[[Recorder, int], int]:
    def make(recorder: Recorder, x: int) -> int:
        infinity = recorder.scalar(constant(float("inf")), "float32")
        return build.elementwise(recorder, op, build.elementwise(recorder, "absolute", x), infinity)

    return make


_INTS_OF_BOOLS = (np.invert, np.add, np.multiply)
_FLOAT = ("float32",)
_LOWERINGS: dict[np.ufunc, Lowering] = {
    np.add: simple("add", on_bool="logical_or"),
    np.subtract: simple("subtract"),
    np.multiply: simple("multiply", _FLOAT, on_bool="logical_and"),
    np.divide: simple("divide", _FLOAT),
    np.negative: simple("negative"),
    np.positive: _unary_float(lambda recorder, x: x),
    np.absolute: simple("absolute"),
    np.fabs: simple("absolute", _FLOAT),
    np.sign: simple("sign"),
    np.sqrt: simple("sqrt", _FLOAT),
    np.exp: simple("exp", _FLOAT),
    np.log: simple("log", _FLOAT),
    np.tanh: simple("tanh", _FLOAT),
    np.maximum: simple("maximum", on_bool="logical_or"),
    np.minimum: simple("minimum", on_bool="logical_and"),
    np.equal: comparison("equal"),
    np.not_equal: comparison("not_equal"),
    np.less: comparison("less"),
    np.less_equal: comparison("less_equal"),
    np.greater: comparison("less", exchanged=True),
    np.greater_equal: comparison("less_equal", exchanged=True),
    np.logical_and: _logical("logical_and"),
    np.logical_or: _logical("logical_or"),
    np.logical_not: _logical("logical_not"),
    np.logical_xor: _logical("xor"),
    np.bitwise_and: _logical("logical_and"),
    np.bitwise_or: _logical("logical_or"),
    np.bitwise_xor: _logical("xor"),
    np.invert: _logical("logical_not"),
    np.power: _power,
    np.float_power: _power,
    np.square: _unary_float(lambda recorder, x: build.elementwise(recorder, "multiply", x, x)),
    np.reciprocal: _unary_float(_reciprocal_of),
    np.isnan: _unary_float(lambda recorder, x: build.elementwise(recorder, "not_equal", x, x)),
    np.isinf: _unary_float(_magnitude("equal")),
    np.isfinite: _unary_float(_magnitude("less")),
}
for _ufunc, _lowering in _LOWERINGS.items():
    UFUNCS[_ufunc, "__call__"] = _handler(_ufunc, _lowering)
