"""NumPy's ufuncs as operations of the machine: which, on which types, in which arithmetic."""

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.reference import table_unit, vector
from simulator.reference.matrix import matmul
from simulator.reference.operands import (
    BOOL,
    FLOAT32,
    INT32,
    Array,
    Operand,
    at,
    common_dtype,
    convert,
    host_number,
    require_machine_dtype,
    truth,
)
from simulator.reference.reduction import ufunc_reduction
from simulator.reference.refusal import refuse

_Function = Callable[..., Array]
_FLOAT = (FLOAT32,)
_NUMBER = (FLOAT32, INT32)

# The types in which the machine computes a ufunc, and how.
_ELEMENTWISE: dict[np.ufunc, tuple[tuple[np.dtype[Any], ...], _Function]] = {
    np.add: (_NUMBER, vector.add),
    np.subtract: (_NUMBER, vector.subtract),
    np.multiply: (_FLOAT, vector.multiply),
    np.divide: (_FLOAT, vector.divide),
    np.positive: (_NUMBER, vector.copy),
    np.negative: (_NUMBER, vector.negative),
    np.absolute: (_NUMBER, vector.absolute),
    np.fabs: (_FLOAT, vector.absolute),
    np.isnan: (_FLOAT, vector.isnan),
    np.isinf: (_FLOAT, vector.isinf),
    np.isfinite: (_FLOAT, vector.isfinite),
    np.sign: (_NUMBER, vector.sign),
    np.square: (_FLOAT, vector.square),
    np.reciprocal: (_FLOAT, vector.reciprocal),
    np.sqrt: (_FLOAT, vector.sqrt),
    np.exp: (_FLOAT, table_unit.exp),
    np.log: (_FLOAT, table_unit.log),
    np.tanh: (_FLOAT, table_unit.tanh),
    np.maximum: (_NUMBER, vector.maximum),
    np.minimum: (_NUMBER, vector.minimum),
    np.bitwise_and: ((BOOL,), np.logical_and),
    np.bitwise_or: ((BOOL,), np.logical_or),
    np.bitwise_xor: ((BOOL,), np.logical_xor),
    np.invert: ((BOOL,), np.logical_not),
}

# What these are on bools.
_ON_BOOL: dict[np.ufunc, _Function] = {
    np.add: np.logical_or,
    np.multiply: np.logical_and,
    np.maximum: np.logical_or,
    np.minimum: np.logical_and,
}

# These take their operands of any type as true or false.
_LOGICAL: dict[np.ufunc, _Function] = {
    np.logical_and: np.logical_and,
    np.logical_or: np.logical_or,
    np.logical_xor: np.logical_xor,
    np.logical_not: np.logical_not,
}

_COMPARISONS: dict[np.ufunc, _Function] = {
    np.equal: np.equal,
    np.not_equal: np.not_equal,
    np.less: np.less,
    np.less_equal: np.less_equal,
    np.greater: lambda a, b: np.less(b, a),
    np.greater_equal: lambda a, b: np.less_equal(b, a),
}

_TESTS = (np.isnan, np.isinf, np.isfinite)
_POWERS: dict[float, _Function] = {
    2.0: vector.square,
    0.5: vector.sqrt,
    1.0: vector.copy,
    -1.0: vector.reciprocal,
}


def call(ufunc: np.ufunc, operands: tuple[Operand, ...], options: dict[str, Any]) -> Array:
    """``ufunc(*operands)``.

    Raises:
        CaptureError: the machine has no such operation, type or option.
    """
    options = dict(options)
    dtype = options.pop("dtype", None)
    if options:
        refuse(f"np.{ufunc.__name__} with {next(iter(options))}=")
    wanted = None if dtype is None else require_machine_dtype(dtype)
    if ufunc is np.matmul:
        return matmul(operands[0], operands[1], wanted)
    result = _compute(ufunc, operands, wanted)
    if wanted not in (None, result.dtype):
        refuse(f"np.{ufunc.__name__} with dtype={wanted} where it gives {result.dtype}")
    return result


