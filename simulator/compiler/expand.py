"""Entries of a lowering as single instructions: what ``native/lowered.h`` does one at a time."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.compiler.symbolic import (
    ENTRY,
    NATURAL,
    NOWHERE,
    SAME_ROW,
    Kind,
    Lowering,
    Place,
    Symbolic,
)
from simulator.compiler.tensors import Operand, Tensor, operand, pieces
from simulator.isa import Flag, Opcode


def expand(low: Lowering) -> list[Symbolic]:
    """Every instruction, in program order."""
    instructions: list[Symbolic] = []
    for row in low.entries().tolist():
        entry = _Entry(low, row)
        instructions.extend(_EXPAND[entry.kind](entry))
    return instructions


class _Entry:
    """One entry with names; ``flags`` is what its instructions share."""

    def __init__(self, low: Lowering, words: list[int]) -> None:
        named = dict(zip(ENTRY, words, strict=False))
        self.low, self.kind = low, Kind(named["kind"])
        self.operation, self.function = named["operation"], named["function"]
        self.flags, self.item = named["flags"], named["item"]
        self.rows, self.panels, self.tail = named["rows"], named["panels"], named["tail"]
        self.tile, self.tile_line = named["tile"], named["tile_line"]
        at = len(ENTRY)
        places = [Place(*words[start : start + 4]) for start in range(at + 1, len(words), 4)]
        self.dst, self.sources = places[0], places[1 : 1 + words[at]]

    def tensor(self, place: Place) -> Tensor:
        return self.low.tensors[place.tensor]

    def operand(self, place: Place) -> Operand | None:
        if place == NOWHERE:
            return None
        found = operand(self.tensor(place), place.panel, place.row)
        return found if place.stride == NATURAL else found._replace(stride=place.stride)


def _one(entry: _Entry) -> Iterator[Symbolic]:
    yield Symbolic(
        Opcode.VEC,
        entry.operation,
        entry.rows,
        entry.panels,
        dst=entry.operand(entry.dst),
        sources=tuple(entry.operand(source) for source in entry.sources),
        function=entry.function,
        flags=entry.flags,
        item=entry.item,
        tail=entry.tail,
        tile=entry.tile,
        tile_line=entry.tile_line,
    )


def _blocks(entry: _Entry) -> Iterator[Symbolic]:
    out = entry.tensor(entry.dst)
    for block in range(out.n_blocks):
        p0, p1, r0, r1 = out.bounds(block)
        sources: list[Operand] = []
        flags = entry.flags
        for index, place in enumerate(entry.sources):
            moves = entry.tile_line >> index & 1
            first = place.row + (r0 if moves else 0)
            source = operand(entry.tensor(place), p0 if place.stride else 0, first)
            sources.append(source if place.stride else source._replace(stride=0))
            if not moves and r1 - r0 > 1:
                flags |= SAME_ROW[index]
        yield Symbolic(
            Opcode.VEC,
            entry.operation,
            r1 - r0,
            p1 - p0,
            dst=operand(out, p0, r0),
            sources=tuple(sources),
            function=entry.function,
            flags=flags,
            item=entry.item,
            tail=out.tail(p1 - 1),
        )


def _transposes(entry: _Entry) -> Iterator[Symbolic]:
    line, (origin,) = entry.low.geometry.line, entry.sources
    out, source = entry.tensor(entry.dst), entry.tensor(origin)
    for square, (r0, r1) in enumerate(pieces(0, entry.rows, line)):
        for panel in range(source.panels):
            yield Symbolic(
                Opcode.TRANSPOSE,
                entry.operation,
                r1 - r0,
                item=entry.item,
                tail=source.tail(panel),
                dst=operand(out, square, entry.dst.row + panel * line),
                sources=(operand(source, panel, origin.row + r0),),
            )


def _stationary(entry: _Entry) -> Iterator[Symbolic]:
    low, (rows_at, panel_at) = entry.low, entry.sources
    line, a, b = low.geometry.line, entry.tensor(rows_at), entry.tensor(panel_at)
    for sub, n0 in enumerate(range(0, entry.panels, low.cols)):
        n = min(low.cols, entry.panels - n0)
        for k0, k1 in pieces(0, entry.tail, low.rows):
            yield Symbolic(
                Opcode.WLOAD,
                entry.operation,
                k1 - k0,
                item=b.item,
                sub0=sub,
                sources=(operand(b, panel_at.panel, k0),),
            )
            yield Symbolic(
                Opcode.MATMUL,
                entry.operation,
                entry.rows,
                item=a.item,
                tail=k1 - k0,
                sources=(operand(a, k0 // line, rows_at.row),),
                sub0=k0 % line // low.rows,
                sub1=sub,
                flags=entry.flags | (Flag.ACCUMULATE if k0 else Flag.NONE),
                tile=entry.tile,
                macs=entry.rows * (k1 - k0) * n,
            )


def _output(entry: _Entry) -> Iterator[Symbolic]:
    low, (columns_at, panel_at) = entry.low, entry.sources
    line, a, b = low.geometry.line, entry.tensor(columns_at), entry.tensor(panel_at)
    m0 = columns_at.row
    for r0, r1 in pieces(m0, m0 + entry.rows, low.rows):
        for sub, n0 in enumerate(range(0, entry.panels, low.cols)):
            n = min(low.cols, entry.panels - n0)
            for k0, k1 in pieces(0, entry.tail, entry.tile_line):
                yield Symbolic(
                    Opcode.MATMUL,
                    entry.operation,
                    k1 - k0,
                    item=b.item,
                    tail=r1 - r0,
                    sources=(operand(a, r0 // line, k0), operand(b, panel_at.panel, k0)),
                    sub0=r0 % line // low.rows,
                    sub1=sub,
                    tile=entry.tile,
                    flags=entry.flags | (Flag.ACCUMULATE if k0 else Flag.NONE),
                    macs=(k1 - k0) * (r1 - r0) * n,
                )
            yield Symbolic(
                Opcode.DRAIN,
                entry.operation,
                r1 - r0,
                flags=entry.flags,
                sub1=sub,
                tile=entry.tile,
                tile_line=r0 - m0,
            )


_EXPAND = {
    Kind.ONE: _one,
    Kind.BLOCKS: _blocks,
    Kind.TRANSPOSES: _transposes,
    Kind.STATIONARY: _stationary,
    Kind.OUTPUT: _output,
}

