"""The cycles of one GEMM on the array alone without its Program: ``gemm`` on arrays of any size.

There everything is loaded first, then all tiles follow one another, then the result leaves, so the total is a
sum under every dataflow. What the sum leaves out (a queue that is full, a weight tile that comes late, sums
that wait for the adder, a result of several instructions) is out of its domain.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.errors import ConfigError, OutOfDomain
from simulator.fast.program import Longs
from simulator.fast.shapes import shapes
from simulator.isa import ADDRESS_BITS
from simulator.machines.systolic import SystolicMachine
from simulator.timing import array_times

LONGEST: Final = 1 << 15  # lines of one instruction
ITEM_BYTES: Final = {"bfloat16": 2, "int8": 1}


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
        ConfigError: m, k or n is not an integer from 1 to 2^20, or there is no such data type.
    """
    if dtype not in ITEM_BYTES:
        raise ConfigError(f"dtype = {dtype!r}: {', '.join(ITEM_BYTES)} is allowed")
    sizes = np.broadcast_arrays(*shapes(m, k, n))
    cycles, limits = _sum(machine, sizes[0], sizes[1], sizes[2], ITEM_BYTES[dtype])
    for reason, holds in limits.items():
        if not np.all(holds):
            at = int(np.argmin(np.broadcast_to(holds, cycles.shape)))
            point = " x ".join(str(size.flat[at]) for size in sizes)
            raise OutOfDomain(f"GEMM {point} (point {at}): no sum, as {reason}")
    return cycles


def _up(x: Any, y: Any) -> Any:
    return -(-x // y)


def _sum(machine: SystolicMachine, m: Longs, k: Longs, n: Longs, item: int) -> tuple[Longs, dict[str, Any]]:
    """Cycles, and what has to hold for them, named by what is wrong where it does not."""
    unit, array = machine.matrix_unit, array_times(machine)
    rows, read, line = unit.rows, array.operand, machine.line_elements
    stationary, queue = unit.dataflow != "os", machine.sequencer.queue_depth
    down, across, stream = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[unit.dataflow]
    tiles_down, tiles_across = _up(down, rows), _up(across, unit.cols)
    folds = tiles_down * tiles_across
    moving = tiles_down * stream
    held = folds * rows if stationary else tiles_across * stream
    lines = tiles_across * (stream if stationary else down)
    rate = machine.hbm.bytes_per_cycle

    def transfer(count: Any, n_bytes: int) -> Any:
        return _up(count * (line * n_bytes * rate.denominator), rate.numerator)

    loaded = 1 + transfer(moving, item) + transfer(held, item) + max(machine.hbm.latency_cycles, read)
    if stationary:
        swap = array.rows_before_weights + array.weights_before_rows
        if not unit.overlap:
            fold = stream - 1 + array.result + array.weights_before_rows
        elif unit.weight_buffers == 1:
            fold = stream - 1 + swap
        else:
            fold = np.maximum(stream, swap)
        first = loaded + rows + array.weights_before_rows
        end = first + (folds - 1) * fold + read + stream - 1 + array.result + array.accumulate
        ready = swap if unit.overlap else array.result + array.weights_before_rows
        fifo = min(machine.weight_fifo.depth_tiles, queue - 1)
        in_time = (folds == 1) | ((fifo - 1) * fold + ready >= 2 * rows + read + 4)
        sums_wait = (tiles_down > 1) & (fold < array.accumulate)
    else:
        corner = (rows - 1) * unit.vertical_hop_cycles + (unit.cols - 1) * unit.horizontal_hop_cycles
        fold = read + stream * unit.pe_latency_cycles + corner
        end = loaded + (folds - 1) * (fold + rows) + fold + rows - 1 + array.accumulate
        in_time = np.True_
        sums_wait = (folds > 1) & (fold < array.accumulate)
    beats = _up(line, machine.vector_unit.lanes)
    copied = end + read + lines * beats + machine.vector_unit.alu_latency_cycles
    cycles: Longs = copied + read + transfer(lines, 4) + 1
    granules = ((moving + held) * item + 3 & ~3) + 4 * lines
    room = min(machine.buffer_granules, 1 << ADDRESS_BITS)
    limits = {
        "operands and result do not fit on chip together": (
            (granules <= room) & (lines <= machine.accumulators.lines)
        ),
        "a tensor takes more than one transfer": np.maximum(np.maximum(moving, held), lines) <= LONGEST,
        "the sequencer cannot run ahead of the array": (queue >= 2) & (fold >= 4),
        "weights come later than the array takes them": in_time,
        "sums wait for the adder": ~sums_wait,
    }
    return cycles, limits
