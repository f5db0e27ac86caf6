"""One instruction as Python integers."""

from __future__ import annotations

from typing import NamedTuple

from simulator import isa


class Instruction(NamedTuple):
    """The fields of ``isa.FIELDS``, in their order."""

    opcode: int
    function: int
    wait: int
    post: int
    item: int
    flags: int
    tail: int
    rows: int
    panels: int
    dst: int
    src0: int
    src1: int
    src2: int
    dst_stride: int
    src0_stride: int
    src1_stride: int
    src2_stride: int

    @property
    def memory_address(self) -> int:
        """Off-chip address in granules of LOAD and STORE."""
        return self.src1 | self.src2 << isa.ADDRESS_BITS

    @property
    def sub0(self) -> int:
        """Sub-line that is read."""
        return self.src2 & ((1 << isa.SUB_BITS) - 1)

    @property
    def sub1(self) -> int:
        """Sub-line that is written (second operand of an output-stationary MATMUL: read)."""
        return self.src2 >> isa.SUB_BITS


assert Instruction._fields == tuple(name for name, _ in isa.FIELDS)


def instructions(records: isa.Records) -> list[Instruction]:
    """All instructions of a Program."""
    return [Instruction._make(fields) for fields in records.tolist()]
