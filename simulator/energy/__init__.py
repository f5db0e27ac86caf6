"""What a run costs in energy, by component; ``model`` states every rule, ``table.csv`` every source."""

from simulator.energy.model import NOT_COUNTED, Component, Energy, simt_energy, systolic_energy, total_energy
from simulator.energy.table import Entry, energy_table, nearest_node, sram_class

__all__ = [
    "NOT_COUNTED",
    "Component",
    "Energy",
    "Entry",
    "energy_table",
    "nearest_node",
    "simt_energy",
    "sram_class",
    "systolic_energy",
    "total_energy",
]
