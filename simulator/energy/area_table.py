"""The table of areas that ``python -m simulator.cosim.synth`` writes, ``area.csv``."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Area:
    """A unit: storage that is left to memories, flip-flops, generic cells (these included), and their size.

    Units: bits; cells; NAND2 equivalents of the generic cells; um2, 0 without a library.
    """

    unit: str
    parameters: str
    memory_bits: int
    flip_flops: int
    cells: int
    nand2: int
    um2: float
    library: str

    def __add__(self, other: Area) -> Area:
        numbers = {
            name: getattr(self, name) + getattr(other, name)
            for name in ("memory_bits", "flip_flops", "cells", "nand2", "um2")
        }
        return Area(self.unit, self.parameters, **numbers, library=self.library)

    def times(self, count: int) -> Area:
        """So many of it."""
        return Area(
            self.unit, self.parameters, count * self.memory_bits, count * self.flip_flops, count * self.cells,
            count * self.nand2, count * self.um2, self.library,
        )  # fmt: skip

    def named(self, unit: str, parameters: str) -> Area:
        """The same under another name."""
        numbers = {field.name: getattr(self, field.name) for field in fields(self)}
        return Area(**{**numbers, "unit": unit, "parameters": parameters})


@cache
def area_table() -> tuple[Area, ...]:
    """The stored table."""
    return tuple(from_csv(files("simulator.energy").joinpath("area.csv").read_text(encoding="utf-8")))


def from_csv(text: str) -> list[Area]:
    """The table in this text."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [
        Area(
            unit=row["unit"],
            parameters=row["parameters"],
            memory_bits=int(row["memory_bits"] or 0),
            flip_flops=int(row["flip_flops"] or 0),
            cells=int(row["cells"] or 0),
            nand2=int(row["nand2"] or 0),
            um2=float(row["um2"] or 0),
            library=row["library"],
        )
        for row in csv.DictReader(lines)
    ]
