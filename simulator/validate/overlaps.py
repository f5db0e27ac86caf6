"""A VEC that writes lines which it reads later itself: its result would depend on the pipeline's depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.isa import OPERANDS, REDUCING, Flag, Function, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.validate.messages import fail
from simulator.validate.regions import vec_granules

Numbers = npt.NDArray[np.int64]


def check_overlaps(program: Program, machine: SystolicMachine) -> None:
    """Every VEC reads a line before, or in the same step as, it writes it. A step is a row of a panel.

    Raises:
        ProgramError: the first VEC of which the operand would change under way.
    """
    chosen = np.flatnonzero(program.records["opcode"] == Opcode.VEC)
    f = {name: program.records[name][chosen].astype(np.int64) for name in program.records.dtype.names or ()}
    source, result = vec_granules(f["function"], f["item"])
    reducing = np.isin(f["function"], list(REDUCING))
    operands = np.array([OPERANDS.get(Function(code), 1) for code in range(len(Function))])[f["function"]]
    rows = np.where(reducing, 1, f["rows"])
    low, high = f["dst"], f["dst"] + ((f["panels"] - 1) * f["dst_stride"] + rows) * result
    beats = machine.line_elements // machine.vector_unit.lanes
    for index in range(3):
        base, stride = f[f"src{index}"], f[f"src{index}_stride"]
        same_row = (f["flags"] & (Flag.SRC0_SAME_ROW << index)) != 0
        replicated = (f["flags"] & (Flag.SRC0_REPLICATE << index)) != 0
        end = base + ((f["panels"] - 1) * stride + np.where(same_row, 1, f["rows"])) * source
        touched = (base < high) & (low < end) & ((f["flags"] & (Flag.SRC0_ACCUMULATOR << index)) == 0)
        in_place = (base == low) & (source == result) & ~same_row & ~replicated & ~reducing
        in_place &= (f["panels"] == 1) | (stride == f["dst_stride"])
        for at in np.flatnonzero(touched & ~in_place & (operands > index)).tolist():
            # An element that serves all beats of a line must not be written before the last of them.
            last_beat = f["panels"][at] > 1 or f["tail"][at] > machine.vector_unit.lanes
            changes = bool(replicated[at] and beats > 1 and last_beat)
            one = {name: int(column[at]) for name, column in f.items()}
            shape = int(source[at]), int(result[at]), bool(reducing[at]), bool(same_row[at]), changes
            if _reads_what_it_wrote(one, index, *shape):
                text = f"src{index} = {int(base[at])}: the instruction reads lines that it has written"
                fail(program, int(chosen[at]), text)


def _reads_what_it_wrote(
    f: dict[str, Any], index: int, source: int, result: int, reducing: bool, same_row: bool, changes: bool
) -> bool:
    """Whether a granule is read in a later step than it is written (in the same one, if ``changes``)."""
    panels, rows = f["panels"], f["rows"]
    steps = np.arange(panels * rows).reshape(panels, rows)
    panel, row = np.divmod(steps, rows)
    read_line = panel * f[f"src{index}_stride"] + (0 if same_row else row)
    write_line = panel * f["dst_stride"] + (0 if reducing else row)
    reads = f[f"src{index}"] + (read_line * source)[..., None] + np.arange(source)
    writes = f["dst"] + (write_line * result)[..., None] + np.arange(result)
    low = int(min(reads.min(), writes.min()))
    never = panels * rows
    size = int(max(reads.max(), writes.max())) - low + 1
    first_write, last_read = np.full(size, never), np.full(size, -1)
    written = np.repeat(steps[:, -1:], rows, axis=1) if reducing else steps
    np.minimum.at(first_write, writes - low, np.broadcast_to(written[..., None], writes.shape))
    np.maximum.at(last_read, reads - low, np.broadcast_to(steps[..., None], reads.shape))
    late = first_write <= last_read if changes else first_write < last_read
    return bool(late.any())
