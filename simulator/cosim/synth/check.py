"""Every module of the core through Yosys: no latch, no combinational loop, nothing undriven.

Two forms: elaborated and flattened as words (fast), and as gates (every module is mapped too).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simulator.cosim.build import PACKAGES, SOURCES
from simulator.cosim.synth.yosys import read, run

# What is no hardware: the harness of the simulation and its memories.
MODELS = ("harness", "offchip_memory")
_LATCHES = ("$dlatch", "$adlatch", "$dlatchsr", "$sr", "$_DLATCH_*", "$_DLATCHSR_*", "$_SR_*")


class Design(NamedTuple):
    """A module with parameters."""

    top: str
    parameters: Mapping[str, int]

    def __str__(self) -> str:
        return " ".join([self.top, *(f"{name}={value}" for name, value in self.parameters.items())])


_ARRAY = {"ROWS": 2, "COLS": 2}
_SLOW = {"PE_LATENCY": 2, "HOP_H": 2, "HOP_V": 2}
_CORE = {
    **_ARRAY, "LANES": 2, "LINE": 2, "UB_GRANULES": 16, "ACC_LINES": 4, "QUEUE_DEPTH": 2, "FIFO_DEPTH": 2,
    "DMA_PORTS": 1, "DMA_INFLIGHT": 4,
}  # fmt: skip
# The smallest parameters with all of a module's structure.
_SMALL: dict[str, Mapping[str, int]] = {
    "accumulators": {"COLS": 2, "LINE": 2, "ACC_LINES": 4, "ADDER_LATENCY": 2},
    "deskew": {"LANES": 3, "STEP": 2, "WIDTH": 2},
    "dma": {"LINE": 2, "PORTS": 2, "INFLIGHT": 4},
    "issue_queue": {"QUEUE_DEPTH": 2, "INFLIGHT": 2},
    "matrix_unit": {**_ARRAY, "LINE": 2, "PE_INSTANCES": 1},
    "matrix_unit_os": {**_ARRAY, "LINE": 2, "PE_INSTANCES": 1},
    "pe": _SLOW,
    "pe_os": _SLOW,
    "skew": {"LANES": 3, "STEP": 2, "WIDTH": 2},
    "systolic_array": {**_ARRAY, **_SLOW},
    "systolic_array_os": {**_ARRAY, **_SLOW},
    "systolic_array_os_pe": {**_ARRAY, **_SLOW},
    "systolic_array_pe": {**_ARRAY, **_SLOW},
    "tpu_top": {**_CORE, "PE_INSTANCES": 1},
    "transposer": {"LINE": 2},
    "unified_buffer": {"LINE": 2, "UB_GRANULES": 8, "READS": 2, "WRITES": 2},
    "vector_unit": {"LANES": 1, "LINE": 2},
    "weight_fifo": {**_ARRAY, "FIFO_DEPTH": 2},
    "weight_loader": {**_ARRAY, "LINE": 2},
}
_MORE = (
    Design("matrix_unit", {**_ARRAY, "LINE": 2, **_SLOW}),
    Design("tpu_top", _CORE),
    Design("matrix_unit_os", {**_ARRAY, "LINE": 2, **_SLOW}),
    Design("tpu_top", {**_CORE, "OUTPUT_STATIONARY": 1, **_SLOW}),
    Design("tpu_top", {**_CORE, "OUTPUT_STATIONARY": 1, "PE_INSTANCES": 1}),
    Design("tpu_top", {**_CORE, "ROWS": 1, "LANES": 1, "UB_LATENCY": 2, "ADDER_LATENCY": 2}),
)


def modules() -> tuple[str, ...]:
    """The names of all modules that are hardware."""
    names = sorted(path.stem for path in SOURCES.glob("*.sv") if path.name not in PACKAGES)
    return tuple(name for name in names if name not in MODELS)


def designs() -> tuple[Design, ...]:
    """All modules with small parameters, and the core in its other forms."""
    return (*(Design(name, _SMALL.get(name, {})) for name in modules()), *_MORE)


def check_design(design: Design, *, gates: bool = False, limit: float = 600) -> str:
    """Elaborate (or map to gates) a design and look for latches and combinational loops.

    Returns:
        Yosys's log.

    Raises:
        SynthesisError: Yosys refuses the design or finds one.
    """
    return run([read(design.top, design.parameters), *check_commands(design.top, gates=gates)], limit)


def check_commands(top: str, *, gates: bool = False) -> list[str]:
    """What to do with a design that has been read."""
    latches = "select -assert-none " + " ".join(f"t:{kind}" for kind in _LATCHES)
    commands = [f"hierarchy -check -top {top}", "proc", "flatten", latches, "check -assert"]
    if gates:  # sharing takes long and moves nothing between modules
        words = "select -assert-none t:$* t:$_* %d t:$scopeinfo %d"
        commands += ["synth -noabc -noshare -run begin:check", words, latches, "check -assert"]
    return commands
