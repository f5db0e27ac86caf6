"""A co-simulation bench for systolic arrays of other people: adapter, driver, monitor, model and checker.

An RTL engineer subclasses ``Adapter`` (clock, reset, how operands enter, how results leave) and calls
``await run(dut, adapter, gemms=...)`` in a cocotb test of their own; ``simulate`` builds and runs such a test
from pytest or a script. ``examples/cosim_axi_stream`` does both.
"""

from importlib.util import find_spec

if find_spec("cocotb_tools") is None:  # what cocotb 2 brings and cocotb 1 does not
    raise ImportError("simulator.cosim.bench needs cocotb 2.1 or later: pip install 'cocotb>=2.1'")

from simulator.cosim.bench.adapter import Adapter, Sample, ValidReady, pack
from simulator.cosim.bench.bench import Summary, run
from simulator.cosim.bench.checker import Divergence
from simulator.cosim.bench.context import Context
from simulator.cosim.bench.cycles import Expectation, Latency, Moment, after_array
from simulator.cosim.bench.model import Gemm, Tile
from simulator.cosim.bench.runner import simulate

__all__ = [
    "Adapter",
    "Context",
    "Divergence",
    "Expectation",
    "Gemm",
    "Latency",
    "Moment",
    "Sample",
    "Summary",
    "Tile",
    "ValidReady",
    "after_array",
    "pack",
    "run",
    "simulate",
]
