"""Element-by-element functions, copies and reductions as VEC instructions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from simulator.compiler.symbolic import (
    ACCUMULATOR,
    NATURAL,
    NO_TILE,
    NOWHERE,
    REPLICATE,
    SAME_ROW,
    Lowering,
    Place,
)
from simulator.compiler.tensors import Tensor, pieces
from simulator.isa import Flag, Function

RowRun = tuple[
    int, int, int, bool
]  # first and last row + 1 of the result, first row of the operand, moves on


class Source(NamedTuple):
    """An operand of a vector instruction: a tensor that broadcasts to the result."""

    tensor: Tensor
    first_row: int = 0  # row of the tensor that serves the result's first row
    replicate: bool = False  # one column serves all
    fixed_row: bool = False  # one row serves all (a scalar of the table)


class TileSource(NamedTuple):
    """An operand in an accumulator tile: rows ``[first_row, last_row)`` of one panel of the result."""

    tile: int
    panel: int
    first_row: int
    last_row: int


def row_runs(
    lead_out: tuple[int, ...], lead_in: tuple[int, ...], rows_out: int, rows_in: int
) -> list[RowRun]:
    """Runs of result rows whose operand rows are consecutive or all the same, under NumPy's broadcasting."""
    if rows_in == rows_out:
        return [(0, rows_out, 0, True)]
    if rows_in == 1:
        return [(0, rows_out, 0, False)]
    source = np.broadcast_to(np.arange(rows_in).reshape(lead_in), lead_out).ravel()
    runs: list[RowRun] = []
    at = 0
    while at < rows_out:
        moves = at + 1 < rows_out and source[at + 1] == source[at] + 1
        step = 1 if moves else 0
        upto = at + 1
        while upto < rows_out and source[upto] == source[upto - 1] + step:
            upto += 1
        runs.append((at, upto, int(source[at]), moves))
        at = upto
    return runs


def _broadcast(out: Tensor, source: Source) -> list[RowRun]:
    if source.fixed_row:
        return [(0, out.rows, source.first_row, False)]
    lead_out, lead_in = out.shape[:-1], source.tensor.shape[:-1]
    runs = row_runs(lead_out, lead_in, out.rows, source.tensor.rows)
    return [(r0, r1, s + source.first_row, moves) for r0, r1, s, moves in runs]


def _run_at(runs: list[RowRun], row: int) -> tuple[int, int, bool]:
    """``(operand row, end of the run, moves)`` at a result row."""
    for r0, r1, first, moves in runs:
        if r0 <= row < r1:
            return (first + row - r0 if moves else first), r1, moves
    raise AssertionError("row runs cover every row")


