"""``np.einsum`` where it is one matmul, one sum or one transpose."""

import math

import numpy as np

from simulator.reference import reduction
from simulator.reference.matrix import matmul
from simulator.reference.operands import Array, Operand
from simulator.reference.refusal import refuse


def einsum(subscripts: str, *operands: Operand) -> Array:
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
