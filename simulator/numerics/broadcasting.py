"""Broadcast operands seen as rows: the form in which the native core takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.numerics.signatures import Shape


@dataclass(frozen=True)
class Broadcast:
    """A result of ``outer`` rows of ``inner`` elements.

    ``steps`` are, per operand, the elements from one row to the next and whether one element is
    repeated along the row.
    """

    outer: int
    inner: int
    steps: tuple[tuple[int, bool], ...]


def broadcast_rows(shapes: Sequence[Shape], shape: Shape) -> Broadcast | None:
    """Contiguous operands of ``shapes``, broadcast to ``shape``, as rows; None where two axes are
    not enough.

    Neighbouring axes along which the same operands vary are one axis.
    """
    groups: list[tuple[tuple[bool, ...], int]] = []
    for axis, length in enumerate(shape, start=-len(shape)):
        if length == 1:
            continue
        varies = tuple(len(operand) >= -axis and operand[axis] != 1 for operand in shapes)
        if groups and groups[-1][0] == varies:
            groups[-1] = (varies, groups[-1][1] * length)
        else:
            groups.append((varies, length))
    if len(groups) > 2:
        return None
    never = ((False,) * len(shapes), 1)
    (by_row, outer), (by_element, inner) = [never, never, *groups][-2:]
    steps = tuple(
        ((inner if element else 1) if row else 0, inner > 1 and not element)
        for row, element in zip(by_row, by_element, strict=True)
    )
    return Broadcast(outer, inner, steps)
