"""The cycles of one GEMM on the array alone without its Program: ``gemm`` on arrays of any size.

There everything is loaded first, then all tiles follow one another, then the result leaves, so the total is a
sum under every dataflow. What the sum leaves out (a queue that is full, a weight tile that comes late, sums
that wait for the adder, a result of several instructions) is out of its domain.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.errors import OutOfDomain
from simulator.fast.program import Longs
from simulator.fast.shapes import Inside, item_bytes, shapes
from simulator.isa import ADDRESS_BITS
from simulator.machines.arguments import check_systolic
from simulator.machines.systolic import SystolicMachine
from simulator.timing import array_times

LONGEST: Final = 1 << 15  # lines of one instruction


def array_gemm_cycles(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    dtype: str = "bfloat16",
) -> Longs:
    """Cycles of each of many GEMMs whose operands lie in HBM as the array wants them.

    Shapes: m, k and n broadcast together.

    Raises:
        OutOfDomain: the sum does not hold for a point; names the first and why.
        ConfigError: an argument is none that is allowed, or shapes do not broadcast.
    """
    sizes = np.broadcast_arrays(*shapes(m, k, n))
    cycles, limits = _checked(machine, sizes[0], sizes[1], sizes[2], dtype)
    for reason, holds in limits.items():
        if not np.all(holds):
            at = int(np.argmin(np.broadcast_to(holds, cycles.shape)))
            point = " x ".join(str(size.flat[at]) for size in sizes)
            raise OutOfDomain(f"GEMM {point} (point {at}): no sum, as {reason}")
    return cycles


def array_gemm_cycles_where(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    dtype: str = "bfloat16",
) -> tuple[Longs, Inside]:
    """The same, and which points are in the domain; the cycles of the others mean nothing."""
    cycles, limits = _checked(machine, *shapes(m, k, n), dtype)
    inside: Any = True
    for holds in limits.values():
        inside = inside & holds
    return cycles, np.broadcast_to(inside, cycles.shape)


def _checked(
    machine: SystolicMachine, m: Longs, k: Longs, n: Longs, dtype: str
) -> tuple[Longs, dict[str, Any]]:
    check_systolic(machine)
    return _sum(machine, m, k, n, item_bytes(dtype))


def _up(x: Any, y: Any) -> Any:
    return -(-x // y)


class _Array(NamedTuple):
    """What the array does, once everything is loaded."""

    fold: Any  # cycles from fold to fold
    end: Any  # the last sum is in the accumulators
    in_time: Any  # weights are there when they are needed
    sums_wait: Any  # for the adder


def _sum(machine: SystolicMachine, m: Longs, k: Longs, n: Longs, item: int) -> tuple[Longs, dict[str, Any]]:
    """Cycles, and what has to hold for them, named by what is wrong where it does not."""
    unit, line, read = machine.matrix_unit, machine.line_elements, machine.unified_buffer.read_latency_cycles
    stationary, rate = unit.dataflow != "os", machine.hbm.bytes_per_cycle
    down, across, stream = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[unit.dataflow]
    tiles_down, tiles_across = _up(down, unit.rows), _up(across, unit.cols)
    moving = tiles_down * stream
    held = tiles_down * tiles_across * unit.rows if stationary else tiles_across * stream
    lines = tiles_across * (stream if stationary else down)

    def transfer(count: Any, n_bytes: int) -> Any:
        return _up(count * (line * n_bytes * rate.denominator), rate.numerator)

    loaded = 1 + transfer(moving, item) + transfer(held, item) + max(machine.hbm.latency_cycles, read)
    passes = _weights_stay if stationary else _sums_stay
    array = passes(machine, loaded, tiles_down, tiles_across, stream)
    beats = _up(line, machine.vector_unit.lanes)
    copied = array.end + read + lines * beats + machine.vector_unit.alu_latency_cycles
    cycles: Longs = copied + read + transfer(lines, 4) + 1
    granules = ((moving + held) * item + 3 & ~3) + 4 * lines
    room = min(machine.buffer_granules, 1 << ADDRESS_BITS)
    limits = {
        "operands and result do not fit on chip together": (
            (granules <= room) & (lines <= machine.accumulators.lines)
        ),
        "a tensor takes more than one transfer": np.maximum(np.maximum(moving, held), lines) <= LONGEST,
        "the sequencer cannot run ahead of the array": (
            (machine.sequencer.queue_depth >= 2) & (array.fold >= 4)
        ),
        "weights come later than the array takes them": array.in_time,
        "sums wait for the adder": ~array.sums_wait,
    }
    return cycles, limits


def _weights_stay(machine: SystolicMachine, loaded: Any, down: Any, across: Any, stream: Any) -> _Array:
    """Weights, or inputs, stay: ``down`` x ``across`` tiles are shifted in, and ``stream`` rows pass each."""
    unit, array = machine.matrix_unit, array_times(machine)
    swap = array.rows_before_weights + array.weights_before_rows
    if not unit.overlap:
        fold = stream - 1 + array.result + array.weights_before_rows
    elif unit.weight_buffers == 1:
        fold = stream - 1 + swap
    else:
        fold = np.maximum(stream, swap)
    folds = down * across
    first = loaded + unit.rows + array.weights_before_rows
    end = first + (folds - 1) * fold + array.operand + stream - 1 + array.result + array.accumulate
    ready = swap if unit.overlap else array.result + array.weights_before_rows
    fifo = min(machine.weight_fifo.depth_tiles, machine.sequencer.queue_depth - 1)
    in_time = (folds == 1) | ((fifo - 1) * fold + ready >= 2 * unit.rows + array.operand + 4)
    return _Array(fold, end, in_time, (down > 1) & (fold < array.accumulate))


def _sums_stay(machine: SystolicMachine, loaded: Any, down: Any, across: Any, stream: Any) -> _Array:
    """``down`` x ``across`` tiles of sums stay until ``stream`` operands have passed, and are shifted out."""
    unit, array = machine.matrix_unit, array_times(machine)
    corner = (unit.rows - 1) * unit.vertical_hop_cycles + (unit.cols - 1) * unit.horizontal_hop_cycles
    fold = array.operand + stream * unit.pe_latency_cycles + corner
    folds = down * across
    end = loaded + (folds - 1) * (fold + unit.rows) + fold + unit.rows - 1 + array.accumulate
    return _Array(fold, end, np.True_, (folds > 1) & (fold < array.accumulate))
