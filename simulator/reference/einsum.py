"""``np.einsum`` where it is one matmul, one sum or one transpose."""

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from simulator.reference import reduction
from simulator.reference.matrix import matmul
from simulator.reference.operands import Array, Operand
from simulator.reference.refusal import refuse


def einsum(
    subscripts: str, /, *operands: Operand, out: None = None, optimize: Any = False
) -> Array:
    """``np.einsum`` with a string of subscripts.

    The contracted labels run in the order of the first operand, the last one fastest.

    Raises:
        CaptureError: it is no single matmul, sum or transpose.
    """
    if not isinstance(subscripts, str):
        refuse("einsum without a string of subscripts")
    arrays = [operand for operand in operands if isinstance(operand, np.ndarray)]
    inputs, output = _parse(subscripts, arrays)
    if len(arrays) != len(operands) or len(arrays) not in (1, 2):
        refuse(f"einsum of {len(operands)} operands; allowed: one array or two")
    if len(arrays) == 1:
        return _einsum_1(inputs[0], output, arrays[0])
    return _einsum_2(inputs[0], inputs[1], output, arrays[0], arrays[1])


def _parse(subscripts: str, arrays: list[Array]) -> tuple[list[str], str]:
    text = subscripts.replace(" ", "")
    left, arrow, output = text.partition("->")
    inputs = left.split(",")
    labels = left.replace(",", "")
    if not arrow:  # implicit: the labels that occur once, in alphabetical order
        output = "".join(sorted(label for label in set(labels) if labels.count(label) == 1))
    if not (labels + output).isalpha() and labels + output:
        refuse(f"einsum {subscripts!r}; only letters are allowed as labels")
    if len(inputs) != len(arrays):
        refuse(f"einsum {subscripts!r} with {len(arrays)} arrays")
    sizes: dict[str, int] = {}
    for names, array in zip(inputs, arrays, strict=True):
        if len(names) != array.ndim or len(set(names)) != len(names):
            refuse(f"einsum {subscripts!r}: {names!r} does not name each of {array.ndim} axes once")
        for name, size in zip(names, array.shape, strict=True):
            if sizes.setdefault(name, size) != size:
                raise ValueError(f"einsum {subscripts!r}: {name} is both {sizes[name]} and {size}")
    if len(set(output)) != len(output) or not set(output) <= set(labels):
        refuse(f"einsum {subscripts!r}: the result's labels")
    return inputs, output


def tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    """``np.tensordot`` as einsum: the contracted axes run in the order of the first operand.

    Raises:
        CaptureError: it is no single matmul.
    """
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        refuse("np.tensordot of a Python number; write *")
    if isinstance(axes, int | np.integer):
        axes_a = tuple(range(a.ndim - int(axes), a.ndim))
        axes_b = tuple(range(int(axes)))
    else:
        first, second = ((one,) if isinstance(one, int) else tuple(one) for one in axes)
        axes_a = normalize_axis_tuple(first, a.ndim)
        axes_b = normalize_axis_tuple(second, b.ndim)
    names_a = [chr(ord("a") + axis) for axis in range(a.ndim)]
    names_b = [chr(ord("A") + axis) for axis in range(b.ndim)]
    for one, other in zip(axes_a, axes_b, strict=True):
        if a.shape[one] != b.shape[other]:
            raise ValueError(f"tensordot: axis {one} of {a.shape} and {other} of {b.shape}")
        names_b[other] = names_a[one]
    left, right = "".join(names_a), "".join(names_b)
    output = "".join(name for name in left + right if (left + right).count(name) == 1)
    return _einsum_2(left, right, output, a, b)


def _einsum_1(names: str, output: str, x: Array) -> Array:
    axes = tuple(axis for axis, name in enumerate(names) if name not in output)
    summed = reduction.reduce_sum(x, axis=axes) if axes else x
    kept = [name for name in names if name in output]
    return np.transpose(summed, [kept.index(name) for name in output])


def _einsum_2(names_a: str, names_b: str, output: str, a: Array, b: Array) -> Array:
    contracted = [name for name in names_a if name in names_b]
    free_a = [name for name in names_a if name not in names_b]
    free_b = [name for name in names_b if name not in names_a]
    if any(name in output for name in contracted) or not set(free_a + free_b) <= set(output):
        refuse(
            "einsum with a batch axis, or an axis summed in one operand alone, is no single matmul"
        )
    if not contracted:
        refuse("einsum without a contracted axis is no matmul; write np.outer or *")
    if [name for name in names_b if name in names_a] != contracted:
        refuse("einsum whose operands order the contracted axes differently")
    left = np.transpose(a, [names_a.index(name) for name in free_a + contracted])
    right = np.transpose(b, [names_b.index(name) for name in contracted + free_b])
    shape_a, shape_b = left.shape[: len(free_a)], right.shape[len(contracted) :]
    depth = math.prod(left.shape[len(free_a) :])
    product = matmul(
        left.reshape(math.prod(shape_a), depth), right.reshape(depth, math.prod(shape_b))
    )
    names = free_a + free_b
    return np.transpose(product.reshape(shape_a + shape_b), [names.index(name) for name in output])
