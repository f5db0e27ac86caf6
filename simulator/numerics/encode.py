"""Operations as the words of the native core (``native/operations.h``): 64-bit integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from simulator.numerics.signatures import Array

Words = list[int]
# Values of one vector program, and the chunks of it that can be alive at a time (``native/compute.c``).
MAX_VALUES = 64


class Kind(IntEnum):
    """What an operation is."""

    COMPUTE = 0
    MULTIPLY = 1
    REDUCE = 2
    MOVE = 3


class Place(IntEnum):
    """Where a value of a vector program lies, and how it is broadcast."""

    SLOT = 0
    ALL = 1
    ROW = 2
    COLUMN = 3
    ONE = 4


def _record(kind: Kind, words: Sequence[int]) -> Words:
    return [kind, len(words) + 2, *words]


@dataclass(frozen=True)
class Placed:
    """A value of a vector program; its buffer where it has one, its slot where it needs one."""

    place: Place
    bytes: int
    buffer: int = 0
    slot: int = 0


@dataclass(frozen=True)
class Instruction:
    """A function, the value that it gives and those that it reads."""

    function: int
    result: int
    operands: tuple[int, ...]


def compute(
    outer: int, inner: int, values: Sequence[Placed], instructions: Sequence[Instruction]
) -> Words:
    """A vector program on ``outer`` rows of ``inner`` elements."""
    slots = 1 + max((value.slot for value in values), default=0)
    words = [outer, inner, slots, len(values), len(instructions)]
    for value in values:
        words += [value.place, value.buffer, value.slot, value.bytes]
    for step in instructions:
        words += [step.function, step.result, *step.operands, *[0] * (3 - len(step.operands))]
    return _record(Kind.COMPUTE, words)


@dataclass(frozen=True)
class Product:
    """``C[m,n] = A[m,k] B[k,n]`` as stored; ``tile`` 0 is one chain over all k."""

    m: int
    n: int
    k: int
    transpose_a: bool
    transpose_b: bool
    tile: int
    integers: bool


def multiply(a: int, b: int, c: int, product: Product) -> Words:
    """A matrix multiplication of three buffers."""
    operands = [a, int(product.transpose_a), b, int(product.transpose_b), c]
    sizes = [product.m, product.n, product.k, product.tile, int(product.integers)]
    return _record(Kind.MULTIPLY, [*operands, *sizes])


def reduce(function: int, source: int, target: int, outer: int, n: int, inner: int) -> Words:
    """The middle axis of (outer, n, inner) reduced."""
    return _record(Kind.REDUCE, [function, source, target, outer, n, inner])


@dataclass(frozen=True)
class Move:
    """Elements copied between strided arrays; offsets and strides in bytes."""

    bytes: int
    axes: tuple[tuple[int, int, int], ...]  # length, stride in the source, stride in the target
    source_offset: int = 0
    target_offset: int = 0

    @classmethod
    def between(cls, source: Array, source_view: Array, target: Array, target_view: Array) -> Move:
        """From a view of one array to a view of another; their elements are not looked at."""
        axes: list[tuple[int, int, int]] = []
        strides = zip(source_view.shape, source_view.strides, target_view.strides, strict=True)
        for length, a, b in strides:
            if axes and axes[-1][1:] == (length * a, length * b):
                axes[-1] = (axes[-1][0] * length, a, b)  # goes on where the axis before ends
            elif length > 1:
                axes.append((length, a, b))
        size = source.itemsize
        offsets = (_address(view) - _address(x) for x, view in ((source, source_view), (target, target_view)))
        return cls(size, tuple(axes) or ((1, size, size),), *offsets)


def _address(x: Array) -> int:
    return int(x.__array_interface__["data"][0])


def move(source: int, target: int, moved: Move) -> Words:
    """A copy from one buffer to another."""
    words = [source, moved.source_offset, target, moved.target_offset, moved.bytes, len(moved.axes)]
    for axis in moved.axes:
        words += axis
    return _record(Kind.MOVE, words)
