"""The table of published energies and the rules for reading it: nearest node, capacity class."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

SRAM_CLASSES = ((8 << 10, "sram_8KB_64b"), (32 << 10, "sram_32KB_64b"), (1 << 20, "sram_1MB_64b"))
LARGEST_SRAM_BYTES = SRAM_CLASSES[-1][0]


@dataclass(frozen=True)
class Entry:
    """One line of the table.

    Units: pJ per operation, per 64-bit access for memories; nm.
    """

    operation: str
    process_nm: int
    low_pj: float
    high_pj: float
    source: str
    status: str

    def __str__(self) -> str:
        value = f"{self.low_pj:g}" if self.low_pj == self.high_pj else f"{self.low_pj:g}-{self.high_pj:g}"
        return f"{self.operation} {value} pJ"


@cache
def energy_table() -> Mapping[tuple[str, int], Entry]:
    """The table, by operation and node."""
    text = files("simulator.energy").joinpath("table.csv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    entries = [
        Entry(
            row["operation"], int(row["process_nm"]), float(row["low_pj"]), float(row["high_pj"]),
            row["source"], row["status"],
        )
        for row in csv.DictReader(lines)
    ]  # fmt: skip
    return {(entry.operation, entry.process_nm): entry for entry in entries}


def nearest_node(process_nm: float) -> int:
    """The listed node with the smaller ratio to ``process_nm``; the larger node on a tie."""
    nodes = sorted({node for _, node in energy_table()}, reverse=True)
    return min(nodes, key=lambda node: abs(math.log(process_nm / node)))


def sram_class(capacity_bytes: int) -> tuple[str, bool]:
    """The table's class for an on-chip memory, and whether its energy is only a lower bound."""
    for limit, name in SRAM_CLASSES:
        if capacity_bytes <= limit:
            return name, False
    return SRAM_CLASSES[-1][1], True
