"""The sum over the array's passes that a whole GEMM takes, and the limits inside which it holds.

The numbers of a point (``closed_form.FIELDS`` names them) are taken apart in turn: how the compiler cuts the
tensors, what the array then does, and what comes before and after it. All are whole, and held as doubles.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.fast.shapes import Inside

Doubles = npt.NDArray[np.float64]

MOST_CYCLES: Final = 2.0**50
# What the compiler does (docs/compiler.md).
BLOCKS_THAT_FIT, LONGEST_CHUNK, LOOK_AHEAD, STORE_DELAY = 16, 1024, 64, 8
MOST_TILES: Final = 1 << 22


class _Cuts(NamedTuple):
    """How the compiler cuts tensors: blocks of a panel and ``chunk`` rows, accumulator tiles of ``tile``."""

    line: Doubles
    lines_that_fit: Doubles
    chunk: Doubles
    tile: Doubles
    panels_k: Doubles
    panels_n: Doubles
    chunks_m: Doubles
    chunks_k: Doubles
    group_m: Doubles  # panels of m, of k that share a block
    group_k: Doubles
    blocks: Doubles  # of the operands
    blocks_c: Doubles


def _cuts(p: Any) -> _Cuts:
    line = np.maximum(np.maximum(p.rows, p.cols), p.lanes)
    lines_that_fit = np.floor(p.buffer_bytes / (4 * line))
    fitting = _largest_power(np.maximum(lines_that_fit / BLOCKS_THAT_FIT, 1))
    chunk = np.maximum(line, np.minimum(fitting, LONGEST_CHUNK))
    tile = np.minimum(_largest_power(np.maximum(np.floor(p.sums / 2), 1)), chunk)
    panels_k, panels_n = _up(p.k, line), _up(p.n, line)
    chunks_m, chunks_k = _up(p.m, chunk), _up(p.k, chunk)
    group_m, group_k = np.maximum(1, np.floor(line / p.m)), np.maximum(1, np.floor(line / p.k))
    blocks = _up(panels_k, group_m) * chunks_m + _up(panels_n, group_k) * chunks_k
    blocks_c = _up(panels_n, group_m) * chunks_m
    return _Cuts(
        *(line, lines_that_fit, chunk, tile, panels_k, panels_n),
        *(chunks_m, chunks_k, group_m, group_k, blocks, blocks_c),
    )


class _Passes(NamedTuple):
    """The array: ``steps`` x ``subs`` tiles of weights, past each of which ``pieces`` of m stream."""

    steps: Doubles
    subs: Doubles
    pieces: Doubles
    ragged: Doubles  # rows of the last piece, 0 where it is as long as the others
    full: Doubles  # rows of a piece, and of the last
    last: Doubles
    per_full: Doubles  # from the start of a piece's MATMUL to the next one's
    per_last: Doubles
    release: Doubles  # a MATMUL's start to the next tile's first line entering the array
    in_place: Doubles  # that to the tile's own MATMUL
    fill: Doubles  # a MATMUL's start to its end, but for its rows
    cycles: Doubles  # the first MATMUL's start to the last one's


def _passes(p: Any, cuts: _Cuts) -> _Passes:
    rows, cols, read = p.rows, p.cols, p.read
    steps, subs = _up(p.k, rows), _up(p.n, cols)
    down, delay = p.down, p.pe + p.down - 1
    result = rows * delay + (cols - 1) * p.across
    in_place = np.maximum(1 + (rows - 1) * np.maximum(0, 1 + down - delay), rows - 1) - read
    release = read + 1 + (rows - 1) * np.maximum(0, delay - 1 - down)
    swap = release + in_place  # the shortest time from tile to tile; at least ``rows``
    whole = np.floor(p.m / cuts.tile)
    ragged = p.m - whole * cuts.tile
    pieces = whole + (ragged > 0)
    full, last = np.minimum(p.m, cuts.tile), np.where(ragged > 0, ragged, cuts.tile)
    per_full, per_last = np.maximum(full, swap), np.maximum(last, swap)
    fill = read - 1 + result + p.adder
    cycles = steps * subs * ((pieces - 1) * per_full + per_last) - per_last
    return _Passes(
        *(steps, subs, pieces, ragged, full, last),
        *(per_full, per_last, release, in_place, fill, cycles),
    )


class _Ends(NamedTuple):
    """What comes before the first MATMUL starts, and after the last one has ended."""

    memory: Doubles  # latency
    copy: Doubles  # of a tile of C out of the accumulators
    copy_last: Doubles
    load_a: Doubles  # of a block, as is ``store``
    load_b: Doubles
    store: Doubles
    store_last: Doubles
    into_array: Doubles  # a weight tile in the buffer to the start of its MATMUL
    first: Doubles  # when the first MATMUL starts


def _ends(p: Any, cuts: _Cuts, passes: _Passes) -> _Ends:
    line, chunk, group_m, read = cuts.line, cuts.chunk, cuts.group_m, p.read
    memory, beats, per_line = np.maximum(p.memory, read), _up(line, p.lanes), line * p.per
    copy, copy_last = (read + p.alu + length * beats for length in (passes.full, passes.last))
    of_a = np.minimum(p.m, chunk) * np.minimum(group_m, cuts.panels_k)
    of_b = np.minimum(p.k, chunk) * np.minimum(cuts.group_k, cuts.panels_n)
    of_c = np.minimum(p.m, chunk) * np.minimum(group_m, cuts.panels_n)
    panels_last = cuts.panels_n - (_up(cuts.panels_n, group_m) - 1) * group_m
    of_c_last = (p.m - (cuts.chunks_m - 1) * chunk) * panels_last
    load_a, load_b = (_up(lines * p.item * per_line, p.rate) for lines in (of_a, of_b))
    store, store_last = (_up(lines * 4 * per_line, p.rate) for lines in (of_c, of_c_last))
    into_array = read + p.rows + passes.in_place
    first = np.maximum(1 + load_b + memory + into_array, np.maximum(3, 1 + load_b) + load_a + memory)
    return _Ends(memory, copy, copy_last, load_a, load_b, store, store_last, into_array, first)


def gemm_form(p: Any) -> tuple[Doubles, dict[str, Inside]]:
    """Cycles, and what has to hold for them, named by what is wrong where it does not."""
    cuts = _cuts(p)
    passes = _passes(p, cuts)
    ends = _ends(p, cuts, passes)
    after = passes.fill + passes.last + ends.copy_last + p.read + ends.store_last + 1
    total = ends.first + passes.cycles + after
    return total, {**_fits(p, cuts, passes, total), **_in_time(p, cuts, passes, ends)}


def _fits(p: Any, cuts: _Cuts, passes: _Passes, total: Doubles) -> dict[str, Inside]:
    """Limits of sizes."""
    line, chunk, lines_that_fit = cuts.line, cuts.chunk, cuts.lines_that_fit
    taken = p.item * (p.m * cuts.panels_k + p.k * cuts.panels_n) + 4 * p.m * cuts.panels_n
    taken = taken + 4 * (cuts.blocks + cuts.blocks_c)
    return {
        "a size of the machine is no power of two": (
            _power_of_two(p.rows) & _power_of_two(p.cols) & _power_of_two(p.lanes)
        ),
        "there are too many cycles to count in doubles": (
            (total < MOST_CYCLES) & (4 * chunk * line * p.per < MOST_CYCLES)
        ),
        "operands and result do not fit the unified buffer together, or not HBM": (
            (taken <= 4 * lines_that_fit) & (lines_that_fit >= BLOCKS_THAT_FIT * chunk)
            & (taken * line <= p.memory_bytes)
        ),
        "there are too many tiles to compile": passes.steps * passes.subs * passes.pieces <= MOST_TILES,
    }  # fmt: skip


def _in_time(p: Any, cuts: _Cuts, passes: _Passes, ends: _Ends) -> dict[str, Inside]:
    """Limits of time: nothing but the array waits.

    ``shortest``: between two MATMULs; a tile of C takes at least ``least`` of them.
    """
    rows, chunk, read, adder = p.rows, cuts.chunk, p.read, p.adder
    steps, subs, pieces, ragged, full, last, per_full, per_last, *_ = passes
    memory, copy, copy_last, load_a, load_b, store, _, into_array, first = ends
    shortest = np.minimum(per_full, per_last)
    least = steps * _up(p.n - (cuts.panels_n - 1) * cuts.line, p.cols)
    tiles = pieces * cuts.panels_n
    one = tiles == 1
    # From the end of one tile's last MATMUL to that of the next's, whichever of the two is ragged.
    between = np.minimum(
        np.where(ragged > 0, per_full + (least - 1) * per_last + last - full, least * per_full),
        np.where(ragged > 0, per_last + (least - 1) * per_full + full - last, least * per_full),
    )
    slots = np.minimum(np.floor(p.sums / cuts.tile), p.queue)
    fifo = np.minimum(p.fifo, p.queue - 1)
    per_step = (cuts.chunks_k > 1) * load_b * rows / chunk + (cuts.panels_k > 1) * load_a * rows / cuts.line
    of_tile = store + cuts.chunks_k * load_b + _up(cuts.panels_k, cuts.group_m) * load_a
    instructions = pieces * (2 * steps * subs + cuts.panels_n)
    before_store = np.minimum(pieces, chunk / cuts.tile)
    before_store = before_store * (2 * steps * np.minimum(subs, cuts.line / p.cols) + 1)
    ahead = LOOK_AHEAD // 3  # MATMULs by which a load is dispatched early at least
    fetched = load_a + load_b + memory + into_array
    delayed = passes.fill + full + copy + store + fetched
    return {
        "the sequencer cannot run ahead of the array": (
            (cuts.blocks + cuts.blocks_c <= p.queue) & (shortest >= 6)
            & (first >= cuts.blocks + 4) & (first + passes.release >= cuts.blocks + 8 + read + rows)
        ),
        "weights come later than the array takes them": (
            ((steps * subs * pieces == 1)
             | ((fifo - 1) * shortest + passes.release + passes.in_place >= 2 * rows + read + 4))
            & ((steps == 1) | (shortest >= adder))
        ),
        "the vector unit is behind the array": one | (between >= copy),
        "the accumulators are not free in time": (
            (tiles <= slots) | (shortest + (slots - 1) * least * shortest >= passes.fill + full + copy)
        ),
        "memory is behind the array": (
            (per_step <= shortest) & (one | (of_tile + copy - copy_last <= between))
            & ((instructions <= LOOK_AHEAD) | (fetched <= ahead * shortest))
            & ((instructions <= before_store + STORE_DELAY + LOOK_AHEAD)
               | (delayed <= (STORE_DELAY + LOOK_AHEAD) // 3 * shortest))
        ),
    }  # fmt: skip


def _up(x: Doubles, y: Doubles | float) -> Doubles:
    """ceil(x / y) of whole numbers below 2^51."""
    up: Doubles = np.ceil(x / y)
    return up


def _power_of_two(x: Doubles) -> Inside:
    holds: Inside = np.frexp(x)[0] == 0.5
    return holds


def _largest_power(x: Doubles) -> Doubles:
    """The largest power of two that is not more than x."""
    power: Doubles = np.ldexp(1.0, np.frexp(x)[1] - 1)
    return power
