"""Functions that join, split and repeat arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from simulator.capture import build
from simulator.capture.arrays import TracedArray
from simulator.capture.operands import machine_type
from simulator.capture.recorder import current, fail
from simulator.capture.results import deliver
from simulator.capture.shaping import as_array, atleast_1d, atleast_2d, expand_dims, reshape
from simulator.capture.standin import implements


@implements(np.concatenate)
def _concatenate(
    arrays: Any, /, axis: int | None = 0, out: Any = None, dtype: Any = None
) -> TracedArray:
    recorder = current()
    parts = [as_array(part) for part in arrays]
    wanted = np.result_type(*(part.dtype for part in parts)) if dtype is None else dtype
    name = machine_type(wanted, "the joined array")
    nodes = [build.cast(recorder, part.read(), name) for part in parts]
    if axis is None:
        nodes = [build.reshape(recorder, i, (recorder.nodes[i].size,)) for i in nodes]
        axis = 0
    axis = normalize_axis_index(axis, len(recorder.nodes[nodes[0]].shape))
    node = build.concatenate(recorder, nodes, axis)
    return deliver(recorder, node, out, tuple(arrays))


@implements(np.stack)
def _stack(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None) -> TracedArray:
    parts = [expand_dims(as_array(part), axis) for part in arrays]
    axis = normalize_axis_index(axis, len(parts[0].shape))
    return _concatenate(parts, axis, out, dtype)


@implements(np.vstack)
def _vstack(tup: Any, *, dtype: Any = None) -> TracedArray:
    return _concatenate([atleast_2d(part) for part in tup], 0, None, dtype)


@implements(np.hstack)
def _hstack(tup: Any, *, dtype: Any = None) -> TracedArray:
    parts = [atleast_1d(part) for part in tup]
    return _concatenate(parts, 0 if parts[0].ndim == 1 else 1, None, dtype)


@implements(np.column_stack)
def _column_stack(tup: Any) -> TracedArray:
    parts = [as_array(part) for part in tup]
    return _concatenate([p[:, None] if p.ndim == 1 else p for p in parts], 1)


@implements(np.split, np.array_split)
def _split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[TracedArray]:
    axis = normalize_axis_index(axis, len(ary.shape))
    length = ary.shape[axis]
    if isinstance(indices_or_sections, int | np.integer):
        sections = int(indices_or_sections)
        if length % sections:
            fail(f"an axis of {length} cannot be split into {sections} equal parts")
        cuts = list(range(0, length + 1, length // sections))
    else:
        cuts = [0, *(int(cut) for cut in indices_or_sections), length]
    before = (slice(None),) * axis
    return [ary[(*before, slice(a, b))] for a, b in pairwise(cuts)]


@implements(np.repeat)
def _repeat(a: Any, repeats: int, axis: int | None = None) -> TracedArray:
    if not isinstance(repeats, int | np.integer):
        fail("np.repeat with a number for each element is not supported")
    recorder, x = current(), as_array(a)
    node = x.read()
    if axis is None:
        node, axis = build.reshape(recorder, node, (x.size,)), 0
    shape = recorder.nodes[node].shape
    axis = normalize_axis_index(axis, len(shape))
    before, length, after = shape[:axis], shape[axis], shape[axis + 1 :]
    node = build.reshape(recorder, node, (*before, length, 1, *after))
    node = build.broadcast_to(recorder, node, (*before, length, int(repeats), *after))
    node = build.reshape(recorder, node, (*before, length * int(repeats), *after))
    return TracedArray(recorder, node)


@implements(np.tile)
def _tile(A: Any, reps: Any) -> TracedArray:
    recorder, x = current(), as_array(A)
    counts = [int(n) for n in (reps if isinstance(reps, tuple | list) else (reps,))]
    ndim = max(len(counts), x.ndim)
    counts = [1] * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - x.ndim) + x.shape
    apart = tuple(n for length in shape for n in (1, length))
    together = tuple(n for pair in zip(counts, shape, strict=True) for n in pair)
    node = build.reshape(recorder, x.read(), apart)
    node = build.broadcast_to(recorder, node, together)
    final = tuple(count * length for count, length in zip(counts, shape, strict=True))
    return TracedArray(recorder, build.reshape(recorder, node, final))


@implements(np.roll)
def _roll(a: Any, shift: int, axis: int | None = None) -> TracedArray:
    x = as_array(a)
    if axis is None:
        return reshape(_roll(reshape(x, -1), shift, 0), x.shape).copy()
    axis = normalize_axis_index(axis, x.ndim)
    cut = -int(shift) % x.shape[axis]
    if not cut:
        return x.copy()
    head, tail = _split(x, [cut], axis)
    return _concatenate([tail, head], axis)
