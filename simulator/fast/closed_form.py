"""The cycles of one whole GEMM without its Program, for millions of shapes and machines at a time.

``gemm_cycles`` gives what ``gemm`` would: the Program that the compiler makes of ``C[m,n] = A[m,k] B[k,n]``
on a weight-stationary array with two weight buffers, timed from its first load to the end of its HALT. Inside
its domain the array sets the pace: with the first tile and the first rows there, nothing but the array waits
for anything, so the total is a sum. The domain is a list of inequalities, each of which says that one of the
waits of ``docs/timing.md`` does not happen. They suffice; some points beyond them would have the same sum.

All numbers are whole and held as doubles, which are exact far beyond the cycles that are let through.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.errors import ConfigError, OutOfDomain
from simulator.fast.designs import check_column
from simulator.fast.program import Longs
from simulator.fast.shapes import shapes
from simulator.machines.systolic import SystolicMachine

Doubles = npt.NDArray[np.float64]
Inside = npt.NDArray[np.bool_]

AT_A_TIME: Final = 16384
MOST_CYCLES: Final = 2.0**50
ITEM_BYTES: Final = {"bfloat16": 2.0, "int8": 1.0}
# What the compiler does (docs/compiler.md).
BLOCKS_THAT_FIT, LONGEST_CHUNK, LOOK_AHEAD, STORE_DELAY = 16, 1024, 64, 8
MOST_TILES: Final = 1 << 22
# Fields that the form depends on, and that may differ from point to point.
FIELDS: Final = {
    "hbm.bytes_per_cycle": "rate",
    "hbm.latency_cycles": "memory",
    "hbm.capacity_bytes": "memory_bytes",
    "unified_buffer.capacity_bytes": "buffer_bytes",
    "unified_buffer.read_latency_cycles": "read",
    "weight_fifo.depth_tiles": "fifo",
    "matrix_unit.rows": "rows",
    "matrix_unit.cols": "cols",
    "matrix_unit.pe_latency_cycles": "pe",
    "matrix_unit.horizontal_hop_cycles": "across",
    "matrix_unit.vertical_hop_cycles": "down",
    "accumulators.lines": "sums",
    "accumulators.adder_latency_cycles": "adder",
    "vector_unit.lanes": "lanes",
    "vector_unit.alu_latency_cycles": "alu",
    "sequencer.queue_depth": "queue",
}


def gemm_cycles(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    dtype: str = "bfloat16",
    fields: Mapping[str, npt.ArrayLike] | None = None,
) -> Longs:
    """Cycles of each of many GEMMs, operands and result in HBM and not transposed.

    ``fields`` lets the machine differ from point to point, ``{"matrix_unit.rows": [64, 128]}``; a rate is
    then whole bytes per cycle.

    Shapes: m, k, n and fields broadcast together.

    Raises:
        OutOfDomain: the form does not hold for a point; names the first and why.
        ConfigError: a field or data type does not exist or does not take a value.
    """
    columns = _columns(machine, m, k, n, dtype, fields or {})
    found, inside = _in_parts(columns)
    if not inside.all():
        at = int(np.argmin(inside))
        shape = inside.shape
        point = {name: np.broadcast_to(column, shape).flat[at] for name, column in columns.items()}
        _, limits = _gemm(SimpleNamespace(**point))
        broken = next(name for name, holds in limits.items() if not holds)
        sizes = " x ".join(f"{point[name]:.0f}" for name in ("m", "k", "n"))
        raise OutOfDomain(f"GEMM {sizes} (point {at}): no closed form, as {broken}")
    return found


def gemm_cycles_where(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    dtype: str = "bfloat16",
    fields: Mapping[str, npt.ArrayLike] | None = None,
) -> tuple[Longs, Inside]:
    """The same, and which points are in the domain; the cycles of the others are 0."""
    return _in_parts(_columns(machine, m, k, n, dtype, fields or {}))


def _in_parts(columns: Mapping[str, Doubles]) -> tuple[Longs, Inside]:
    """A few thousand points at a time, so that their numbers stay in the processor's cache."""
    shape = np.broadcast_shapes(*(column.shape for column in columns.values()))
    flat = {
        name: column.reshape(1) if column.size == 1 else np.broadcast_to(column, shape).reshape(-1)
        for name, column in columns.items()
    }
    size = int(np.prod(shape))
    cycles, inside = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.bool_)
    for start in range(0, size, AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        point = {name: column if len(column) == 1 else column[part] for name, column in flat.items()}
        total, limits = _gemm(SimpleNamespace(**point))
        holds: Any = True
        for limit in limits.values():
            holds = holds & limit
        inside[part] = holds
        cycles[part] = total * holds
    return cycles.reshape(shape), inside.reshape(shape)


def _columns(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    dtype: str,
    fields: Mapping[str, npt.ArrayLike],
) -> dict[str, Doubles]:
    """All numbers that the form needs, as doubles.

    Raises:
        OutOfDomain: the array is none that the form is for.
        ConfigError: a number is not whole, or a field does not exist or does not take it.
    """
    unit = machine.matrix_unit
    if unit.dataflow != "ws" or unit.weight_buffers != 2 or not unit.overlap:
        raise OutOfDomain(
            f"{machine.name}: a closed form exists for weight-stationary arrays with two weight buffers "
            "that overlap"
        )
    if dtype not in ITEM_BYTES:
        raise ConfigError(f"dtype = {dtype!r}: {', '.join(ITEM_BYTES)} is allowed")
    found: dict[str, Doubles] = {"item": np.array(ITEM_BYTES[dtype])}
    for path, name in FIELDS.items():
        table, field = path.split(".")
        value = getattr(getattr(machine, table), field)
        found[name] = np.array(float(value.numerator))
        if name == "rate":
            found["per"] = np.array(float(value.denominator))
    for path, values in fields.items():
        if path not in FIELDS:
            raise ConfigError(f"{path}: not among the fields that may differ: {', '.join(FIELDS)}")
        column = np.asarray(values)
        check_column(machine, path, column.reshape(-1))
        found[FIELDS[path]] = column.astype(np.float64)
        if path == "hbm.bytes_per_cycle":
            found["per"] = np.array(1.0)
    for name, sizes in zip("mkn", shapes(m, k, n), strict=True):
        found[name] = sizes.astype(np.float64)
    return found


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


def _gemm(p: Any) -> tuple[Doubles, dict[str, Inside]]:
    """Cycles, and what has to hold for them, named by what is wrong where it does not."""
    rows, cols, m, k, n, size = p.rows, p.cols, p.m, p.k, p.n, p.item
    line = np.maximum(np.maximum(rows, cols), p.lanes)
    read, memory = p.read, np.maximum(p.memory, p.read)

    # How the compiler cuts tensors: blocks of a panel and ``chunk`` rows, accumulator tiles of ``tile`` rows.
    lines_that_fit = np.floor(p.buffer_bytes / (4 * line))
    fitting = _largest_power(np.maximum(lines_that_fit / BLOCKS_THAT_FIT, 1))
    chunk = np.maximum(line, np.minimum(fitting, LONGEST_CHUNK))
    tile = np.minimum(_largest_power(np.maximum(np.floor(p.sums / 2), 1)), chunk)
    panels_k, panels_n = _up(k, line), _up(n, line)
    chunks_m, chunks_k = _up(m, chunk), _up(k, chunk)
    group_m, group_k = np.maximum(1, np.floor(line / m)), np.maximum(1, np.floor(line / k))
    blocks_a, blocks_b = _up(panels_k, group_m) * chunks_m, _up(panels_n, group_k) * chunks_k
    blocks, blocks_c = blocks_a + blocks_b, _up(panels_n, group_m) * chunks_m

    # The array: ``steps`` x ``subs`` tiles of weights; the rows of a piece of m stream past each.
    steps, subs = _up(k, rows), _up(n, cols)
    down, delay = p.down, p.pe + p.down - 1
    result = rows * delay + (cols - 1) * p.across
    in_place = np.maximum(1 + (rows - 1) * np.maximum(0, 1 + down - delay), rows - 1) - read
    release = read + 1 + (rows - 1) * np.maximum(0, delay - 1 - down)
    swap = release + in_place  # the shortest time from tile to tile; at least ``rows``
    whole = np.floor(m / tile)
    ragged = m - whole * tile
    pieces = whole + (ragged > 0)
    full, last = np.minimum(m, tile), np.where(ragged > 0, ragged, tile)
    per_full, per_last = np.maximum(full, swap), np.maximum(last, swap)
    fill = read - 1 + result + p.adder  # a MATMUL's start to its end, but for its rows
    array = steps * subs * ((pieces - 1) * per_full + per_last) - per_last

    # Before the first MATMUL starts, and after the last one has ended.
    beats = _up(line, p.lanes)
    copy, copy_last = (read + p.alu + length * beats for length in (full, last))
    per_line = line * p.per
    load_a = _up(np.minimum(m, chunk) * np.minimum(group_m, panels_k) * size * per_line, p.rate)
    load_b = _up(np.minimum(k, chunk) * np.minimum(group_k, panels_n) * size * per_line, p.rate)
    store = _up(np.minimum(m, chunk) * np.minimum(group_m, panels_n) * 4 * per_line, p.rate)
    rows_last, panels_last = m - (chunks_m - 1) * chunk, panels_n - (_up(panels_n, group_m) - 1) * group_m
    store_last = _up(rows_last * panels_last * 4 * per_line, p.rate)
    into_array = read + rows + in_place  # a weight tile in the buffer to the start of its MATMUL
    first = np.maximum(1 + load_b + memory + into_array, np.maximum(3, 1 + load_b) + load_a + memory)
    total = first + array + fill + last + copy_last + read + store_last + 1

    # The domain. ``shortest``: between two MATMULs; a tile of C takes at least ``least`` of them.
    shortest = np.minimum(per_full, per_last)
    least = steps * _up(n - (panels_n - 1) * line, cols)
    tiles = pieces * panels_n
    one = tiles == 1
    # From the end of one tile's last MATMUL to that of the next's, whichever of the two is ragged.
    ends = np.minimum(
        np.where(ragged > 0, per_full + (least - 1) * per_last + last - full, least * per_full),
        np.where(ragged > 0, per_last + (least - 1) * per_full + full - last, least * per_full),
    )
    slots = np.minimum(np.floor(p.sums / tile), p.queue)
    fifo = np.minimum(p.fifo, p.queue - 1)
    taken = size * (m * panels_k + k * panels_n) + 4 * m * panels_n + 4 * (blocks + blocks_c)
    per_step = (chunks_k > 1) * load_b * rows / chunk + (panels_k > 1) * load_a * rows / line
    of_tile = store + chunks_k * load_b + _up(panels_k, group_m) * load_a
    instructions = pieces * (2 * steps * subs + panels_n)
    before_store = np.minimum(pieces, chunk / tile) * (2 * steps * np.minimum(subs, line / cols) + 1)
    ahead = LOOK_AHEAD // 3  # MATMULs by which a load is dispatched early at least
    delayed = fill + full + copy + store + load_a + load_b + memory + into_array
    limits = {
        "a size of the machine is no power of two": (
            _power_of_two(rows) & _power_of_two(cols) & _power_of_two(p.lanes)
        ),
        "there are too many cycles to count in doubles": (
            (total < MOST_CYCLES) & (4 * chunk * per_line < MOST_CYCLES)
        ),
        "operands and result do not fit the unified buffer together, or not HBM": (
            (taken <= 4 * lines_that_fit) & (lines_that_fit >= BLOCKS_THAT_FIT * chunk)
            & (taken * line <= p.memory_bytes)
        ),
        "there are too many tiles to compile": steps * subs * pieces <= MOST_TILES,
        "the sequencer cannot run ahead of the array": (
            (blocks + blocks_c <= p.queue) & (shortest >= 6)
            & (first >= blocks + 4) & (first + release >= blocks + 8 + read + rows)
        ),
        "weights come later than the array takes them": (
            ((steps * subs * pieces == 1) | ((fifo - 1) * shortest + swap >= 2 * rows + read + 4))
            & ((steps == 1) | (shortest >= p.adder))
        ),
        "the vector unit is behind the array": one | (ends >= copy),
        "the accumulators are not free in time": (
            (tiles <= slots) | (shortest + (slots - 1) * least * shortest >= fill + full + copy)
        ),
        "memory is behind the array": (
            (per_step <= shortest) & (one | (of_tile + copy - copy_last <= ends))
            & ((instructions <= LOOK_AHEAD) | (load_a + load_b + memory + into_array <= ahead * shortest))
            & ((instructions <= before_store + STORE_DELAY + LOOK_AHEAD)
               | (delayed <= (STORE_DELAY + LOOK_AHEAD) // 3 * shortest))
        ),
    }  # fmt: skip
    return total, limits
