"""What the two stand-ins, for arrays and for numbers, share: NumPy's protocols and refusals.

The functions that are supported register themselves in two tables; all others are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

from simulator.capture.hints import FUNCTION_HINTS, METHOD_HINTS, OUTSIDE, UFUNC_HINTS
from simulator.capture.recorder import fail

if TYPE_CHECKING:
    from simulator.capture.operands import Operand

UfuncHandler = Callable[[tuple[Any, ...], dict[str, Any]], Any]
_Function = TypeVar("_Function", bound=Callable[..., Any])

UFUNCS: dict[tuple[np.ufunc, str], UfuncHandler] = {}
FUNCTIONS: dict[Any, tuple[Callable[..., Any], frozenset[str]]] = {}

_AT_RUN_TIME = "is known only at run time"


def implements(*functions: Any) -> Callable[[_Function], _Function]:
    """Registers a function's implementation; keywords that it does not name are refused."""

    def register(implementation: _Function) -> _Function:
        code = implementation.__code__
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        for function in functions:
            FUNCTIONS[function] = (implementation, frozenset(names))
        return implementation

    return register


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Any) -> Any:
    """What a ufunc, or a method of it, gives for stand-ins."""
    name = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    handler = UFUNCS.get((ufunc, method))
    if handler is None:
        hint = UFUNC_HINTS.get(ufunc.__name__, METHOD_HINTS.get(method, ""))
        if any(isinstance(value, StandIn) and value.noun == "a number" for value in inputs):
            hint = OUTSIDE
        fail(f"{name} is not supported", hint)
    if kwargs.get("where", True) is not True:
        fail(f"{name}(where=) is not supported", "use np.where")
    return handler(inputs, {key: value for key, value in kwargs.items() if key != "where"})


def apply_function(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a NumPy function that is not a ufunc gives for stand-ins."""
    name = f"np.{getattr(function, '__name__', function)}"
    if getattr(function, "__module__", "numpy") not in ("numpy", None):
        name = f"{function.__module__.replace('numpy', 'np')}.{function.__name__}"
    if function not in FUNCTIONS:
        fail(f"{name} is not supported", FUNCTION_HINTS.get(name.removeprefix("np."), ""))
    implementation, keywords = FUNCTIONS[function]
    for key, value in kwargs.items():
        if key not in keywords and not _is_default(value):
            hint = "use np.where" if key == "where" else ""
            fail(f"{name}({key}=) is not supported", hint)
    return implementation(*args, **{key: kwargs[key] for key in kwargs if key in keywords})


def _is_default(value: Any) -> bool:
    return value is None or value is getattr(np, "_NoValue", None)


def _refusal(what: str, hint: str) -> Callable[..., NoReturn]:
    def refuse(self: StandIn, *args: Any, **kwargs: Any) -> NoReturn:
        fail(f"{what} needs the value of {self.noun}, which {_AT_RUN_TIME}", hint)

    return refuse


def _operator(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    return lambda self, other: apply_ufunc(ufunc, "__call__", (self, other), {})


def _reflected(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    return lambda self, other: apply_ufunc(ufunc, "__call__", (other, self), {})


def _unary(ufunc: np.ufunc) -> Callable[[Any], Any]:
    return lambda self: apply_ufunc(ufunc, "__call__", (self,), {})


_DROP = "drop it, or use np.sqrt, np.exp, np.where and so on"


class StandIn:
    """An array or a number that is known only at run time."""

    __slots__ = ()
    __hash__: Any = None
    noun = "an array"

    def operand(self) -> Operand:
        """What a function reads."""
        raise NotImplementedError

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return apply_function(function, args, kwargs)

    # Must exist and raise: without it NumPy silently builds arrays of objects.
    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        fail(
            f"{self.noun} is used where NumPy needs an ndarray (np.array, np.asarray, an index, "
            "or an assignment into a plain ndarray)",
            "use np.stack or np.zeros_like, and y[:, None] == np.arange(n) to select by label",
        )

    __bool__ = _refusal(
        "if, while, and, or, not or bool()", "use np.where or np.maximum, or close over a constant"
    )
    __float__ = _refusal("float() or a function of math", _DROP)
    __int__ = _refusal("int()", _DROP)
    __complex__ = _refusal("complex()", _DROP)
    __round__ = _refusal("round()", _DROP)
    __index__ = _refusal(
        "an index, a size or range()",
        "use Python's int, and y[:, None] == np.arange(n) to select by label",
    )
    __format__ = _refusal("formatting", "print after the step")
    item = _refusal("item()", _DROP)
    tolist = _refusal("tolist()", _DROP)

    __add__, __radd__ = _operator(np.add), _reflected(np.add)
    __sub__, __rsub__ = _operator(np.subtract), _reflected(np.subtract)
    __mul__, __rmul__ = _operator(np.multiply), _reflected(np.multiply)
    __truediv__, __rtruediv__ = _operator(np.divide), _reflected(np.divide)
    __floordiv__, __rfloordiv__ = _operator(np.floor_divide), _reflected(np.floor_divide)
    __mod__, __rmod__ = _operator(np.remainder), _reflected(np.remainder)
    __pow__, __rpow__ = _operator(np.power), _reflected(np.power)
    __matmul__, __rmatmul__ = _operator(np.matmul), _reflected(np.matmul)
    __and__, __rand__ = _operator(np.bitwise_and), _reflected(np.bitwise_and)
    __or__, __ror__ = _operator(np.bitwise_or), _reflected(np.bitwise_or)
    __xor__, __rxor__ = _operator(np.bitwise_xor), _reflected(np.bitwise_xor)
    __eq__: Any = _operator(np.equal)
    __ne__: Any = _operator(np.not_equal)
    __lt__, __le__ = _operator(np.less), _operator(np.less_equal)
    __gt__, __ge__ = _operator(np.greater), _operator(np.greater_equal)
    __neg__, __pos__ = _unary(np.negative), _unary(np.positive)
    __abs__, __invert__ = _unary(np.absolute), _unary(np.invert)
