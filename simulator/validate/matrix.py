"""The rules of the matrix unit: tiles swapped in and released once, chains drained, no accumulator hazard."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.isa import Flag, Opcode, sub_lines
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.timing import releases_at_swap
from simulator.validate.messages import fail


class _Tile(NamedTuple):
    """What a WLOAD puts into the weight FIFO."""

    wload: int
    rows: int
    item: int


def check_matrix_unit(program: Program, machine: SystolicMachine) -> None:
    """The instructions of the array, in program order.

    Raises:
        ProgramError: the first instruction that breaks a rule.
    """
    if machine.matrix_unit.dataflow == "os":
        _check_chains(program)
    else:
        _check_tiles(program, must_release=not releases_at_swap(machine))
        _check_accumulation(program)


def _check_tiles(program: Program, must_release: bool) -> None:
    records = program.records
    tiles: list[_Tile] = []
    active, released = -1, -1  # the active tile, and the instruction that released it
    of_array = np.flatnonzero((records["opcode"] == Opcode.WLOAD) | (records["opcode"] == Opcode.MATMUL))
    columns = [records[name][of_array].tolist() for name in ("opcode", "flags", "rows", "tail", "item")]
    for index, opcode, flags, rows, tail, item in zip(of_array.tolist(), *columns, strict=True):
        if opcode == Opcode.WLOAD:
            tiles.append(_Tile(index, rows, item))
            continue
        if flags & Flag.SWAP:
            if must_release and active >= 0 and released < 0:
                fail(
                    program,
                    index,
                    f"SWAP: the tile of instruction {tiles[active].wload} is not released before",
                )
            active, released = active + 1, -1
            if active == len(tiles):
                fail(program, index, f"SWAP of tile {active}, which no WLOAD before it has loaded")
        elif active < 0:
            fail(program, index, "no weights are active; the first MATMUL must SWAP")
        elif released >= 0:
            fail(program, index, f"uses the tile that instruction {released} has released")
        tile = tiles[active]
        if tail > tile.rows:
            fail(program, index, f"tail = {tail}: its tile (instruction {tile.wload}) has {tile.rows} rows")
        if item != tile.item:
            fail(program, index, f"item = {item}: its tile (instruction {tile.wload}) has item {tile.item}")
        if flags & Flag.RELEASE:
            released = index
    if active + 1 < len(tiles):
        fail(program, tiles[active + 1].wload, f"tile {active + 1} is never swapped in")


def _check_accumulation(program: Program) -> None:
    """What a MATMUL adds to was written ``adder`` cycles before: by the same row of the last, or earlier."""
    records = program.records
    matmuls = np.flatnonzero(records["opcode"] == Opcode.MATMUL)
    second = matmuls[1:][(records["flags"][matmuls[1:]] & Flag.ACCUMULATE) != 0]
    first = matmuls[np.searchsorted(matmuls, second) - 1]
    dst, rows = records["dst"].astype(np.int64), records["rows"].astype(np.int64)
    sub1 = sub_lines(records)[1]
    overlap = (dst[first] < dst[second] + rows[second]) & (dst[second] < dst[first] + rows[first])
    wrong = overlap & (dst[first] != dst[second]) & (sub1[first] == sub1[second])
    if wrong.any():
        at = int(np.argmax(wrong))
        i, j = int(first[at]), int(second[at])
        fail(
            program,
            j,
            f"dst = {int(dst[j])}: overlaps the lines of the MATMUL before it (instruction {i}, dst = "
            f"{int(dst[i])}, {int(rows[i])} rows); ACCUMULATE right after it takes the same lines or others",
        )


def _check_chains(program: Program) -> None:
    records = program.records
    chain = -1  # the MATMUL that began the sums in the array
    of_array = np.flatnonzero((records["opcode"] == Opcode.DRAIN) | (records["opcode"] == Opcode.MATMUL))
    columns = [records[name][of_array].tolist() for name in ("opcode", "flags")]
    for index, opcode, flags in zip(of_array.tolist(), *columns, strict=True):
        starts = opcode == Opcode.MATMUL and not flags & Flag.ACCUMULATE
        if starts:
            chain = index
        elif chain < 0:
            fail(program, index, "the array holds no sums (none fed, or drained)")
        elif (flags ^ int(records["flags"][chain])) & Flag.INTEGER:
            fail(
                program,
                index,
                f"flags = {flags}: INTEGER differs from instruction {chain}, which began the sums",
            )
        if opcode == Opcode.DRAIN:
            chain = -1