def _row_pieces(
    out: Tensor, r0: int, r1: int, sources: Sequence[Source], runs: Sequence[list[RowRun]]
) -> Iterator[tuple[int, int]]:
    """Result rows cut wherever an operand changes its run or its block."""
    at = r0
    while at < r1:
        upto = r1
        for source, source_runs in zip(sources, runs, strict=True):
            row, end, moves = _run_at(source_runs, at)
            upto = min(upto, end)
            if moves:
                chunk = source.tensor.chunk
                upto = min(upto, at + (row // chunk + 1) * chunk - row)
        yield at, upto
        at = upto


def elementwise(
    low: Lowering,
    function: Function,
    out: Tensor,
    sources: Sequence[Source | TileSource],
    *,
    integer: bool = False,
    item: int = 0,
) -> None:
    """``out = function(sources)`` over the whole of ``out``, or over what the accumulator tile holds."""
    tile = next((source for source in sources if isinstance(source, TileSource)), None)
    tensors = [source for source in sources if isinstance(source, Source)]
    runs = [_broadcast(out, source) for source in tensors]
    flags = int(Flag.INTEGER) if integer else 0
    if tile is None and _block_by_block(out, tensors, runs):
        _all_blocks(low, function, out, tensors, runs, flags, item)
        return
    groups = [source.tensor.group for source in tensors if not source.replicate]
    blocks: Sequence[int] = range(out.n_blocks)
    if tile is not None:
        chunks = pieces(tile.first_row, tile.last_row, out.chunk)
        blocks = [out.block_at(tile.panel, row) for row, _ in chunks]
    for block in blocks:
        p0, p1, r0, r1 = out.bounds(block)
        if tile is not None:
            p0, p1 = max(p0, tile.panel), min(p1, tile.panel + 1)
            r0, r1 = max(r0, tile.first_row), min(r1, tile.last_row)
        for panel, last_panel in pieces(p0, p1, *groups):
            for row, last_row in _row_pieces(out, r0, r1, tensors, runs):
                places, extra = _places(sources, runs, panel, row, last_row)
                low.vec(
                    function,
                    last_row - row,
                    last_panel - panel,
                    out.tail(last_panel - 1),
                    Place(out.number, panel, row),
                    places,
                    flags=flags | extra,
                    item=item,
                    tile=NO_TILE if tile is None else tile.tile,
                    tile_line=0 if tile is None else row - tile.first_row,
                )


def _block_by_block(out: Tensor, sources: Sequence[Source], runs: Sequence[list[RowRun]]) -> bool:
    """Whether no operand changes its run or its block within a block of the result."""
    for source, (first, *others) in zip(sources, runs, strict=True):
        _, _, row, moves = first
        tensor = source.tensor
        if others or (moves and (tensor.chunk % out.chunk or row % tensor.chunk)):
            return False
        if not source.replicate and tensor.group % out.group:
            return False
    return True


def _all_blocks(
    low: Lowering,
    function: Function,
    out: Tensor,
    sources: Sequence[Source],
    runs: Sequence[list[RowRun]],
    flags: int,
    item: int,
) -> None:
    places, moving = [], 0
    for index, (source, ((_, _, row, moves),)) in enumerate(zip(sources, runs, strict=True)):
        places.append(Place(source.tensor.number, 0, row, 0 if source.replicate else NATURAL))
        moving |= moves << index
        if source.replicate:
            flags |= REPLICATE[index]
    low.blocks(function, out, places, moving, flags=flags, item=item)


def _places(
    sources: Sequence[Source | TileSource],
    runs: Sequence[list[RowRun]],
    panel: int,
    row: int,
    last_row: int,
) -> tuple[list[tuple[int, int, int, int]], int]:
    places: list[tuple[int, int, int, int]] = []
    flags = 0
    of_tensors = iter(runs)
    for index, source in enumerate(sources):
        if isinstance(source, TileSource):
            places.append(NOWHERE)
            flags |= ACCUMULATOR[index]
            continue
        source_row, _, moves = _run_at(next(of_tensors), row)
        if source.replicate:
            places.append(Place(source.tensor.number, 0, source_row, 0))
            flags |= REPLICATE[index]
        else:
            places.append(Place(source.tensor.number, panel, source_row))
        if not moves and last_row - row > 1:
            flags |= SAME_ROW[index]
    return places, flags


def copy_rows(
    low: Lowering,
    out: Tensor,
    out_row: int,
    source: Tensor,
    source_row: int,
    rows: int,
    *,
    out_panel: int = 0,
    source_panel: int = 0,
    panels: int | None = None,
    out_step: int = 1,
    source_step: int = 1,
) -> None:
    """Copies whole lines between tensors, every ``source_step``-th row to every ``out_step``-th row."""
    count = out.panels if panels is None else panels
    stepping = out_step != 1 or source_step != 1
    for index in range(count):
        panel, from_panel = out_panel + index, source_panel + index
        done = 0
        while done < rows:
            to, at = out_row + done * out_step, source_row + done * source_step
            room = (to // out.chunk + 1) * out.chunk - to, (at // source.chunk + 1) * source.chunk - at
            n = min(rows - done, -(-room[0] // out_step), -(-room[1] // source_step))
            low.vec(
                Function.COPY,
                1 if stepping else n,
                n if stepping else 1,
                out.line,
                Place(out.number, panel, to, out_step if stepping else NATURAL),
                (Place(source.number, from_panel, at, source_step if stepping else NATURAL),),
                item=out.item,
            )
            done += n


def reduce_rows(
    low: Lowering,
    function: Function,
    out: Tensor,
    out_row: int,
    source: Tensor,
    row: int,
    rows: int,
    *,
    integer: bool,
) -> None:
    """Line ``out_row`` of every panel = chain over ``rows`` consecutive rows of the source."""
    base = Flag.INTEGER if integer else Flag.NONE
    for panel, last_panel in pieces(0, out.panels, out.group, source.group):
        for index, (r0, r1) in enumerate(pieces(row, row + rows, source.chunk)):
            low.vec(
                function,
                r1 - r0,
                last_panel - panel,
                out.tail(last_panel - 1),
                Place(out.number, panel, out_row),
                (Place(source.number, panel, r0),),
                flags=base | (Flag.ACCUMULATE if index else Flag.NONE),
            )
