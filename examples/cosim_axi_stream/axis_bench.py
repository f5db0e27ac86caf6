"""An array with AXI-Stream ports in pulsetrain's bench: its adapter and its test, with random back-pressure.

Run: python examples/cosim_axi_stream/axis_bench.py [FAULT]
"""

import sys
from pathlib import Path
from typing import ClassVar

import cocotb

from simulator.cosim.bench import Adapter, Latency, ValidReady, run, simulate

ROWS = COLS = 4
SOURCES = [Path(__file__).with_name("axis_systolic.sv")]


class AxisSystolic(Adapter):
    """Weights and activations enter on two streams, sums leave one by one on a third."""

    rows, cols, dtype, dataflow = ROWS, COLS, "int8", "ws"
    clock, reset = "aclk", "aresetn"
    inputs: ClassVar = {
        "weights": ValidReady.axi_stream("s_axis_w"),
        "activations": ValidReady.axi_stream("s_axis_a", last=True),
    }
    output = ValidReady.axi_stream("m_axis", last=True)

    def beats(self, port, tile):
        """The bottom row's weights first, for they shift down; activations row by row."""
        return tile.held[::-1] if port == "weights" else tile.streamed


@cocotb.test()
async def values_and_cycles(dut):
    """Ragged and whole tiles, with pauses and without: every sum equal to the bit, and in its cycle."""
    gemms = [(1, 1, 1), (4, 4, 4), (9, 10, 6), (3, 17, 5)]
    due = Latency("activations", ROWS + COLS)
    for back_pressure in (0.0, 0.3, {"results": 0.8}, {"weights": 0.5, "activations": 0.8}):
        await run(dut, AxisSystolic(), gemms=gemms, seed=7, back_pressure=back_pressure, cycles=due)


if __name__ == "__main__":
    size = {"ROWS": ROWS, "COLS": COLS, "FAULT": int(*sys.argv[1:2] or "0")}
    outcome = simulate(SOURCES, "axis_systolic", "axis_bench", parameters=size, check=False)
    print(outcome.log, *outcome.failures)
    sys.exit(bool(outcome.failures))
