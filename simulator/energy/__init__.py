"""What a run costs in energy and a machine in area, by component.

``model`` and ``area`` state every rule, ``table.csv`` and ``area.csv`` hold every number and its source.
"""

from simulator.energy.area import MachineArea, systolic_area
from simulator.energy.model import NOT_COUNTED, Component, Energy, simt_energy, systolic_energy, total_energy
from simulator.energy.table import Entry, energy_table, nearest_node, sram_class

__all__ = [
    "NOT_COUNTED",
    "Component",
    "Energy",
    "Entry",
    "MachineArea",
    "energy_table",
    "nearest_node",
    "simt_energy",
    "sram_class",
    "systolic_area",
    "systolic_energy",
    "total_energy",
]
