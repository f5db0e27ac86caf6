"""The memories of a run as raw bytes, and the files that the harness reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simulator.cosim.parameters import space_offsets
from simulator.cosim.writes import ACCUMULATORS, UNIFIED_BUFFER, off_chip_name
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space

Bytes = npt.NDArray[np.uint8]
HBM_SPACES = (Space.HBM, Space.HBM_CURRENT, Space.HBM_NEXT)


@dataclass(frozen=True)
class Memories:
    """Every byte that a Program can reach."""

    buffer: Bytes
    accumulators: Bytes
    off_chip: Mapping[Space, Bytes]

    def named(self) -> dict[str, Bytes]:
        """All of them by the names that messages use."""
        chips = {off_chip_name(space): data for space, data in self.off_chip.items()}
        return {UNIFIED_BUFFER: self.buffer, ACCUMULATORS: self.accumulators, **chips}


def write_images(folder: Path, machine: SystolicMachine, program: Program, memories: Memories) -> None:
    """The files that the harness loads."""
    (folder / "program.bin").write_bytes(program.encode())
    memories.buffer.tofile(folder / "buffer.bin")
    memories.accumulators.tofile(folder / "accumulators.bin")
    width, offsets = machine.line_elements, space_offsets(program)
    hbm = np.zeros(offsets[Space.HOST] * width, np.uint8)
    for space in HBM_SPACES:
        data = memories.off_chip[space]
        hbm[offsets[space] * width :][: len(data)] = data
    hbm.tofile(folder / "hbm.bin")
    memories.off_chip[Space.HOST].tofile(folder / "host.bin")


def read_images(folder: Path, machine: SystolicMachine, program: Program, before: Memories) -> Memories:
    """What the harness left."""

    def read(name: str) -> Bytes:
        return np.fromfile(folder / f"{name}.out", np.uint8)

    width, offsets, hbm = machine.line_elements, space_offsets(program), read("hbm")
    off_chip = {
        space: hbm[offsets[space] * width :][: len(before.off_chip[space])].copy() for space in HBM_SPACES
    }
    return Memories(read("buffer"), read("accumulators"), {**off_chip, Space.HOST: read("host")})
