"""Where tensors lie off chip: inside their memories, apart from each other, and hit by what names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.graph import ITEM_BYTES, STORAGE
from simulator.machines.systolic import SystolicMachine
from simulator.program import Placement, Program, Space, Traffic
from simulator.units import ceil_div
from simulator.validate.messages import fail
from simulator.validate.regions import OFF_CHIP

SCALARS, SPILL = "scalars", "spill."


def extent(placement: Placement, machine: SystolicMachine) -> tuple[int, int]:
    """First granule of a placement and the one after its last."""
    lines = ceil_div(placement.cols, machine.line_elements) * placement.rows
    return placement.address, placement.address + lines * ITEM_BYTES[placement.dtype]


def written_by_host(program: Program) -> list[Placement]:
    """What is there before the first instruction: scalars, constants, carried tensors, inputs.

    An input is what a LOAD of traffic ``INPUT`` names.
    """
    inputs_loaded = program.tensor[program.traffic == Traffic.INPUT]
    named = {program.tensors[tensor] for tensor in inputs_loaded if tensor >= 0}
    named |= {SCALARS, *program.constants}
    return [
        placement
        for placement in program.placements
        if placement.space is Space.HBM_CURRENT
        or (placement.path in named and placement.space is not Space.HBM_NEXT)
    ]


def check_placements(program: Program, machine: SystolicMachine, regions: npt.NDArray[Any]) -> None:
    """Placements, and the LOADs and STOREs that name them.

    Raises:
        ProgramError: the first placement or transfer that is wrong.
    """
    check_placed(program, machine)
    check_transfers(program, machine, regions)


def check_placed(program: Program, machine: SystolicMachine) -> None:
    """Placements alone.

    Raises:
        ProgramError: the first placement that is wrong.
    """
    hbm = sum(size for space, size in program.memory_granules.items() if space is not Space.HOST)
    if hbm * machine.line_elements > machine.hbm.capacity_bytes:
        raise ProgramError(
            f"{hbm * machine.line_elements} bytes of HBM are used: {machine.hbm.capacity_bytes} are allowed"
        )
    for placement in program.placements:
        _check_one(program, machine, placement)
    for space in Space:
        placed = [p for p in program.placements if p.space is space]
        _check_apart(sorted(placed, key=lambda p: extent(p, machine)), machine)
    for path in program.constants:
        if not any(placement.path == path for placement in program.placements):
            raise ProgramError(f"constant {path!r} is not placed")


def _check_one(program: Program, machine: SystolicMachine, placement: Placement) -> None:
    what = f"placement of {placement.path!r} in {placement.space.name}"
    if placement.dtype not in ITEM_BYTES:
        raise ProgramError(f"{what}: dtype {placement.dtype!r}: {', '.join(ITEM_BYTES)} are allowed")
    if placement.rows < 1 or placement.cols < 1:
        raise ProgramError(f"{what}: {placement.rows} x {placement.cols}: at least 1 x 1 is allowed")
    if placement.address < 0 or placement.address % ITEM_BYTES[placement.dtype]:
        multiple = ITEM_BYTES[placement.dtype]
        raise ProgramError(f"{what}: address {placement.address}: a multiple of {multiple} is allowed")
    _, end = extent(placement, machine)
    size = program.memory_granules.get(placement.space, 0)
    if end > size:
        raise ProgramError(f"{what}: reaches to {end}; the memory has {size} granules")
    if placement.path == SCALARS and (placement.cols != 1 or ITEM_BYTES[placement.dtype] != 4):
        raise ProgramError(f"{what}: one column of 4-byte elements is allowed")
    if placement.path in program.constants:
        value = np.asarray(program.constants[placement.path])
        cols = value.shape[-1] if value.ndim else 1
        fits = value.size == placement.rows * placement.cols and cols == placement.cols
        if not fits or value.dtype != STORAGE[placement.dtype]:
            raise ProgramError(f"{what}: its value is {value.dtype}{list(value.shape)}")


def _check_apart(placements: list[Placement], machine: SystolicMachine) -> None:
    """Two tensors share all of their room (a result in an input's place) or none; spills may overlap."""
    for index, one in enumerate(placements):
        for other in placements[index + 1 :]:
            if extent(other, machine)[0] >= extent(one, machine)[1]:
                break  # so do all that follow: they are sorted
            spills = one.path.startswith(SPILL) and other.path.startswith(SPILL)
            if not spills and extent(one, machine) != extent(other, machine):
                raise ProgramError(f"{one.path!r} and {other.path!r} overlap in {one.space.name}")


def check_transfers(program: Program, machine: SystolicMachine, regions: npt.NDArray[Any]) -> None:
    """Transfers that name a placed tensor stay in its place; none stores into constants or scalars.

    Raises:
        ProgramError: the first transfer that is wrong.
    """
    where: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for placement in program.placements:
        where.setdefault((placement.path, placement.space), []).append(extent(placement, machine))
    constant = {
        (placement.space, extent(placement, machine)): placement.path
        for placement in program.placements
        if placement.path == SCALARS or placement.path in program.constants
    }
    transfers = regions[regions["memory"] >= OFF_CHIP]
    last = transfers["base"] + (transfers["panels"] - 1) * transfers["stride"] + transfers["length"]
    spaces = transfers["memory"] - OFF_CHIP
    columns = (transfers["instruction"], spaces, transfers["write"], transfers["base"], last)
    for index, space, write, first, end in zip(*(column.tolist() for column in columns), strict=True):
        tensor = int(program.tensor[index])
        name = program.tensors[tensor] if tensor >= 0 else ""
        places = where.get((name, space), [(first, end)])
        if not any(low <= first and end <= high for low, high in places):
            low, high = places[0]
            fail(
                program,
                index,
                f"memory = {first}: {first} to {end - 1}, but {name!r} lies in {low} to {high - 1}",
            )
        if write:
            for (memory, (low, high)), path in constant.items():
                if memory == space and first < high and low < end:
                    fail(program, index, f"memory = {first}: STORE into {path!r}, which the host has written")
