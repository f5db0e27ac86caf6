"""What is a view in NumPy and work on the machine: transposes, reshapes, slices, concatenation.

Lines are moved by VEC copies and columns by transposes: a column is moved by transposing, moving the line
that it became, and transposing back. Nothing is free.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from simulator.compiler.steps import Steps, Value
from simulator.units import ceil_div

Key = Sequence[tuple[int, int, int]]


def transposed(low: Steps, source: Value, *, whole_rows: bool = False) -> Value:
    """A new (cols, rows) tensor: the two-dimensional transpose of what lies in memory."""
    out = low.tensor(f"{source.name}.T", (source.cols, source.rows), source.dtype, whole_rows=whole_rows)
    low.transpose_rows(out, source)
    return out


def swap_last_two(low: Steps, source: Value, batch: int, rows: int, cols: int) -> Value:
    """(batch, rows, cols) to (batch, cols, rows), matrix by matrix."""
    if batch == 1:
        return transposed(low, source)
    held = source
    if low.is_cut_between_rows(source):
        held = low.tensor(f"{source.name}.held", source.shape, source.dtype, whole_rows=True)
        low.copy_rows(held, 0, source, 0, source.rows)
    out = low.tensor(f"{source.name}.swapped", (batch, cols, rows), source.dtype, whole_rows=True)
    for index in range(batch):
        low.transpose_rows(out, held, out_row=index * cols, row=index * rows, rows=rows)
    return out


def permute_rows(low: Steps, source: Value, lead: tuple[int, ...], axes: Sequence[int]) -> Value:
    """Rows, indexed by ``lead``, in the order of the permuted axes."""
    out = low.tensor(f"{source.name}.rows", (source.rows, source.cols), source.dtype)
    shape = [lead[axis] for axis in axes]
    strides = [math.prod(lead[axis + 1 :]) for axis in axes]
    inner, step = shape[-1], strides[-1]
    for index in range(math.prod(shape[:-1])):
        row, rest = 0, index
        for size, stride in zip(reversed(shape[:-1]), reversed(strides[:-1]), strict=True):
            rest, digit = divmod(rest, size)
            row += digit * stride
        low.copy_rows(out, index * inner, source, row, inner, source_step=step)
    return out


def transpose_axes(low: Steps, source: Value, shape: tuple[int, ...], axes: tuple[int, ...]) -> Value:
    """NumPy's transpose of an array of any number of dimensions."""
    last = len(shape) - 1
    if axes[-1] == last:
        return permute_rows(low, source, shape[:-1], axes[:-1])
    # Bring the axis that becomes the last one next to it, exchange the two, then order the rest.
    order = [axis for axis in range(last) if axis != axes[-1]]
    lead = (*order, axes[-1])
    held = source
    if lead != tuple(range(last)):
        held = permute_rows(low, source, shape[:-1], lead)
    batch = math.prod(shape[axis] for axis in order)
    swapped = swap_last_two(low, held, batch, shape[axes[-1]], shape[last])
    now = (*order, last)
    wanted = [now.index(axis) for axis in axes[:-1]]
    if wanted == list(range(len(now))):
        return swapped
    return permute_rows(low, swapped, tuple(shape[axis] for axis in now), wanted)


def reshape(low: Steps, source: Value, cols: int) -> Value:
    """The same elements in C order, in lines of ``cols`` columns."""
    if cols == source.cols:
        return source
    width = math.gcd(source.cols, cols)
    return _merge_columns(low, _split_columns(low, source, width), cols)


def _split_columns(low: Steps, source: Value, width: int) -> Value:
    """(rows, cols) to (rows * cols / width, width)."""
    parts = source.cols // width
    if parts == 1:
        return source
    turned = transposed(low, source, whole_rows=width % low.line != 0)
    if source.rows == 1 and width == 1:
        return turned
    out = low.tensor(f"{source.name}.split", (source.rows * parts, width), source.dtype)
    for part in range(parts):
        piece = low.tensor(f"{source.name}.part", (source.rows, width), source.dtype)
        low.transpose_rows(piece, turned, row=part * width, rows=width)
        low.copy_rows(out, part, piece, 0, source.rows, out_step=parts)
    return out


def _merge_columns(low: Steps, source: Value, cols: int) -> Value:
    """(rows, width) to (rows * width / cols, cols)."""
    width = source.cols
    parts = cols // width
    if parts == 1:
        return source
    if width == 1 and source.rows == cols:
        return transposed(low, source)
    rows = source.rows // parts
    gathered = low.tensor(f"{source.name}.columns", (cols, rows), source.dtype)
    for part in range(parts):
        piece = low.tensor(f"{source.name}.part", (rows, width), source.dtype)
        low.copy_rows(piece, 0, source, part, rows, source_step=parts)
        turned = transposed(low, piece)
        low.copy_rows(gathered, part * width, turned, 0, width)
    return transposed(low, gathered)


