"""Area of a systolic machine's logic, from the areas of this project's own RTL (``docs/area.md``).

Rules, all applied explicitly and none fitted:

* **Array and vector unit.** So many PEs and so many lanes, each as synthesised.
* **What grows with them** (skew and control of the array, weight loader, accumulators' adders, the vector
  unit around its lanes, transposer, DMA, buffer ports) is interpolated linearly between synthesised sizes,
  in what it grows with: PEs, columns, lanes or the line. Beyond, the last slope continues; a note says so.
* **Control** (sequencer, queues, tokens) is the same in every machine.
* **Node.** That of the cell library. It is not scaled to the machine's own: no sourced factor.
* **Memories** are bits. ``memory_um2_at_least`` is what their cells alone would take.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from simulator.energy.area_table import Area, area_table
from simulator.machines.systolic import SystolicMachine

NODES_NM = {"NangateOpenCellLibrary": 45}
SRAM_CELL_UM2 = 0.346
"""A six-transistor cell at 45 nm, without decoders, sense amplifiers and second ports.

Source: Mistry et al., A 45nm Logic Technology with High-k+Metal Gate Transistors, IEDM 2007.
"""
_BYTE = 8
_ACCUMULATOR_BITS = 32
_WEIGHT_BITS = 16  # the FIFO is sized for bfloat16
THIS_RTL = "What this project's RTL would take, not the product that the machine is named after."
NOT_INCLUDED = (
    "Not included: memories (bits are listed), wires, clock tree, placement, pads, the memories' controllers "
    "and the host link."
)


@dataclass(frozen=True)
class Part:
    """The logic of one unit and its memory.

    Units: um2; NAND2 equivalents; bits.
    """

    name: str
    um2: float
    nand2: float
    memory_bits: int
    basis: str


@dataclass(frozen=True)
class MachineArea:
    """Area by unit, at the node of the cell library.

    Units: nm.
    """

    library: str
    process_nm: float  # of the machine
    parts: tuple[Part, ...]
    notes: tuple[str, ...]

    @property
    def node_nm(self) -> int | None:
        """Of the library, where it is known."""
        return NODES_NM.get(self.library)

    @property
    def logic_um2(self) -> float:
        """All logic."""
        return math.fsum(part.um2 for part in self.parts)

    @property
    def memory_bits(self) -> int:
        """All memories."""
        return sum(part.memory_bits for part in self.parts)

    @property
    def in_words(self) -> str:
        """In one line."""
        node = f"{self.node_nm} nm, " if self.node_nm else ""
        return (
            f"{self.logic_um2 / 1e6:,.3f} mm2 of logic ({node}{self.library}), "
            f"{self.memory_bits:,} bits of memory"
        )

    def summary(self) -> dict[str, Any]:
        """For JSON: totals, every unit with what it is made of, and what is left out."""
        return {
            "node_nm": self.node_nm,
            "process_nm": self.process_nm,
            "library": self.library,
            "logic_um2": self.logic_um2,
            "memory_bits": self.memory_bits,
            "memory_um2_at_least": self.memory_bits * SRAM_CELL_UM2,
            "units": {
                part.name: {
                    "um2": part.um2,
                    "nand2": part.nand2,
                    "memory_bits": part.memory_bits,
                    "basis": part.basis,
                }
                for part in self.parts
            },
            "notes": list(self.notes),
        }


class _Measured:
    """The rows of the table: single units first, then those of an n x n machine by n."""

    def __init__(self) -> None:
        rows = area_table()
        self.library = rows[0].library
        self.single: dict[str, Area] = {}
        self.sizes: dict[int, dict[str, Area]] = {}
        into = self.single
        for row in rows:
            if row.unit == "systolic_array":  # the first of each size
                into = self.sizes[int(row.parameters.split("x")[0])] = {}
            into[row.unit] = row

    def grown(
        self, unit: str, at: float, size_of: Callable[[int], float], *, without: Area | None = None
    ) -> tuple[float, float]:
        """um2 and NAND2 of a unit at a size, less ``without`` times the size at each measured point."""
        points = []
        for n, rows in sorted(self.sizes.items()):
            row, inner = rows[unit], size_of(n)
            um2, nand2 = row.um2, float(row.nand2)
            if without is not None:
                um2, nand2 = um2 - inner * without.um2, nand2 - inner * without.nand2
            points.append((inner, um2, nand2))
        ends = (points[-2], points[-1])
        below, above = next((pair for pair in pairwise(points) if at <= pair[1][0]), ends)
        share = (at - below[0]) / (above[0] - below[0])
        return below[1] + share * (above[1] - below[1]), below[2] + share * (above[2] - below[2])


def systolic_area(machine: SystolicMachine) -> MachineArea:
    """The machine's area as this project's RTL would take it.

    Units: um2 at the library's node.
    """
    measured, unit = _Measured(), machine.matrix_unit
    pes, lanes, line = unit.rows * unit.cols, machine.vector_unit.lanes, machine.line_elements
    parts: list[Part] = []

    def add(name: str, area: tuple[float, float], basis: str, memory_bits: int = 0) -> None:
        parts.append(Part(name, *area, memory_bits, basis))

    def times(name: str, count: int) -> tuple[float, float]:
        row = measured.single[name]
        return count * row.um2, float(count * row.nand2)

    pe, lane = measured.single["pe"], measured.single["vector_lane"]
    add("systolic array", times("pe", pes), f"{pes:,} PEs of {pe.um2:,.0f} um2")
    add(
        "matrix unit without PEs",
        measured.grown("matrix_unit", pes, lambda n: n * n, without=pe),
        "skew, de-skew, control; by PEs",
    )
    if unit.dataflow != "os":
        add(
            "weight FIFO",
            measured.grown("weight_fifo and loader", unit.cols, float),
            "loader and shifter; by columns",
            machine.weight_fifo.depth_tiles * pes * _WEIGHT_BITS,
        )
    add(
        "accumulators",
        measured.grown("accumulators", unit.cols, float),
        "adders; by columns",
        machine.accumulators.lines * line * _ACCUMULATOR_BITS,
    )
    add("vector lanes", times("vector_lane", lanes), f"{lanes:,} lanes of {lane.um2:,.0f} um2")
    add(
        "vector unit without lanes",
        measured.grown("vector_unit", lanes, float, without=lane),
        "addresses, alignment, control; by lanes",
    )
    add("transposer", measured.grown("transposer", line, float), "by line", line * line * _ACCUMULATOR_BITS)
    add("DMA", measured.grown("dma", line, float), "one line per cycle; by line")
    add(
        "unified buffer",
        measured.grown("unified_buffer", line, float),
        "ports; by line",
        machine.unified_buffer.capacity_bytes * _BYTE,
    )
    add("control", times("control", 1), "sequencer, queues, tokens")
    notes = _notes(machine, max(measured.sizes))
    return MachineArea(measured.library, machine.technology.process_nm, tuple(parts), notes)


def _notes(machine: SystolicMachine, largest: int) -> tuple[str, ...]:
    unit = machine.matrix_unit
    notes = [THIS_RTL, NOT_INCLUDED]
    if max(unit.rows, unit.cols, machine.vector_unit.lanes) > largest:
        notes.append(f"Larger than what was synthesised ({largest} x {largest}): the last slope continues.")
    delays = (unit.pe_latency_cycles, unit.horizontal_hop_cycles, unit.vertical_hop_cycles)
    if max(delays) > 1:
        notes.append("Synthesised with latencies of 1: further pipeline registers are not included.")
    if unit.dataflow == "os":
        notes.append("The PE is that of the weight-stationary array.")
    return tuple(notes)
