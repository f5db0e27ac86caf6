"""Element types, and which of them every function takes and gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

# How NumPy stores each element type: it has no bfloat16, which is the uint16 of a float32's upper
# half.
STORAGE: Mapping[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "int32": np.dtype(np.int32),
    "bfloat16": np.dtype(np.uint16),
    "int8": np.dtype(np.int8),
    "bool": np.dtype(np.bool_),
}
_NAMES = {dtype: name for name, dtype in STORAGE.items()}

_ALL = tuple(STORAGE)
_NUMBERS = ("float32", "int32")
_COMPARED = ("float32", "int32", "int8", "bool")
_FLOAT = ("float32",)
_BOOL = ("bool",)

# Function: the number of operands of one type, the types it takes, the type it gives (None: the
# same).
_SIGNATURES: Mapping[str, tuple[int, tuple[str, ...], str | None]] = {
    "copy": (1, _ALL, None),
    **{name: (1, _NUMBERS, None) for name in ("negative", "absolute", "sign")},
    **{name: (1, _FLOAT, None) for name in ("sqrt", "exp", "log", "tanh")},
    **{name: (2, _NUMBERS, None) for name in ("add", "subtract", "maximum", "minimum")},
    **{name: (2, _FLOAT, None) for name in ("multiply", "divide")},
    **{name: (2, _COMPARED, "bool") for name in ("equal", "not_equal", "less", "less_equal")},
    **{name: (2, _BOOL, None) for name in ("logical_and", "logical_or")},
    "logical_not": (1, _BOOL, None),
    "where": (2, _ALL, None),  # and the condition before them
    "to_bfloat16": (1, _FLOAT, "bfloat16"),
    "to_float32": (1, ("int32", "int8", "bool", "bfloat16"), "float32"),
    "to_int32": (1, ("float32", "int8", "bool"), "int32"),
    "to_bool": (1, ("float32", "int32", "int8"), "bool"),
}
ELEMENTWISE = frozenset(_SIGNATURES)
REDUCTIONS = ("reduce_sum", "reduce_max", "reduce_min")
SOURCES = ("input", "constant", "scalar")  # operations that compute nothing
DATAFLOWS = ("ws", "is", "os")


def dtype_name(array: Array) -> str:
    """The element type of a stored array.

    Raises:
        ProgramError: the machine has no such type.
    """
    try:
        return _NAMES[array.dtype]
    except KeyError:
        raise ProgramError(f"the machine has no element type {array.dtype}") from None


def elementwise_dtype(name: str, dtypes: Sequence[str]) -> str:
    """The element type that a function gives.

    Raises:
        ProgramError: there is no such function, or it does not take these types.
    """
    if name not in _SIGNATURES:
        raise ProgramError(f"no function {name!r}")
    count, allowed, result = _SIGNATURES[name]
    operands = tuple(dtypes)
    if name == "where":
        condition, operands = operands[:1], operands[1:]
        if condition != _BOOL:
            raise ProgramError("where takes a bool condition first")
    if len(operands) != count or len(set(operands)) != 1 or operands[0] not in allowed:
        raise ProgramError(f"{name} does not take {', '.join(dtypes) or 'nothing'}")
    return result or operands[0]


def reduction_dtype(name: str, dtype: str) -> str:
    """The element type that a reduction gives.

    Raises:
        ProgramError: there is no such reduction, or it does not take this type.
    """
    if name not in REDUCTIONS or dtype not in _NUMBERS:
        raise ProgramError(f"no reduction {name!r} of {dtype}")
    return dtype
