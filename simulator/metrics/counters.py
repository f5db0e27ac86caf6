"""What a Program makes the hardware do: multiplications, vector operations, bytes through every memory.

Counted as the hardware works: whole lines cross a port, lanes and columns without a valid element work all
the same, rows of the array that are switched off do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.isa import OPERANDS, REDUCING, UNIT_NAMES, Flag, Function, Opcode, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.timing import transfer_bytes

SUM_BYTES = 4  # accumulators and vector operands hold float32 or int32
BFLOAT16_BYTES = 2
INT8_BYTES = 1
_ACCUMULATOR_FLAGS = (Flag.SRC0_ACCUMULATOR, Flag.SRC1_ACCUMULATOR, Flag.SRC2_ACCUMULATOR)

Records = npt.NDArray[Any]


@dataclass
class Counters:
    """Counts of one Program.

    Units: multiply-accumulates, element-operations, bytes.
    """

    macs_useful: int = 0  # what the graph asks for
    macs_executed: dict[str, int] = field(default_factory=dict)  # by type (bfloat16, int8), padding included
    accumulator_adds: dict[str, int] = field(default_factory=dict)  # by type: sums added to what is there
    vector_elements: dict[str, int] = field(
        default_factory=dict
    )  # by function; "<function>.int32" for integers
    buffer_read_bytes: dict[str, int] = field(default_factory=dict)  # unified buffer, by client
    buffer_written_bytes: dict[str, int] = field(default_factory=dict)
    accumulator_read_bytes: int = 0
    accumulator_written_bytes: int = 0
    weight_fifo_bytes: int = 0  # written once and read once
    hbm_read_bytes: int = 0
    hbm_written_bytes: int = 0
    host_read_bytes: int = 0
    host_written_bytes: int = 0

    @property
    def hbm_bytes(self) -> int:
        """Bytes between the core and HBM, both ways."""
        return self.hbm_read_bytes + self.hbm_written_bytes

    @property
    def host_bytes(self) -> int:
        """Bytes over the host link, both ways."""
        return self.host_read_bytes + self.host_written_bytes

    @property
    def buffer_bytes(self) -> int:
        """Bytes read from and written to the unified buffer."""
        return sum(self.buffer_read_bytes.values()) + sum(self.buffer_written_bytes.values())


def count(machine: SystolicMachine, program: Program) -> Counters:
    """Counters of a Program, which do not depend on when its instructions run."""
    counters = Counters(macs_useful=int(program.macs.sum()))
    for opcode, counts in _BY_OPCODE.items():
        chosen = program.records[program.records["opcode"] == opcode]
        if len(chosen):
            counts(counters, machine, chosen)
    return counters


def _add(into: dict[str, int], key: str, amount: Any) -> None:
    if int(amount):
        into[key] = into.get(key, 0) + int(amount)


def _lines(records: Records) -> npt.NDArray[np.int64]:
    lines: npt.NDArray[np.int64] = records["rows"].astype(np.int64) * records["panels"]
    return lines


def _item_bytes(records: Records) -> npt.NDArray[np.int64]:
    return np.int64(1) << records["item"].astype(np.int64)


def _flagged(records: Records, flag: Flag) -> npt.NDArray[np.bool_]:
    flagged: npt.NDArray[np.bool_] = (records["flags"] & flag) != 0
    return flagged


def _load(counters: Counters, machine: SystolicMachine, records: Records) -> None:
    n_bytes, host = transfer_bytes(machine, records), _flagged(records, Flag.HOST)
    counters.host_read_bytes += int(n_bytes[host].sum())
    counters.hbm_read_bytes += int(n_bytes[~host].sum())
    _add(counters.buffer_written_bytes, UNIT_NAMES[UnitId.DMA], n_bytes.sum())


def _store(counters: Counters, machine: SystolicMachine, records: Records) -> None:
    n_bytes, host = transfer_bytes(machine, records), _flagged(records, Flag.HOST)
    counters.host_written_bytes += int(n_bytes[host].sum())
    counters.hbm_written_bytes += int(n_bytes[~host].sum())
    _add(counters.buffer_read_bytes, UNIT_NAMES[UnitId.DMA], n_bytes.sum())


def _wload(counters: Counters, machine: SystolicMachine, records: Records) -> None:
    unit = machine.matrix_unit
    line_bytes = _item_bytes(records) * unit.cols
    counters.weight_fifo_bytes += int(line_bytes.sum()) * unit.rows  # always a whole tile
    _add(counters.buffer_read_bytes, UNIT_NAMES[UnitId.WEIGHT_LOADER], (records["rows"] * line_bytes).sum())


def _matmul(counters: Counters, machine: SystolicMachine, records: Records) -> None:
    unit = machine.matrix_unit
    streamed = records["rows"].astype(np.int64)
    integer = _flagged(records, Flag.INTEGER)
    item = np.where(integer, INT8_BYTES, BFLOAT16_BYTES)
    if unit.dataflow == "os":  # a pair of lines per step of k; the sums stay in the array until DRAIN
        executed = streamed * unit.rows * unit.cols
        read = streamed * (unit.rows + unit.cols) * item
    else:
        executed = streamed * np.minimum(records["tail"], unit.rows).astype(np.int64) * unit.cols
        read = streamed * unit.rows * item
        results, added = streamed * unit.cols, _flagged(records, Flag.ACCUMULATE)
        counters.accumulator_written_bytes += int(results.sum()) * SUM_BYTES
        counters.accumulator_read_bytes += int(results[added].sum()) * SUM_BYTES
        _add(counters.accumulator_adds, "int8", results[added & integer].sum())
        _add(counters.accumulator_adds, "bfloat16", results[added & ~integer].sum())
    _add(counters.macs_executed, "int8", executed[integer].sum())
    _add(counters.macs_executed, "bfloat16", executed[~integer].sum())
    _add(counters.buffer_read_bytes, UNIT_NAMES[UnitId.MATRIX], read.sum())


def _drain(counters: Counters, machine: SystolicMachine, records: Records) -> None:
    unit = machine.matrix_unit
    counters.accumulator_written_bytes += int(records["rows"].sum()) * unit.cols * SUM_BYTES


def _transpose(counters: Counters, machine: SystolicMachine, records: Records) -> None:
    line_bytes = machine.line_elements * _item_bytes(records)
    client = UNIT_NAMES[UnitId.TRANSPOSER]
    _add(counters.buffer_read_bytes, client, (records["rows"] * line_bytes).sum())
    _add(counters.buffer_written_bytes, client, (records["tail"] * line_bytes).sum())


def _vec(counters: Counters, machine: SystolicMachine, records: Records) -> None:
    client = UNIT_NAMES[UnitId.VECTOR]
    for function in Function:
        mine = records[records["function"] == function]
        if not len(mine):
            continue
        elements = _lines(mine) * machine.line_elements
        integer = _flagged(mine, Flag.INTEGER)
        name = function.name.lower()
        _add(counters.vector_elements, name, elements[~integer].sum())
        _add(counters.vector_elements, f"{name}.int32", elements[integer].sum())
        source_bytes, result_bytes = _vector_item_bytes(function, mine)
        for flag in _ACCUMULATOR_FLAGS[: OPERANDS.get(function, 1)]:
            n_bytes, accumulators = elements * source_bytes, _flagged(mine, flag)
            counters.accumulator_read_bytes += int(n_bytes[accumulators].sum())
            _add(counters.buffer_read_bytes, client, n_bytes[~accumulators].sum())
        results = elements
        if function in REDUCING:
            results = mine["panels"].astype(np.int64) * machine.line_elements
            continued = _flagged(mine, Flag.ACCUMULATE)
            _add(counters.buffer_read_bytes, client, results[continued].sum() * SUM_BYTES)
        _add(counters.buffer_written_bytes, client, (results * result_bytes).sum())


def _vector_item_bytes(function: Function, records: Records) -> tuple[Any, Any]:
    """Bytes of an element read and of an element written."""
    if function is Function.COPY:
        item = _item_bytes(records)
        return item, item
    if function in (Function.FLOAT32_FROM_INT8, Function.INT32_FROM_INT8):
        return INT8_BYTES, SUM_BYTES
    return SUM_BYTES, BFLOAT16_BYTES if function is Function.TO_BFLOAT16 else SUM_BYTES


_BY_OPCODE = {
    Opcode.LOAD: _load,
    Opcode.STORE: _store,
    Opcode.WLOAD: _wload,
    Opcode.MATMUL: _matmul,
    Opcode.DRAIN: _drain,
    Opcode.TRANSPOSE: _transpose,
    Opcode.VEC: _vec,
}
