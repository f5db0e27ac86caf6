"""Operators and methods of machine arrays: each is a NumPy function, or is refused.

NumPy's own slots do not serve: they compare opaque memory as bytes, take short cuts for powers, and
would change in place what in NumPy is an immutable scalar.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.reference.refusal import refuse

_BINARY: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.divide,
    "matmul": np.matmul,
    "pow": np.power,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "divmod": np.divmod,
    "lshift": np.left_shift,
    "rshift": np.right_shift,
}
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_UNARY: dict[str, Callable[..., Any]] = {
    "neg": np.negative,
    "pos": np.positive,
    "abs": np.absolute,
    "invert": np.invert,
}
_METHODS: dict[str, Callable[..., Any]] = {
    "sum": np.sum,
    "max": np.max,
    "min": np.min,
    "mean": np.mean,
    "any": np.any,
    "all": np.all,
    "var": np.var,
    "std": np.std,
    "repeat": np.repeat,
    "dot": np.dot,
    "clip": np.clip,
}

# What a machine array may inherit from ndarray: facts about the array, and moves of opaque data.
# fmt: off
INHERITED = frozenset((
    "T", "mT", "base", "copy", "flags", "flatten", "itemsize", "nbytes", "ndim",
    "shape", "size", "squeeze", "strides", "swapaxes", "transpose", "__array_finalize__",
    "__array_interface__", "__array_priority__", "__array_struct__", "__array_wrap__", "__buffer__",
    "__class__", "__class_getitem__", "__delattr__", "__dir__", "__doc__", "__getattribute__",
    "__getstate__", "__hash__", "__init__", "__init_subclass__", "__len__", "__new__", "__sizeof__",
    "__subclasshook__",
))
# What MachineArray defines itself.
DEFINED = frozenset((
    "astype", "dtype", "fill", "view", "__array_function__", "__array_ufunc__", "__copy__",
    "__deepcopy__", "__getitem__", "__iter__", "__repr__", "__setattr__", "__setitem__", "__str__",
    "ravel", "reshape",
))
# fmt: on


class Operators:
    """Base class, resolved before ndarray, so that what is not named in this file is refused."""

    _is_scalar: bool


def _binary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: function(self, other)


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: function(other, self)


def _in_place(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(self: Operators, other: Any) -> Any:
        return function(self, other) if self._is_scalar else function(self, other, out=self)

    return apply


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: function(self)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def _refused(name: str) -> Callable[..., Any]:
    def apply(self: Operators, *args: Any, **kwargs: Any) -> Any:
        refuse(f"{name} of an array on the machine, whose value is not known to the host")

    return apply


def _install() -> None:
    for name, function in _BINARY.items():
        setattr(Operators, f"__{name}__", _binary(function))
        setattr(Operators, f"__r{name}__", _reflected(function))
        setattr(Operators, f"__i{name}__", _in_place(function))
    for name, function in _COMPARISONS.items():
        setattr(Operators, f"__{name}__", _binary(function))
    for name, function in _UNARY.items():
        setattr(Operators, f"__{name}__", _unary(function))
    for name, function in _METHODS.items():
        setattr(Operators, name, _method(function))
    for name in set(dir(np.ndarray)) - INHERITED - DEFINED - set(vars(Operators)):
        is_method = callable(getattr(np.ndarray, name))
        setattr(Operators, name, _refused(name) if is_method else property(_refused(name)))


_install()
