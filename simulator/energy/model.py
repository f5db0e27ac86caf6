"""Energy of a Program by component, from a table of published numbers with a source for every entry.

What is counted: switching energy of arithmetic and of memory accesses. What is not, because the table has no
sourced figure: leakage, the clock tree, control, wires between units, the registers inside a PE, refresh.

Rules, all applied explicitly and none fitted:

* **Process node.** The entry of the listed node (45 or 7 nm) whose ratio to the machine's is smaller; the
  larger node on a tie. No interpolation.
* **Ranges.** An entry such as 250-450 pJ stays a range: every energy has low, mid (their mean) and high.
* **SRAM.** Per 64-bit access, by capacity class: the smallest listed class that holds the memory. A memory
  larger than the largest class (1 MB) is charged as that class: a lower bound, and marked so.
* **Off-chip memory.** ``HBM2_64b`` at 7 nm and ``dram_64b`` at 45 nm, which lists no stacked memory.
* **Host link.** The access to the host's DRAM; the link's own transceivers are not in the table.
* **bfloat16 at 45 nm** is not listed: ``fp16_mult`` stands in (its significand is three bits wider).
* **Vector functions** are charged as the float32 additions and multiplications that ``docs/arithmetic.md``
  lists. A comparison, conversion, maximum or reduction step is an addition; division and square root are one
  addition per cycle of the iterative unit; what only moves or masks bits is free.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from simulator.energy.table import LARGEST_SRAM_BYTES, Entry, energy_table, nearest_node, sram_class
from simulator.errors import ConfigError
from simulator.machines.systolic import SystolicMachine
from simulator.metrics import Counters

ACCESS_BYTES = 8  # memories are listed per 64-bit access
OFF_CHIP = {45: "dram_64b", 7: "HBM2_64b"}
HOST_MEMORY = {45: "dram_64b", 7: "DDR3_4_64b"}
MAC = {
    "bfloat16": ("bf16_mult", "fp32_add"),
    "float16": ("fp16_mult", "fp32_add"),
    "float32": ("fp32_mult", "fp32_add"),
    "int8": ("int8_mult", "int32_add"),
}
ACCUMULATE = {"bfloat16": "fp32_add", "int8": "int32_add"}
STAND_IN = {("bf16_mult", 45): "fp16_mult"}
_NOTHING: Mapping[str, float] = MappingProxyType({})
FREE_FUNCTIONS = frozenset({"copy", "negative", "absolute", "select"})
TABLE_FUNCTIONS = {"exp": (9, 7, 1), "log": (8, 8, 2), "tanh": (7, 7, 2)}
"""Multiplications, additions and 32-bit table reads per element (``docs/arithmetic.md``, the table unit)."""
NOT_COUNTED = (
    "Not counted, for want of a sourced figure: leakage, clock tree, control, wires, registers inside a PE, "
    "memory refresh, the host link's transceivers."
)


@dataclass(frozen=True)
class Component:
    """Energy of one part of a machine: entries of the table, each with how many times it is spent.

    Units: pJ; 64-bit accesses for memories, operations otherwise.
    """

    name: str
    uses: tuple[tuple[Entry, float], ...]
    lower_bound: bool = False

    @property
    def low_pj(self) -> float:
        """With the low end of every range."""
        return math.fsum(entry.low_pj * count for entry, count in self.uses)

    @property
    def high_pj(self) -> float:
        """With the high end of every range."""
        return math.fsum(entry.high_pj * count for entry, count in self.uses)

    @property
    def mid_pj(self) -> float:
        """Mean of the low and the high end."""
        return (self.low_pj + self.high_pj) / 2

    @property
    def basis(self) -> str:
        """What was multiplied with what."""
        return " + ".join(f"{count:,.0f} × {entry}" for entry, count in self.uses) or "nothing"


@dataclass(frozen=True)
class Energy:
    """Energy by component.

    Units: pJ, nm.
    """

    process_nm: float  # of the machine
    node_nm: int  # of the table's entries that were used
    components: tuple[Component, ...]
    notes: tuple[str, ...] = (NOT_COUNTED,)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The table's entries that were used, each once."""
        return tuple(dict.fromkeys(entry for part in self.components for entry, _ in part.uses))

    @property
    def energy_pj(self) -> float:
        """Mid value of all components together."""
        return math.fsum(component.mid_pj for component in self.components)

    @property
    def low_pj(self) -> float:
        """Low end of all components together."""
        return math.fsum(component.low_pj for component in self.components)

    @property
    def high_pj(self) -> float:
        """High end of all components together."""
        return math.fsum(component.high_pj for component in self.components)

    def times(self, count: int) -> Energy:
        """The energy of ``count`` executions."""
        return total_energy([(self, count)])

    def summary(self) -> dict[str, Any]:
        """For JSON: the total, its range, and every component with what it is made of."""
        return {
            "energy_pj": self.energy_pj,
            "low_pj": self.low_pj,
            "high_pj": self.high_pj,
            "process_nm": self.process_nm,
            "node_nm": self.node_nm,
            "components": {
                part.name: {
                    "energy_pj": part.mid_pj,
                    "low_pj": part.low_pj,
                    "high_pj": part.high_pj,
                    "lower_bound": part.lower_bound,
                    "uses": {entry.operation: count for entry, count in part.uses},
                }
                for part in self.components
            },
            "notes": list(self.notes),
        }


