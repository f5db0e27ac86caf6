"""Programs by hand for what the compiler rarely writes."""

from __future__ import annotations

from typing import Any

from simulator.isa import Flag, Opcode, UnitId
from tests.cosim.raw_programs import program_of
from tests.cosim.support import VECTOR, Case
from tests.support.machines import small_machine
from tests.unit.systolic.programs import Assembler


def panels_with_gaps(**fields: Any) -> Case:
    """LOAD and STORE of panels whose strides leave lines out, on every space and type."""
    machine = small_machine(rows=4, cols=4, lanes=4, **VECTOR, **fields)
    program = Assembler()
    dma = UnitId.DMA
    spaces = (Flag.NONE, Flag.CURRENT, Flag.NEXT, Flag.HOST)
    for number, space in enumerate(spaces):
        for item in range(3):
            line = 1 << item
            program.add(
                Opcode.LOAD, post=(dma,), flags=space, item=item, rows=3, panels=4, src1=8 * line,
                src0_stride=5, dst=256 * number + 64 * line, dst_stride=4,
            )  # fmt: skip
            program.add(
                Opcode.STORE, wait=(dma,), flags=spaces[number - 1], item=item, rows=2, panels=3,
                src0=256 * number + 64 * line, src0_stride=4, src1=1024 + 256 * line, dst_stride=7,
            )  # fmt: skip
    return Case(machine, program_of(program.finish()), {}, [])
