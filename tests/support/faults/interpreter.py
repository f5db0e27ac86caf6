"""Faults of the interpreter: it executes right instructions wrongly."""

from __future__ import annotations

from typing import Any

from simulator.interpreter import array, run, transfers, vector
from simulator.interpreter.core import Core
from simulator.interpreter.memory import Memory
from simulator.isa import Flag, Opcode
from tests.support.faults.base import PROGRAM, Fault, Patch


def ignore_accumulate(patch: Patch) -> None:
    patch.setattr(array, "elementwise", lambda name, accumulated, sums: sums)


def do_not_transpose(patch: Patch) -> None:
    def copy(core: Core, i: Any) -> Any:
        lines = core.buffer.lines(i.src0, transfers.raw_type(i.item), i.rows)[0].copy()
        target = core.buffer.lines(i.dst, transfers.raw_type(i.item), i.tail)

        def commit() -> None:
            count = min(i.rows, i.tail)
            target[0, :count] = lines[:count]

        return commit

    patch.setitem(run._BEGIN, Opcode.TRANSPOSE, copy)


def one_base(patch: Patch) -> None:
    """The next step's tensors are written over this step's."""
    patch.setitem(transfers._SPACES, Flag.NEXT, transfers._SPACES[Flag.CURRENT])


def ignore_strides(patch: Patch) -> None:
    lines = Memory.lines

    def wrong(
        self: Memory, address: int, dtype: Any, rows: int, panels: int = 1, stride: int = 0, **options: Any
    ) -> Any:
        return lines(self, address, dtype, rows, panels, rows, **options)

    patch.setattr(Memory, "lines", wrong)


def first_sub_line(patch: Patch) -> None:
    patch.setattr(Core, "sub_line", lambda self, index, elements: 0)


def ignore_replicate(patch: Patch) -> None:
    """Every lane reads its own element of a line that holds one number."""
    operand = vector._operand

    def wrong(core: Core, i: Any, index: int, dtype: Any) -> Any:
        return operand(core, i._replace(flags=i.flags & ~(Flag.SRC0_REPLICATE << index)), index, dtype)

    patch.setattr(vector, "_operand", wrong)


FAULTS = {
    "accumulate ignored": Fault(ignore_accumulate, PROGRAM),
    "transpose forgotten": Fault(do_not_transpose, PROGRAM),
    "one base for this step and the next": Fault(one_base, PROGRAM),
    "strides ignored": Fault(ignore_strides, PROGRAM),
    "always the first sub-line": Fault(first_sub_line, PROGRAM, ("--set", "vector_unit.lanes=16")),
    "replicate ignored": Fault(ignore_replicate, PROGRAM),
}
