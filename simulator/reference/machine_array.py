"""The array that computes as the machine does: an ndarray subclass whose every operation is ours.

Its memory is NumPy's, so views, copies and aliases are NumPy's too. The memory's dtype is opaque
(``V4``, ``V1``): what slips past the protocols (``np.asarray(x) * 2``, ``np.sum([x, y])``,
``plain[...] = x``) finds no number in it and raises, where ordinary NumPy would silently have
computed with a float32.
"""

from collections.abc import Iterator
from typing import Any, Self, cast

import numpy as np
from numpy.typing import DTypeLike

from simulator.reference import ufuncs
from simulator.reference.functions import HANDLERS
from simulator.reference.indexing import check_index, check_mask
from simulator.reference.operands import (
    Array,
    Operand,
    as_operand,
    at,
    canonical,
    convert,
    require_machine_dtype,
)
from simulator.reference.operators import Operators
from simulator.reference.refusal import refuse

_NO_VALUE = getattr(np, "_NoValue", None)  # NumPy's mark of a keyword that was not given

# What NumPy does by the method of that name, which gives a scalar for a scalar.
_OF_SCALARS = (np.squeeze, np.transpose)


class MachineArray(Operators, np.ndarray[Any, Any]):
    """An array on the machine.

    One that NumPy would have returned as a scalar (``x.sum()``, ``x[0]``) is immutable as that is:
    ``s += 1`` gives a new one.
    """

    _machine_dtype: np.dtype[Any]
    _is_scalar: bool

    def __array_finalize__(self, source: Any) -> None:
        object.__setattr__(self, "_machine_dtype", getattr(source, "_machine_dtype", None))
        scalar = getattr(source, "_is_scalar", False) and self.ndim == 0
        object.__setattr__(self, "_is_scalar", scalar)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements on the machine; that of the memory is opaque."""
        return self._machine_dtype

    def __setattr__(self, name: str, value: Any) -> None:
        refuse(f"setting .{name} of an array")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        (out,) = options.pop("out", (None,))
        casting = options.pop("casting", "same_kind")
        options = {name: value for name, value in options.items() if not _is_default(name, value)}
        with np.errstate(all="ignore"):
            operands = tuple(_operand(value) for value in inputs)
            if method == "__call__":
                if ufunc is np.power:
                    operands = (operands[0], _exponent(operands[0], inputs[1]))
                result = ufuncs.call(ufunc, operands, options)
            elif method == "reduce":
                if ufunc is np.add and out is not None:
                    options.setdefault("dtype", out.dtype)
                result = ufuncs.reduce(ufunc, operands[0], options)
            else:
                refuse(f"np.{ufunc.__name__}.{method} is not in the emulation")
            elementwise = method == "__call__" and ufunc is not np.matmul
            return _finish(result, out, computed=True, broadcast=elementwise, casting=casting)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _call_function(func, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        check_index(index)
        found = unwrap(self)[index]
        return wrap(found, scalar=not isinstance(found, np.ndarray))

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._is_scalar:
            refuse("assigning into a scalar")
        with np.errstate(all="ignore"):
            new = at(_operand(value), self.dtype)
        target = unwrap(self)
        if isinstance(index, np.ndarray):
            check_mask(index, target, new)
            index = unwrap(index)
        else:
            check_index(index)
        target[index] = new

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"MachineArray({unwrap(self)!r})"

    __str__ = __repr__

    def __copy__(self) -> Self:
        return self.copy()

    def __deepcopy__(self, memo: Any, /) -> Self:
        return self.copy()

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """NumPy's; of a scalar in memory of its own, as nobody can write a scalar."""
        return wrap(_unwrap_all(self).reshape(*shape, **options), scalar=False)

    def ravel(self, order: Any = "C") -> Any:
        """NumPy's; of a scalar in memory of its own, as nobody can write a scalar."""
        return wrap(_unwrap_all(self).ravel(order))

    def fill(self, value: Any) -> None:
        """``x[...] = value``."""
        self[...] = value

    def view(self, *arguments: Any, **options: Any) -> Any:
        """The same memory as a second array; never as another type."""
        if arguments or options:
            refuse("a view as another type")
        return wrap(unwrap(self))

    def astype(  # type: ignore[override]  # fewer parameters: the others are refused
        self, dtype: DTypeLike, copy: bool = True, **options: Any
    ) -> Any:
        """The machine's conversion."""
        if options:
            refuse(f"astype with {next(iter(options))}=")
        if not copy and self.dtype == np.dtype(dtype):
            return self
        converted = _call_function(np.astype, (self, dtype), {})
        return wrap(unwrap(converted), scalar=self._is_scalar)