def slice_tensor(low: Steps, source: Value, shape: tuple[int, ...], key: Key) -> Value:
    """``source[key]`` for basic slices with positive steps."""
    out = source
    columns = key[-1] if key else (0, 1, 1)
    now = list(shape) if shape else [1]
    if columns != (0, now[-1], 1):
        count = len(range(*columns))
        line = low.line
        if columns[2] == 1 and columns[0] % line == 0:
            cut = low.tensor(f"{source.name}.cols", (out.rows, count), source.dtype)
            low.copy_rows(cut, 0, out, 0, out.rows, source_panel=columns[0] // line)
            out = cut
        else:
            turned = transposed(low, out)
            cut = low.tensor(f"{source.name}.cols", (count, out.rows), source.dtype)
            low.copy_rows(cut, 0, turned, columns[0], count, source_step=columns[2])
            out = transposed(low, cut)
        now[-1] = count
    lead = now[:-1]
    if any(k != (0, n, 1) for k, n in zip(key[:-1], lead, strict=True)):
        rows = _rows_of(lead, key[:-1])
        cut = low.tensor(f"{source.name}.cut", (len(rows), out.cols), source.dtype)
        for to, start, count, step in _runs(rows):
            low.copy_rows(cut, to, out, start, count, source_step=step)
        out = cut
    return out


def write_slice(
    low: Steps, base: Value, shape: tuple[int, ...], key: Key, value: Value, value_cols: int
) -> Value:
    """A copy of ``base`` with ``value`` (already of the slice's shape) in the place of ``base[key]``."""
    columns = key[-1]
    whole = columns == (0, shape[-1], 1)
    rows = _rows_of(list(shape[:-1]), key[:-1]) if len(shape) > 1 else [0]
    if whole:
        out = _copy(low, base)
        for at, start, count, step in _runs(rows):
            low.copy_rows(out, start, value, at, count, out_step=step)
        return out
    line = low.line
    if rows == list(range(base.rows)) or not _aligned(columns, shape[-1], line):
        # Columns are lines of the transpose.
        turned = _copy(low, transposed(low, base))
        if rows != list(range(base.rows)):
            inner = slice_tensor(low, base, shape, [*key[:-1], (0, shape[-1], 1)])
            patched = write_slice(
                low, inner, (len(rows), shape[-1]), [(0, len(rows), 1), columns], value, value_cols
            )
            return write_slice(low, base, shape, [*key[:-1], (0, shape[-1], 1)], patched, shape[-1])
        turned_value = transposed(low, value)
        low.copy_rows(turned, columns[0], turned_value, 0, value_cols, out_step=columns[2])
        return transposed(low, turned)
    out = _copy(low, base)
    for at, start, count, step in _runs(rows):
        low.copy_rows(
            out,
            start,
            value,
            at,
            count,
            out_step=step,
            out_panel=columns[0] // line,
            panels=ceil_div(value.cols, line),
        )
    return out


def concatenate(low: Steps, parts: Sequence[Value], shape: tuple[int, ...], axis: int) -> Value:
    """NumPy's concatenate. The parts' shapes differ along ``axis`` only."""
    dtype = parts[0].dtype
    if axis == len(shape) - 1:
        turned = low.tensor("columns", (shape[-1], parts[0].rows), dtype)
        at = 0
        for part in parts:
            low.copy_rows(turned, at, transposed(low, part), 0, part.cols)
            at += part.cols
        return transposed(low, turned)
    out = low.tensor("concatenated", shape, dtype)
    outer = math.prod(shape[:axis])
    at = 0
    for index in range(outer):
        for part in parts:
            rows = part.rows // outer
            low.copy_rows(out, at, part, index * rows, rows)
            at += rows
    return out


def _copy(low: Steps, source: Value) -> Value:
    out = low.tensor(f"{source.name}.copy", source.shape, source.dtype)
    low.copy_rows(out, 0, source, 0, source.rows)
    return out


def _aligned(columns: tuple[int, int, int], cols: int, line: int) -> bool:
    """Whether a range of columns is whole panels (the last may be short), so that lines can be copied."""
    start, stop, step = columns
    return step == 1 and start % line == 0 and (stop % line == 0 or stop == cols)


def _rows_of(lead: Sequence[int], key: Key) -> list[int]:
    """The flattened row numbers that a key over the leading axes chooses, in C order."""
    rows = [0]
    for size, (start, stop, step) in zip(lead, key, strict=True):
        rows = [row * size + at for row in rows for at in range(start, stop, step)]
    return rows


def _runs(rows: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """Row numbers as ``(position, first row, count, step)`` runs of constant step."""
    runs: list[tuple[int, int, int, int]] = []
    at = 0
    while at < len(rows):
        step = rows[at + 1] - rows[at] if at + 1 < len(rows) else 1
        upto = at + 1
        while upto < len(rows) and rows[upto] - rows[upto - 1] == step:
            upto += 1
        runs.append((at, rows[at], upto - at, step))
        at = upto
    return runs
