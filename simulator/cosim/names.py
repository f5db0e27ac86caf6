"""How reports name an instruction, and which ones they show around it."""

from __future__ import annotations

import numpy as np

from simulator.isa import Opcode
from simulator.program import NO_OPERATION, Program
from simulator.trace import Trace


def instruction_name(program: Program, index: int) -> str:
    """Its number, opcode and operation."""
    opcode = Opcode(int(program.records["opcode"][index])).name
    operation = int(program.operation[index]) if len(program.operation) else NO_OPERATION
    label = "" if operation == NO_OPERATION else f" ({program.operations[operation].label})"
    return f"{index} {opcode}{label}"


def around(model: Trace, index: int, count: int) -> list[int]:
    """The instructions of the same unit, ``count`` on either side of one."""
    units = model.events["unit"]
    same = np.flatnonzero(units == units[index])
    at = int(np.searchsorted(same, index))
    chosen: list[int] = same[max(0, at - count) : at + count + 1].tolist()
    return chosen
