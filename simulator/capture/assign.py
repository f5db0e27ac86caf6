"""Assignment to a region, or under a mask, as a new value of the whole array."""

from __future__ import annotations

from simulator.capture import build
from simulator.capture.build import Shape
from simulator.capture.indexing import Index
from simulator.capture.operands import Operand, place
from simulator.capture.recorder import Recorder, fail


def assigned(recorder: Recorder, node: int, index: Index, value: Operand) -> int:
    """The array `node` after ``array[index] = value``; NumPy converts to the array's type."""
    if 0 in index.shape:
        return node
    placed = place(recorder, value, recorder.nodes[node].dtype)
    # NumPy ignores surplus axes of length 1 in front.
    shape = recorder.nodes[placed].shape
    while len(shape) > len(index.shape) and shape[0] == 1:
        shape = shape[1:]
    placed = build.reshape(recorder, placed, shape)
    placed = build.broadcast_to(recorder, placed, index.shape)
    placed = build.reshape(recorder, placed, build.region_shape(index.region))
    return build.update(recorder, node, index.region, placed)


def assigned_where(recorder: Recorder, node: int, mask: Operand, value: Operand) -> int:
    """The array `node` after ``array[mask] = value``."""
    have = recorder.nodes[node]
    where = place(recorder, mask, "bool")
    rest = len(have.shape) - len(mask.shape)
    if rest < 0 or mask.shape != have.shape[: len(mask.shape)]:
        fail(f"a mask of shape {mask.shape} does not fit an array of shape {have.shape}")
    if len(value.shape) > rest:  # one value per true element: how many is known at run time
        fail(
            f"array[mask] = v with v of shape {value.shape} depends on how many are true",
            "use array[...] = np.where(mask, v, array)",
        )
    aligned: Shape = (*mask.shape, *(1 for _ in range(rest)))
    where = build.reshape(recorder, where, aligned)
    placed = place(recorder, value, have.dtype)
    chosen = build.elementwise(recorder, "where", where, placed, node)
    return build.broadcast_to(recorder, chosen, have.shape)