def total_energy(parts: Iterable[tuple[Energy, int]]) -> Energy:
    """Sum over executions on one machine, component by component: ``(energy of one, how many)``.

    Raises:
        ValueError: no part is given.
    """
    parts = tuple(parts)
    if not parts:
        raise ValueError("at least one energy is needed")
    uses: dict[str, dict[Entry, float]] = {}
    bounded: dict[str, bool] = {}
    for energy, count in parts:
        for component in energy.components:
            mine = uses.setdefault(component.name, {})
            bounded[component.name] = component.lower_bound
            for entry, times in component.uses:
                mine[entry] = mine.get(entry, 0.0) + times * count
    components = tuple(Component(name, tuple(mine.items()), bounded[name]) for name, mine in uses.items())
    return replace(parts[0][0], components=components)


class _Sheet:
    """Collects the components of one machine."""

    def __init__(self, process_nm: float) -> None:
        self._process_nm = process_nm
        self.node = nearest_node(process_nm)
        self._components: list[Component] = []

    def entry(self, operation: str) -> Entry:
        return energy_table()[STAND_IN.get((operation, self.node), operation), self.node]

    def add(self, name: str, counts: Mapping[str, float], *, lower_bound: bool = False) -> None:
        """A component that makes ``counts[operation]`` operations (64-bit accesses for memories)."""
        uses = tuple((self.entry(operation), count) for operation, count in counts.items() if count)
        self._components.append(Component(name, uses, lower_bound))

    def sram(
        self, name: str, n_bytes: int, capacity_bytes: int, arithmetic: Mapping[str, float] = _NOTHING
    ) -> None:
        """An on-chip memory, with arithmetic that belongs to it."""
        operation, lower_bound = sram_class(capacity_bytes)
        self.add(name, {operation: n_bytes / ACCESS_BYTES, **arithmetic}, lower_bound=lower_bound)

    def macs(self, name: str, by_type: Mapping[str, int]) -> None:
        uses: dict[str, float] = {}
        for mac_type, count in by_type.items():
            if mac_type not in MAC:
                raise ConfigError(f"multiply-accumulate type {mac_type}: one of {', '.join(MAC)} is allowed")
            for operation in MAC[mac_type]:
                uses[operation] = uses.get(operation, 0) + count
        self.add(name, uses)

    def result(self) -> Energy:
        notes = [NOT_COUNTED]
        bounded = [part.name for part in self._components if part.lower_bound]
        if bounded:
            notes.append(f"Lower bound, larger than the table's largest SRAM (1 MB): {', '.join(bounded)}.")
        return Energy(self._process_nm, self.node, tuple(self._components), tuple(notes))


def systolic_energy(machine: SystolicMachine, counters: Counters) -> Energy:
    """Energy of one execution of the Program that ``counters`` describe."""
    sheet = _Sheet(machine.technology.process_nm)
    unit = machine.matrix_unit
    tile_bytes = unit.rows * unit.cols * 2  # the FIFO is sized for bfloat16
    sheet.macs("matrix unit", counters.macs_executed)
    sheet.add("vector unit", _vector_uses(machine, counters.vector_elements))
    sheet.sram("unified buffer", counters.buffer_bytes, machine.unified_buffer.capacity_bytes)
    sheet.sram(
        "accumulators",
        counters.accumulator_read_bytes + counters.accumulator_written_bytes,
        machine.accumulators.lines * machine.line_elements * 4,
        {ACCUMULATE[mac_type]: count for mac_type, count in counters.accumulator_adds.items()},
    )
    sheet.sram("weight FIFO", 2 * counters.weight_fifo_bytes, machine.weight_fifo.depth_tiles * tile_bytes)
    sheet.add("HBM", {OFF_CHIP[sheet.node]: counters.hbm_bytes / ACCESS_BYTES})
    sheet.add("host memory", {HOST_MEMORY[sheet.node]: counters.host_bytes / ACCESS_BYTES})
    return sheet.result()


def simt_energy(
    process_nm: float,
    macs: Mapping[str, int],
    *,
    dram_bytes: int,
    l2_bytes: int,
    l2_capacity_bytes: int = LARGEST_SRAM_BYTES,
    host_bytes: int = 0,
    adds: int = 0,
    multiplications: int = 0,
) -> Energy:
    """Energy of a SIMT machine from counts, with the same table and rules.

    ``macs`` by type (bfloat16, float16, float32, int8); ``adds`` and ``multiplications`` are the float32
    operations outside the GEMMs. Registers and shared memory are not in the table and are left out.

    Raises:
        ConfigError: a type of multiply-accumulate that the table does not know.
    """
    sheet = _Sheet(process_nm)
    sheet.macs("tensor cores", macs)
    sheet.add("vector lanes", {"fp32_add": adds, "fp32_mult": multiplications})
    sheet.sram("L2", l2_bytes, l2_capacity_bytes)
    sheet.add("HBM", {OFF_CHIP[sheet.node]: dram_bytes / ACCESS_BYTES})
    sheet.add("host memory", {HOST_MEMORY[sheet.node]: host_bytes / ACCESS_BYTES})
    return sheet.result()


def _vector_uses(machine: SystolicMachine, elements: Mapping[str, int]) -> dict[str, float]:
    uses = {"fp32_add": 0.0, "fp32_mult": 0.0, "int32_add": 0.0, "sram_8KB_64b": 0.0}
    iterative = {"divide": machine.vector_unit.divide_cycles, "sqrt": machine.vector_unit.sqrt_cycles}
    for key, count in elements.items():
        function, _, integer = key.partition(".")
        if function in FREE_FUNCTIONS:
            continue
        if integer:
            uses["int32_add"] += count
        elif function in TABLE_FUNCTIONS:
            multiplications, adds, reads = TABLE_FUNCTIONS[function]
            uses["fp32_mult"] += count * multiplications
            uses["fp32_add"] += count * adds
            uses["sram_8KB_64b"] += count * reads * 4 / ACCESS_BYTES
        elif function == "multiply":
            uses["fp32_mult"] += count
        else:
            uses["fp32_add"] += count * iterative.get(function, 1)
    return uses
