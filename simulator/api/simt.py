"""One step of a NumPy function on a SIMT machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from simulator.api.step import Function
from simulator.capture import capture
from simulator.energy import simt_energy
from simulator.graph import Graph
from simulator.machines.simt import SimtMachine
from simulator.simt.machine import simulate_graph
from simulator.simt.result import SimtResult


def simt_summary(
    machine: SimtMachine, graph: Graph, *, fused: bool = True
) -> tuple[SimtResult, dict[str, Any]]:
    """The kernels of a graph on a SIMT machine, and their totals under the names all commands use."""
    result = simulate_graph(machine, graph, fused=fused)
    macs = sum(m * k * n for m, k, n in map(graph.matmul_mkn, graph.matmuls()))
    energy = simt_energy(
        machine.technology.process_nm,
        {"bfloat16": macs},
        dram_bytes=sum(kernel.bytes_dram for kernel in result.kernels),
        l2_bytes=sum(kernel.bytes_l2 for kernel in result.kernels),
    )
    return result, {
        "machine": machine.name,
        "engine": "simt",
        "cycles": result.cycles,
        "time_us": result.time_us,
        "utilization": result.utilization,
        "macs": macs,
        "stalls": {},
        "energy_pj": energy.energy_pj,
        "energy": energy.summary(),
        "kernels": [asdict(kernel) for kernel in result.kernels],
    }


def simt_step(function: Function, arguments: tuple[Any, ...], machine: SimtMachine) -> dict[str, Any]:
    """The same graph as on a systolic core, as GPU kernels."""
    captured = capture(function, arguments, name="train")
    return simt_summary(machine, captured.graph)[1]
