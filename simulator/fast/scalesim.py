"""The cycles that ``gemm --compat scalesim`` finds, as a sum over folds: SCALE-Sim 3's own numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.errors import OutOfDomain
from simulator.fast.program import Longs
from simulator.fast.shapes import shapes
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
        ConfigError: m, k or n is not an integer from 1 to 2^20.

    Source: SCALE-Sim v3, compute simulation without memory stalls.
    """
    unit, array = machine.matrix_unit, array_times(machine)
    m, k, n = shapes(m, k, n)
    down, across, stream = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[unit.dataflow]
    if stream.max() > LONGEST_STREAM:
        raise OutOfDomain(f"a stream of {stream.max()} past the array: at most {LONGEST_STREAM}")
    folds = np.multiply(-(-down // unit.rows), -(-across // unit.cols), dtype=np.int64)
    if unit.dataflow == "os":
        corner = (unit.rows - 1) * unit.vertical_hop_cycles + (unit.cols - 1) * unit.horizontal_hop_cycles
        fold, hidden = stream * unit.pe_latency_cycles + corner, array.operand
        waits = folds > 1
    else:
        fold, hidden = array.weights_before_rows + stream - 1 + array.result, 0
        waits = down > unit.rows
    if fold.min() + hidden < array.accumulate and waits.any():
        raise OutOfDomain(
            f"accumulators.adder_latency_cycles = {array.accumulate}: a fold takes {fold.min()} cycles"
        )
    cycles: Longs = folds * fold - 1
    return cycles
