"""Valid Programs to start from, and how a test gets at the error of an invalid one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.errors import PulsetrainError
from simulator.isa import Flag, Function, Opcode, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space
from simulator.validate import validate
from tests.unit.interpreter.assembler import Assembler, make_machine

DMA, LOADER, MATRIX, VECTOR, TRANSPOSER, SEQUENCER = (
    *(UnitId.DMA, UnitId.WEIGHT_LOADER, UnitId.MATRIX, UnitId.VECTOR, UnitId.TRANSPOSER),
    UnitId.SEQUENCER,
)
Edit = Callable[[Assembler], Any]


def product(tiles: int = 2, m: int = 5, **overrides: Any) -> Assembler:
    """C = A B with ``tiles`` K-tiles, all units overlapping as far as they can.

    Instructions: LOAD A, LOAD B, WLOADs, MATMULs, VEC, STORE, HALT. A lies at granule 0, B at 400, C at 800.
    """
    asm = Assembler(make_machine(**overrides))
    a, b = asm.place("a", m, 4 * tiles, "bfloat16"), asm.place("b", 4 * tiles, 4, "bfloat16")
    c = asm.place("c", m, 4, "float32", Space.HBM_NEXT)
    asm.load(a, 0, post=[MATRIX])
    asm.load(b, 400, post=[LOADER])
    for tile in range(tiles):
        asm.wload(400 + 8 * tile, wait=[] if tile else [DMA])
    for tile in range(tiles):
        last = tile == tiles - 1
        flags = Flag.SWAP | Flag.RELEASE | (Flag.ACCUMULATE if tile else Flag.NONE)
        asm.matmul(
            2 * m * tile, 8, rows=m, flags=flags, wait=[] if tile else [DMA], post=[VECTOR] if last else []
        )
    asm.vec(Function.COPY, 800, 8, rows=m, flags=Flag.SRC0_ACCUMULATOR, wait=[MATRIX], post=[DMA])
    asm.store(c, 800, wait=[VECTOR], post=[SEQUENCER])
    asm.halt(wait=[DMA])
    return asm


def chain(**changes: Any) -> Assembler:
    """Output-stationary: LOAD, MATMUL, MATMUL (accumulating), DRAIN, VEC, STORE, HALT."""
    asm = Assembler(make_machine(matrix_unit={"dataflow": "os"}))
    a, c = asm.place("a", 4, 4, "bfloat16"), asm.place("c", 4, 4, "float32", Space.HBM_NEXT)
    asm.load(a, 0, post=[MATRIX])
    asm.matmul(0, src1=0, rows=2, wait=[DMA])
    asm.matmul(4, src1=4, rows=2, flags=Flag.ACCUMULATE)
    asm.emit(Opcode.DRAIN, rows=4, dst=0, post=[VECTOR])
    asm.vec(Function.COPY, 800, 0, rows=4, flags=Flag.SRC0_ACCUMULATOR, wait=[MATRIX], post=[DMA])
    asm.store(c, 800, wait=[VECTOR], post=[SEQUENCER])
    asm.halt(wait=[DMA])
    return asm


def vectors(*instructions: Edit, serial: bool = True) -> Assembler:
    """LOAD of 16 lines to granule 0 (32 to 63 are free below 64), then the given instructions, and HALT."""
    asm = Assembler(make_machine())
    asm.load(asm.place("x", 16, 4), 0)
    for emit in instructions:
        emit(asm)
    asm.halt()
    if serial:
        asm.serialize()
    return asm


def accept(asm: Assembler, **changes: Any) -> None:
    """It is valid."""
    validate(asm.program(**changes), asm.machine)


def refusal(asm: Assembler, machine: SystolicMachine | None = None, **changes: Any) -> str:
    """The one line of the error."""
    program: Program = asm.program(**changes)
    with pytest.raises(PulsetrainError) as raised:
        validate(program, machine or asm.machine)
    message = str(raised.value)
    assert "\n" not in message
    return message
