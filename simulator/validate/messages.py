"""How an instruction is named in an error."""

from __future__ import annotations

from typing import NoReturn

from simulator.errors import ProgramError
from simulator.isa import UNIT_NAMES, UNIT_OF_OPCODE, Opcode, UnitId
from simulator.program import Program


def name(program: Program, index: int) -> str:
    """``instruction 12 (vector_unit VEC)``."""
    opcode = Opcode(int(program.records["opcode"][index]))
    return f"instruction {index} ({UNIT_NAMES[UNIT_OF_OPCODE[opcode]]} {opcode.name})"


def unit_name(unit: int) -> str:
    """The name of a unit's number."""
    return UNIT_NAMES[UnitId(unit)]


def fail(program: Program, index: int, text: str) -> NoReturn:
    """Raise the error of one instruction.

    Raises:
        ProgramError: always.
    """
    raise ProgramError(f"{name(program, index)}: {text}")