def _compute(
    ufunc: np.ufunc, operands: tuple[Operand, ...], wanted: np.dtype[Any] | None
) -> Array:
    if ufunc in _LOGICAL:
        return np.asarray(_LOGICAL[ufunc](*(truth(operand) for operand in operands)))
    if ufunc in _COMPARISONS:
        return np.asarray(_compare(ufunc, operands[0], operands[1]))
    if ufunc is np.power:
        return _power(operands[0], operands[1])
    if ufunc not in _ELEMENTWISE:
        refuse(f"np.{ufunc.__name__} is not in the emulation")
    dtypes, function = _ELEMENTWISE[ufunc]
    common = common_dtype(*operands)
    if wanted is not None and ufunc not in _TESTS and np.can_cast(common, wanted, "same_kind"):
        common = wanted  # NumPy converts before it computes
    if common == BOOL and ufunc in _ON_BOOL:
        dtypes, function = (BOOL,), _ON_BOOL[ufunc]
    if common not in dtypes:
        refuse(f"np.{ufunc.__name__} of {_names(operands)}{_hint(common)}")
    return np.asarray(function(*(at(operand, common) for operand in operands)))


def _compare(ufunc: np.ufunc, a: Operand, b: Operand) -> Array:
    common = common_dtype(a, b)
    if common == FLOAT32:
        return _COMPARISONS[ufunc](at(a, FLOAT32), at(b, FLOAT32))
    if common.kind in "bi":
        return _COMPARISONS[ufunc](_as_int32(a), _as_int32(b))
    if _fits_float32(a) and _fits_float32(b):  # float64 by NumPy's rules, but float32 holds them
        return _COMPARISONS[ufunc](np.asarray(a, FLOAT32), np.asarray(b, FLOAT32))
    refuse(f"np.{ufunc.__name__} of {_names((a, b))}{_hint(common)}")


def _fits_float32(operand: Operand) -> bool:
    values = np.asarray(operand)
    if isinstance(operand, np.ndarray) and values.dtype.kind == "f" and values.dtype != FLOAT32:
        return False  # a float64 array is a mistake, whatever it holds
    return values.dtype.kind in "bif" and np.array_equal(
        values.astype(FLOAT32).astype(values.dtype), values, equal_nan=values.dtype == FLOAT32
    )


def _as_int32(operand: Operand) -> Array:
    # The labels' own idiom, y[:, None] == np.arange(classes), brings an int64 host constant.
    if isinstance(operand, np.ndarray) and operand.dtype == np.int64:
        narrow = operand.astype(np.int32)
        if not np.array_equal(narrow, operand):
            refuse("an int64 constant that does not fit int32")
        return narrow
    return at(operand, INT32)


def _power(base: Operand, exponent: Operand) -> Array:
    number = host_number(exponent)
    if not isinstance(base, np.ndarray) or number is None:
        refuse("a power with an array as exponent; allowed exponents: 2, 0.5, 1, -1")
    if number not in _POWERS:
        refuse(f"the exponent {number}; allowed: 2, 0.5, 1, -1")
    if common_dtype(base, exponent) != FLOAT32:
        refuse(f"np.power of {base.dtype}; write .astype(np.float32) first")
    return _POWERS[number](at(base, FLOAT32))


def reduce(ufunc: np.ufunc, x: Operand, options: dict[str, Any]) -> Array:
    """``ufunc.reduce(x, **options)``; the axis is 0 where none is given.

    Raises:
        CaptureError: the machine has no such reduction or option.
    """
    function = ufunc_reduction(ufunc)
    if function is None or not isinstance(x, np.ndarray):
        refuse(f"np.{ufunc.__name__}.reduce is not in the emulation")
    options = {"axis": 0, **options}
    dtype = options.pop("dtype", None)
    for name in options:
        if name not in ("axis", "keepdims"):
            refuse(f"np.{ufunc.__name__}.reduce with {name}=")
    if ufunc is np.add:
        return function(x, dtype=dtype, **options)
    if dtype is not None and ufunc in (np.maximum, np.minimum):
        x = convert(x, require_machine_dtype(dtype))
    return function(x, **options)


def _names(operands: tuple[Operand, ...]) -> str:
    return " and ".join(
        f"{o.dtype}" if isinstance(o, np.ndarray) else f"Python {type(o).__name__}"
        for o in operands
    )


def _hint(common: np.dtype[Any]) -> str:
    if common in (np.float64, np.int64):
        return f", which NumPy makes {common}; give the arrays a dtype of the machine"
    return "; not on the machine in this type"