def wrap(values: Any, scalar: bool = False) -> MachineArray:
    """A machine array on the memory of a plain array whose NaNs are canonical.

    Raises:
        CaptureError: its dtype is none of the machine's.
    """
    values = np.asarray(values)
    dtype = require_machine_dtype(values.dtype)
    array = values.view(f"V{dtype.itemsize}").view(MachineArray)
    object.__setattr__(array, "_machine_dtype", dtype)
    object.__setattr__(array, "_is_scalar", scalar)
    return cast(MachineArray, array)


def unwrap(value: Any) -> Array:
    """The plain array on the same memory; a plain array with canonical NaNs for a host constant."""
    if isinstance(value, MachineArray):
        return cast(Array, np.ndarray.view(value, value.dtype, np.ndarray))
    return canonical(value)


def _operand(value: Any) -> Operand:
    return unwrap(value) if isinstance(value, MachineArray) else as_operand(value)


def _exponent(base: Operand, exponent: Any) -> Operand:
    """A NumPy scalar as the number that it is, where it leaves the power a float32."""
    if not isinstance(exponent, np.generic) or not isinstance(base, np.ndarray):
        return _operand(exponent)
    narrow = np.result_type(base.dtype, exponent.dtype) == np.float32
    return cast(Operand, exponent.item()) if narrow else as_operand(exponent)


def _is_default(name: str, value: Any) -> bool:
    """Whether a keyword says nothing; axis=None does."""
    return value is _NO_VALUE or (value is None and name != "axis")


def _unwrap_all(value: Any) -> Any:
    if isinstance(value, MachineArray) or type(value) is np.ndarray:
        is_scalar = getattr(value, "_is_scalar", False)  # what views it must not write it
        return np.array(unwrap(value)) if is_scalar else unwrap(value)
    if isinstance(value, list):
        return [_unwrap_all(one) for one in value]
    if isinstance(value, tuple):
        return tuple(_unwrap_all(one) for one in value)
    return value


def _call_function(func: Any, args: Any, kwargs: Any) -> Any:
    name = f"np.{func.__name__}"
    kwargs = {key: value for key, value in kwargs.items() if not _is_default(key, value)}
    if func is np.copyto:
        return _copyto(*args, **kwargs)
    if func not in HANDLERS:
        refuse(f"{name} is not in the emulation")
    handler = HANDLERS[func]
    try:
        bound = handler.signature.bind(*args, **kwargs)
    except TypeError as error:
        refuse(f"{name}: {error}")
    out = bound.arguments.pop("out", None)
    if func is np.sum and out is not None and bound.arguments.get("dtype") is None:
        bound.arguments["dtype"] = out.dtype  # the type in which NumPy sums
    with np.errstate(all="ignore"):
        options = {name: _unwrap_all(value) for name, value in bound.kwargs.items()}
        result = handler.function(*_unwrap_all(bound.args), **options)
        if isinstance(result, list):
            return [wrap(one) for one in result]
        if isinstance(result, tuple) and any(isinstance(one, np.ndarray) for one in result):
            return tuple(wrap(one) for one in result)
        if not isinstance(result, np.ndarray | np.generic):
            return result
        of_scalar = func in _OF_SCALARS and getattr(args[0] if args else None, "_is_scalar", False)
        computed = handler.computed or of_scalar
        return _finish(np.asarray(result), out, computed=computed, broadcast=func is np.clip)


def _copyto(dst: Any, src: Any, casting: Any = "same_kind", **options: Any) -> None:
    """``np.copyto``."""
    if options or not isinstance(dst, MachineArray):
        refuse(f"np.copyto {'with where=' if options else 'into a plain ndarray'}")
    new = _operand(src)
    if isinstance(new, np.ndarray) and not np.can_cast(new.dtype, dst.dtype, casting):
        refuse(f"np.copyto of {new.dtype} into {dst.dtype}")
    dst[...] = src


def _finish(
    result: Array, out: Any, *, computed: bool, broadcast: bool, casting: Any = "same_kind"
) -> MachineArray:
    """The result as a new machine array, or stored into ``out``."""
    if out is None:
        return wrap(result, scalar=computed and result.ndim == 0)
    if not isinstance(out, MachineArray) or out._is_scalar:
        refuse("out= or an in-place operator on a plain ndarray or a scalar")
    if not np.can_cast(result.dtype, out.dtype, casting):
        refuse(f"a result of {result.dtype} into an array of {out.dtype}")
    fits = result.shape == out.shape
    if broadcast and not fits and result.ndim <= out.ndim:
        fits = np.broadcast_shapes(result.shape, out.shape) == out.shape
    if not fits:
        raise ValueError(f"a result of shape {result.shape} does not fit out= of shape {out.shape}")
    unwrap(out)[...] = convert(result, out.dtype)
    return out
