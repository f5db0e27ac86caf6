"""Types on the machine: which there are, how they promote (NumPy 2), how one becomes another."""

import math
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from simulator.reference.refusal import refuse

FLOAT32 = np.dtype(np.float32)
INT32 = np.dtype(np.int32)
INT8 = np.dtype(np.int8)
BOOL = np.dtype(np.bool_)
MACHINE_DTYPES = (FLOAT32, INT32, INT8, BOOL)

CANONICAL_NAN = np.uint32(0x7FC00000).view(np.float32)
_INT32_MAX = 2**31 - 1
_INT32_MIN = -(2**31)

Array: TypeAlias = NDArray[Any]
# A Python number stands for a host scalar: weak in promotion, rounded once when it meets an array.
Operand: TypeAlias = Array | bool | int | float


def canonical(values: Array | np.generic) -> Array:
    """Replace every float32 NaN by the canonical one; other types pass as they are."""
    values = np.asarray(values)
    if values.dtype == FLOAT32:
        nan = np.isnan(values)
        if nan.any():
            return np.where(nan, CANONICAL_NAN, values)
    return values


def as_operand(value: Any) -> Operand:
    """A host scalar as a Python number, a host constant as a plain array with canonical NaNs.

    What host maths gives, np.float64 (``np.sqrt(2.0)``) and np.int64 (``np.minimum(t, 9)``), is
    a Python number.

    Raises:
        CaptureError: the value is neither.
    """
    if isinstance(value, np.float64):
        return float(value)
    if isinstance(value, np.int64):
        return int(value)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        value = np.asarray(value)
    if isinstance(value, np.generic) or type(value) is np.ndarray:
        return canonical(value)
    refuse(f"an operand of type {type(value).__name__}; allowed: arrays and Python numbers")


def host_number(value: Any) -> bool | int | float | None:
    """The Python number of a host scalar; None for everything else."""
    if isinstance(value, bool | int | float):
        return float(value) if isinstance(value, np.float64) else value
    return None


@lru_cache(maxsize=1024)
def _promote(kinds: tuple[Any, ...]) -> np.dtype[Any]:
    # A Python number promotes by its type alone, so its type's zero may stand for it.
    return np.result_type(*(kind() if isinstance(kind, type) else kind for kind in kinds))


def common_dtype(*operands: Operand) -> np.dtype[Any]:
    """The type to which NumPy 2 promotes the operands (NEP 50); may be none of the machine's.

    Raises:
        CaptureError: NumPy has no common type.
    """
    kinds = tuple(o.dtype if isinstance(o, np.ndarray) else type(o) for o in operands)
    try:
        return _promote(kinds)
    except TypeError as error:
        refuse(str(error).splitlines()[0])


def require_machine_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """The dtype itself, where the machine has it.

    Raises:
        CaptureError: the machine has no such type.
    """
    found = np.dtype(dtype)
    if found not in MACHINE_DTYPES:
        hint = "; write dtype=np.float32" if found == np.float64 else ""
        hint = "; write np.int32" if found == np.int64 else hint
        refuse(f"a {found} array; the machine has float32, int32, int8 and bool{hint}")
    return found


def at(operand: Operand, dtype: np.dtype[Any]) -> Array:
    """The operand as an array of the given type, by the machine's conversions.

    Raises:
        CaptureError: there is no such conversion, or an integer does not fit.
    """
    if isinstance(operand, np.ndarray):
        return convert(operand, dtype)
    return _host_scalar(operand, dtype)


def _host_scalar(value: bool | int | float, dtype: np.dtype[Any]) -> Array:
    if dtype == FLOAT32:
        try:
            return canonical(np.asarray(float(value), np.float64).astype(np.float32))
        except OverflowError:
            refuse(f"the number {value} is beyond Python's float")
    if dtype == BOOL:
        return np.asarray(bool(value))
    if dtype in (INT32, INT8) and math.isfinite(value):
        limits, whole = np.iinfo(dtype), int(value)  # an assigned float is truncated
        if not limits.min <= whole <= limits.max:
            refuse(f"the integer {whole} does not fit {dtype}")
        return np.asarray(whole, dtype)
    refuse(f"the number {value!r} does not become {dtype}")


def truth(operand: Operand) -> Array:
    """``to_bool`` of an array or number of any type: whether it is not 0; NaN is true."""
    return np.asarray(np.asarray(operand) != 0)


def convert(values: Array, dtype: np.dtype[Any]) -> Array:
    """``to_float32``, ``to_int32``, ``to_bool``, or the operand itself where the type is the same.

    Raises:
        CaptureError: the machine has no such conversion.
    """
    source = values.dtype
    if source == dtype and dtype in MACHINE_DTYPES:
        return values
    if source in MACHINE_DTYPES:
        if dtype == FLOAT32:
            return values.astype(np.float32)  # from int32 to nearest even, the others are exact
        if dtype == BOOL:
            return np.asarray(values != 0)
        if dtype == INT32:
            return _float_to_int32(values) if source == FLOAT32 else values.astype(np.int32)
    if not values.ndim and source.kind in "if" and np.can_cast(source, dtype):
        return values.astype(dtype)  # a scalar of the host such as np.float16(0.5)
    require_machine_dtype(source)
    require_machine_dtype(dtype)
    refuse(f"{source} does not become {dtype} on the machine")


def _float_to_int32(values: Array) -> Array:
    # Every float32 and both limits are exact in float64, where NumPy's cast truncates toward zero.
    wide = np.clip(values.astype(np.float64), _INT32_MIN, _INT32_MAX)
    return np.where(np.isnan(wide), 0.0, wide).astype(np.int32)
