"""Element-by-element functions, copies and reductions of tensors that are cut, as VEC instructions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from simulator.compiler.steps import ALL, Run
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


class Operand(NamedTuple):
    """An operand of a vector instruction, and which of its rows serve those of the result."""

    tensor: Tensor
    replicate: bool  # one column serves all
    runs: Sequence[Run]


class Mapped(NamedTuple):
    """``out = function(sources)``; None as a source is the accumulator tile."""

    function: int
    flags: int
    item: int
    out: Tensor
    sources: Sequence[Operand | None]


class Tile(NamedTuple):
    """An accumulator tile: rows ``[first_row, last_row)`` of one panel of the result."""

    tile: int
    panel: int
    first_row: int
    last_row: int


def _run_at(runs: Sequence[Run], row: int) -> tuple[int, int, bool]:
    """``(operand row, end of the run, moves)`` at a result row."""
    for r0, r1, first, moves in runs:
        if r0 <= row < r1:
            return (first + row - r0 if moves else first), r1, moves
    raise AssertionError("row runs cover every row")


def _row_pieces(r0: int, r1: int, sources: Sequence[Operand]) -> Iterator[tuple[int, int]]:
    """Result rows cut wherever an operand changes its run or its block."""
    at = r0
    while at < r1:
        upto = r1
        for source in sources:
            row, end, moves = _run_at(source.runs, at)
            upto = min(upto, end)
            if moves:
                chunk = source.tensor.chunk
                upto = min(upto, at + (row // chunk + 1) * chunk - row)
        yield at, upto
        at = upto


def elementwise(low: Lowering, mapped: Mapped, tile: Tile | None = None) -> None:
    """The whole of the result, or what the accumulator tile holds."""
    function, flags, item, out, sources = mapped
    tensors = [source for source in sources if source is not None]
    if tile is None and _block_by_block(out, tensors):
        _all_blocks(low, mapped, tensors)
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
            for row, last_row in _row_pieces(r0, r1, tensors):
                places, extra = _places(sources, panel, row, last_row)
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


def _block_by_block(out: Tensor, sources: Sequence[Operand]) -> bool:
    """Whether no operand changes its run or its block within a block of the result."""
    for tensor, replicate, (first, *others) in sources:
        if others or (first.moves and (tensor.chunk % out.chunk or first.source_row % tensor.chunk)):
            return False
        if not replicate and tensor.group % out.group:
            return False
    return True


def _all_blocks(low: Lowering, mapped: Mapped, sources: Sequence[Operand]) -> None:
    places, moving, flags = [], 0, mapped.flags
    for index, (tensor, replicate, (run,)) in enumerate(sources):
        places.append(Place(tensor.number, 0, run.source_row, 0 if replicate else NATURAL))
        moving |= run.moves << index
        if replicate:
            flags |= REPLICATE[index]
    low.blocks(mapped.function, mapped.out, places, moving, flags=flags, item=mapped.item)


def _places(
    sources: Sequence[Operand | None], panel: int, row: int, last_row: int
) -> tuple[list[tuple[int, int, int, int]], int]:
    places: list[tuple[int, int, int, int]] = []
    flags = 0
    for index, source in enumerate(sources):
        if source is None:
            places.append(NOWHERE)
            flags |= ACCUMULATOR[index]
            continue
        source_row, _, moves = _run_at(source.runs, row)
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
    out_panel: int,
    source: Tensor,
    source_row: int,
    source_panel: int,
    rows: int,
    panels: int,
    out_step: int,
    source_step: int,
) -> None:
    """Copies whole lines between tensors, every ``source_step``-th row to every ``out_step``-th row."""
    count = out.panels if panels == ALL else panels
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
    function: int,
    flags: int,
    out: Tensor,
    out_row: int,
    source: Tensor,
    row: int,
    rows: int,
) -> None:
    """Line ``out_row`` of every panel = chain over ``rows`` consecutive rows of the source."""
    for panel, last_panel in pieces(0, out.panels, out.group, source.group):
        for index, (r0, r1) in enumerate(pieces(row, row + rows, source.chunk)):
            low.vec(
                function,
                r1 - r0,
                last_panel - panel,
                out.tail(last_panel - 1),
                Place(out.number, panel, out_row),
                (Place(source.number, panel, r0),),
                flags=flags | (Flag.ACCUMULATE if index else Flag.NONE),
            )
