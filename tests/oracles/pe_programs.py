"""Small Programs for the array oracle: the tiles of a case as instructions, with random waits around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from simulator.isa import INSTRUCTION_DTYPE, Flag, Opcode, Records, UnitId, units_of
from simulator.machines.systolic import SystolicMachine
from tests.oracles.pe_array import RowStream, SumDrain
from tests.oracles.pe_cases import OutputCase, StationaryCase

Instruction = dict[str, Any]


def bit(unit: UnitId) -> int:
    """The bit of a unit in the wait and post masks."""
    return 1 << unit


def _matmul(stream: RowStream) -> Instruction:
    flags = Flag.ACCUMULATE * stream.accumulate | Flag.SWAP * stream.swap | Flag.RELEASE * stream.release
    tail = int(np.count_nonzero(stream.enable))
    return {"opcode": Opcode.MATMUL, "rows": len(stream.rows), "panels": 1, "tail": tail, "flags": int(flags)}


def _stationary(draw: st.DrawFn, machine: SystolicMachine, case: StationaryCase) -> list[Instruction]:
    """Every WLOAD before the MATMUL that swaps its tile in, at most as many tiles ahead as the FIFO holds."""
    rows = machine.matrix_unit.rows
    tiles = len(case.shifts)
    out: list[Instruction] = []
    loaded = 0
    for stream in case.streams:
        if stream.swap:
            ahead = draw(st.integers(1, machine.weight_fifo.depth_tiles))
            wanted = max(loaded, min(tiles, stream.tile + ahead))
            out += [{"opcode": Opcode.WLOAD, "rows": rows}] * (wanted - loaded)
            loaded = wanted
        out.append(_matmul(stream))
    return out


def _output(case: OutputCase) -> list[Instruction]:
    out: list[Instruction] = []
    for event in case.events:
        if isinstance(event, SumDrain):
            out.append({"opcode": Opcode.DRAIN, "rows": event.valid})
        else:
            flags = int(Flag.ACCUMULATE * event.accumulate)
            out.append({"opcode": Opcode.MATMUL, "rows": len(event.left), "flags": flags})
    return out


@st.composite
def programs(draw: st.DrawFn, machine: SystolicMachine, case: StationaryCase | OutputCase) -> Records:
    """The case's instructions in order. Some wait for a LOAD: nothing else happens beside the array."""
    out: list[Instruction] = []
    array = _stationary(draw, machine, case) if isinstance(case, StationaryCase) else _output(case)
    for instruction in array:
        unit = UnitId.WEIGHT_LOADER if instruction["opcode"] == Opcode.WLOAD else UnitId.MATRIX
        lines = draw(st.sampled_from([0, 0, 0, 0, 1, 4, 17]))
        wait = 0
        if lines:
            out.append({"opcode": Opcode.LOAD, "rows": lines, "panels": 1, "post": bit(unit)})
            wait = bit(UnitId.DMA)
        out.append({**instruction, "wait": wait})
    # The last instruction is the matrix unit's, and everything else has ended before it.
    out[-1]["post"] = bit(UnitId.SEQUENCER)
    out.append({"opcode": Opcode.HALT, "wait": bit(UnitId.MATRIX)})
    records = np.zeros(len(out), dtype=INSTRUCTION_DTYPE)
    for record, instruction in zip(records, out, strict=True):
        for name, value in instruction.items():
            record[name] = value
    return records


def of_matrix_unit(records: Records) -> np.ndarray:
    """Indices of the instructions of the matrix unit."""
    return np.flatnonzero(units_of(records) == UnitId.MATRIX)
