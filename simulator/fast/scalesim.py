"""The cycles that ``gemm --compat scalesim`` finds, as a sum over folds: SCALE-Sim 3's own numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.errors import OutOfDomain
from simulator.fast.program import Longs
from simulator.fast.shapes import Inside, shapes
from simulator.machines.arguments import check_systolic
from simulator.machines.systolic import SystolicMachine
from simulator.timing import array_times

LONGEST_STREAM = 1 << 15  # rows of one MATMUL


def scalesim_cycles(
    machine: SystolicMachine, m: npt.ArrayLike, k: npt.ArrayLike, n: npt.ArrayLike
) -> Longs:
    """Cycles of each of many GEMMs with one weight buffer, no overlap and memories that nobody waits for.

    A fold takes as long whether the array is full or not, so all that counts is how many there are. They are
    counted as the index of the last cycle, which is one less than their number.

    Shapes: m, k and n broadcast together.

    Raises:
        OutOfDomain: a stream past the array longer than one MATMUL, or sums that wait for the adder.
        ConfigError: an argument is none that is allowed, or shapes do not broadcast.

    Source: SCALE-Sim v3, compute simulation without memory stalls.
    """
    cycles, inside, stream, fold = _sum(machine, *shapes(m, k, n))
    if not inside.all():
        at = int(np.argmin(inside))
        rows, taken = (int(np.broadcast_to(column, inside.shape).flat[at]) for column in (stream, fold))
        if rows > LONGEST_STREAM:
            raise OutOfDomain(f"a stream of {rows} past the array: at most {LONGEST_STREAM}")
        adder = machine.accumulators.adder_latency_cycles
        raise OutOfDomain(f"accumulators.adder_latency_cycles = {adder}: a fold takes {taken} cycles")
    return cycles


def scalesim_cycles_where(
    machine: SystolicMachine, m: npt.ArrayLike, k: npt.ArrayLike, n: npt.ArrayLike
) -> tuple[Longs, Inside]:
    """The same, and which points are in the domain; the cycles of the others mean nothing."""
    return _sum(machine, *shapes(m, k, n))[:2]


def _sum(machine: SystolicMachine, m: Longs, k: Longs, n: Longs) -> tuple[Longs, Inside, Longs, Longs]:
    """Cycles, whether they hold, and the stream and a fold's cycles that this depends on."""
    check_systolic(machine)
    unit, array = machine.matrix_unit, array_times(machine)
    down, across, stream = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[unit.dataflow]
    folds = np.multiply(-(-down // unit.rows), -(-across // unit.cols), dtype=np.int64)
    if unit.dataflow == "os":
        corner = (unit.rows - 1) * unit.vertical_hop_cycles + (unit.cols - 1) * unit.horizontal_hop_cycles
        fold, hidden = stream * unit.pe_latency_cycles + corner, array.operand
        waits = folds > 1
    else:
        fold, hidden = array.weights_before_rows + stream - 1 + array.result, 0
        waits = down > unit.rows
    cycles: Longs = folds * fold - 1
    inside: Inside = (stream <= LONGEST_STREAM) & ((fold + hidden >= array.accumulate) | ~waits)
    return cycles, np.broadcast_to(inside, cycles.shape), stream, fold
