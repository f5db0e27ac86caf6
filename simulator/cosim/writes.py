"""Which instruction wrote a byte last: the destination of every opcode, as ``docs/isa.md`` states it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.isa import REDUCING, Flag, Function, Opcode, memory_address, sub_lines
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space
from simulator.trace import Trace

UNIFIED_BUFFER, ACCUMULATORS = "unified buffer", "accumulators"
NOBODY, UNDER_WAY = -1, -2
_WORD = 2  # log2 of the bytes of a float32 or int32


def off_chip_name(space: Space) -> str:
    """An off-chip memory by the name that messages use."""
    return f"memory {space.name}"


@dataclass(frozen=True)
class Target:
    """What an instruction writes: ``panels`` x ``rows`` lines, of each ``count`` elements from ``first``.

    ``last`` is ``count`` in the last panel; ``item`` the log2 of an element's bytes.

    Units: ``address`` and ``line_bytes`` in bytes, ``stride`` in lines.
    """

    memory: str
    address: int
    line_bytes: int
    item: int
    rows: int
    panels: int
    stride: int
    first: int
    count: int
    last: int

    def elements(self) -> npt.NDArray[np.int64]:
        """First bytes of all elements; -1 where the last panel has fewer.

        Shapes: (panels, rows, count).
        """
        panels, rows, columns = (np.arange(n) for n in (self.panels, self.rows, self.count))
        lines = self.address + (panels[:, None] * self.stride + rows) * self.line_bytes
        found: npt.NDArray[np.int64] = lines[..., None] + ((self.first + columns) << self.item)
        found[-1, :, self.last :] = -1
        return found


def target_of(program: Program, machine: SystolicMachine, index: int) -> Target | None:
    """The memory that an instruction writes; None for those that write none (WLOAD, MATMUL os, HALT)."""
    record: Any = program.records[index : index + 1]
    field = {name: int(record[name][0]) for name in record.dtype.names}
    opcode, flags, width = Opcode(field["opcode"]), Flag(field["flags"]), machine.line_elements

    def lines(memory: str, granule: int, item: int, rows: int, panels: int, last: int) -> Target:
        """Whole lines, but for the last panel."""
        return Target(
            memory, granule * width, width << item, item, rows, panels, field["dst_stride"], 0, width, last
        )

    if opcode is Opcode.LOAD:
        return lines(UNIFIED_BUFFER, field["dst"], field["item"], field["rows"], field["panels"], width)
    if opcode is Opcode.STORE:
        memory = off_chip_name(_space(flags))
        granule = int(memory_address(record)[0])
        return lines(memory, granule, field["item"], field["rows"], field["panels"], width)
    if opcode is Opcode.TRANSPOSE:
        return lines(UNIFIED_BUFFER, field["dst"], field["item"], field["tail"], 1, width)
    if opcode is Opcode.VEC:
        function = Function(field["function"])
        item = {Function.COPY: field["item"], Function.TO_BFLOAT16: 1}.get(function, _WORD)
        rows = 1 if function in REDUCING else field["rows"]
        return lines(UNIFIED_BUFFER, field["dst"], item, rows, field["panels"], field["tail"])
    if opcode is Opcode.DRAIN or (opcode is Opcode.MATMUL and machine.matrix_unit.dataflow != "os"):
        cols, line = machine.matrix_unit.cols, width << _WORD
        first = int(sub_lines(record)[1][0]) * cols
        return Target(
            ACCUMULATORS, field["dst"] * line, line, _WORD, field["rows"], 1, 0, first, cols, cols
        )
    return None


def _space(flags: Flag) -> Space:
    named = {Flag.HOST: Space.HOST, Flag.CURRENT: Space.HBM_CURRENT, Flag.NEXT: Space.HBM_NEXT}
    return next((space for flag, space in named.items() if flags & flag), Space.HBM)


def last_writers(
    program: Program, machine: SystolicMachine, model: Trace, sizes: dict[str, int], until: int | None = None
) -> dict[str, npt.NDArray[np.int64]]:
    """The instruction that wrote each byte of these memories last, by the model; ``NOBODY`` where none did.

    ``until``: as of that cycle; bytes that an instruction under way writes have ``UNDER_WAY``.
    """
    events = model.events
    writers = {name: np.full(size, NOBODY, np.int64) for name, size in sizes.items()}
    order = np.argsort(events["end"], kind="stable")
    for index in order.tolist():
        if until is not None and events["start"][index] > until:
            continue
        target = target_of(program, machine, index)
        if target is None or target.memory not in writers:
            continue
        ended = until is None or events["end"][index] <= until
        elements = target.elements()
        first_bytes = elements[elements >= 0]
        for byte in range(1 << target.item):
            writers[target.memory][first_bytes + byte] = index if ended else UNDER_WAY
    return writers
