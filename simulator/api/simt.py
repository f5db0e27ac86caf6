"""One step of a NumPy function on a SIMT machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from simulator.api.step import Function
from simulator.capture import capture
from simulator.energy import Energy, simt_energy
from simulator.graph import Graph
from simulator.machines.arguments import check_machine
from simulator.machines.simt import SimtMachine
from simulator.simt.machine import simulate_graph
from simulator.simt.result import SimtResult


def training_dtype(machine: SimtMachine) -> Literal["bfloat16", "float16"]:
    """The 16-bit type for training: bfloat16, or float16 where the tensor cores have that alone."""
    unit = machine.tensor_core
    return "float16" if unit.fp16_macs_per_cycle > unit.bf16_macs_per_cycle else "bfloat16"


def simt_result(machine: SimtMachine, graph: Graph, *, fused: bool = True) -> tuple[SimtResult, Energy]:
    """A graph as kernels on a SIMT machine, and their energy.

    An element operation outside the GEMMs is charged as one float32 add, which is the least it can be.
    """
    result = simulate_graph(machine, graph, dtype=training_dtype(machine), fused=fused)
    macs: dict[str, int] = {}
    for kernel in result.kernels:
        if kernel.macs:
            macs[kernel.dtype] = macs.get(kernel.dtype, 0) + kernel.macs
    energy = simt_energy(
        machine.technology.process_nm,
        macs,
        dram_bytes=result.bytes_dram,
        l2_bytes=result.bytes_l2,
        l2_capacity_bytes=machine.l2.capacity_bytes,
        host_bytes=sum(copy.n_bytes for copy in result.copies),
        adds=sum(kernel.operations for kernel in result.kernels),
    )
    return result, energy


def simt_step(
    function: Function, arguments: tuple[Any, ...], machine: SimtMachine, *, fused: bool = True
) -> dict[str, Any]:
    """The same graph as on a systolic core, as GPU kernels; the JSON of ``pulsetrain step``.

    Raises:
        CaptureError: the function uses something that a machine cannot do.
        ConfigError: the machine is no SIMT machine.
    """
    check_machine(machine, SimtMachine)
    result, energy = simt_result(machine, capture(function, arguments, name="train").graph, fused=fused)
    return {
        "machine": machine.name,
        "engine": "simt",
        "cycles": result.cycles,
        "time_us": result.time_us,
        "utilization": result.utilization,
        "macs": result.macs,
        "stalls": {},
        "energy_pj": energy.energy_pj,
        "energy": energy.summary(),
        "dtype": result.dtype,
        "fused": result.fused,
        "kernels": [asdict(kernel) for kernel in result.kernels],
    }
