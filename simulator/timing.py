"""Per-instruction timing primitives: how long a unit is occupied, when the last write lands, a FIFO's hop.

These numbers are defined here; each engine composes them on its own (events, recurrence), and the RTL holds
none of them. The compiled recurrence repeats them for speed (``simulator/fast/native/times.h``).
``docs/timing.md`` defines every term. All values are cycles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.errors import OutOfDomain
from simulator.isa import REDUCING, Flag, Function, Opcode, Records
from simulator.machines.systolic import SystolicMachine
from simulator.units import ceil_div

Cycles = npt.NDArray[np.int64]

DISPATCH_TO_ISSUE = 1  # an instruction dispatched in cycle d can issue in cycle d + 1
REFILL_AFTER_ISSUE = 1  # a queue slot freed by an issue in cycle s can be dispatched into in cycle s + 1
MOST_CYCLES = 2.0**62  # that anything may take
ITERATIVE_WRITE = 1  # from the last cycle of an iterative function to the cycle after its write

# All that the times of an instruction depend on beside its opcode and the machine: fields, and which of their
# bits.
_WHOLE: Final = 2**32 - 1
_TRANSFER: Final = {"item": _WHOLE, "flags": int(Flag.HOST), "rows": _WHOLE, "panels": _WHOLE}
TIMED_BITS: Final[Mapping[Opcode, Mapping[str, int]]] = {
    Opcode.LOAD: _TRANSFER,
    Opcode.STORE: _TRANSFER,
    Opcode.WLOAD: {},
    Opcode.MATMUL: {"rows": _WHOLE},
    Opcode.DRAIN: {},
    Opcode.TRANSPOSE: {"rows": _WHOLE, "tail": _WHOLE},
    Opcode.VEC: {"function": _WHOLE, "rows": _WHOLE, "panels": _WHOLE},
    Opcode.HALT: {},
}

_ITERATIVE = {
    Function.DIVIDE: "divide_cycles",
    Function.SQRT: "sqrt_cycles",
    Function.EXP: "table_cycles",
    Function.LOG: "table_cycles",
    Function.TANH: "table_cycles",
}


_STORE: Final = int(Opcode.STORE)  # LOAD is below it, all others above
_ITERATES: Final = [int(function) for function in _ITERATIVE]
_PLAIN: Final = len(Function)  # any function that is none of these
_REDUCES: Final = np.array([function in REDUCING for function in (*Function, _PLAIN)])


class InstructionTimes(NamedTuple):
    """Two numbers per instruction.

    ``occupancy``: the unit can issue its next instruction at ``start + occupancy``.
    ``latency``: without anyone in the way, ``end = start + latency``.
    """

    occupancy: Cycles
    latency: Cycles


_OfOpcode = InstructionTimes | tuple[int, int]  # the same for all its instructions


class ArrayTimes(NamedTuple):
    """Constants of the array, all relative to the cycle in which a row or weight line enters it."""

    operand: int  # issue of a MATMUL to its first row at the array (unified buffer read)
    weight_lines: int  # cycles a tile's weights take through the top of the array
    weights_before_rows: int  # first weight line to the earliest first row of the tile
    rows_before_weights: int  # release of the weight registers to the earliest next first weight line
    result: int  # a row's entry to its complete, de-skewed result at the array's edge
    accumulate: int  # two MATMULs' starts, when the second accumulates


def row_delay(machine: SystolicMachine) -> int:
    """Delay of a partial sum per row of PEs."""
    unit = machine.matrix_unit
    return unit.pe_latency_cycles + unit.vertical_hop_cycles - 1


def array_times(machine: SystolicMachine) -> ArrayTimes:
    """The array's constants; ``docs/timing.md`` derives them."""
    unit = machine.matrix_unit
    delay, hop = row_delay(machine), unit.vertical_hop_cycles
    result = unit.rows * delay + (unit.cols - 1) * unit.horizontal_hop_cycles
    return ArrayTimes(
        operand=machine.unified_buffer.read_latency_cycles,
        weight_lines=unit.rows,
        weights_before_rows=max(1 + (unit.rows - 1) * max(0, 1 + hop - delay), unit.rows - 1),
        rows_before_weights=1 + (unit.rows - 1) * max(0, delay - 1 - hop),
        result=result,
        accumulate=machine.accumulators.adder_latency_cycles,
    )


def weight_release(machine: SystolicMachine, rows: int) -> int:
    """Issue of the releasing MATMUL (``rows`` long) to the earliest next first weight line.

    With two weight buffers the MATMUL that swaps releases; otherwise the one flagged ``RELEASE``.
    """
    unit, array = machine.matrix_unit, array_times(machine)
    if not unit.overlap:
        return array.operand + rows - 1 + array.result
    if unit.weight_buffers == 2:
        return array.operand + array.rows_before_weights
    return array.operand + rows - 1 + array.rows_before_weights


def releases_at_swap(machine: SystolicMachine) -> bool:
    """Whether the swap itself, not the last use of the old weights, frees the registers being loaded."""
    return machine.matrix_unit.overlap and machine.matrix_unit.weight_buffers == 2


def instruction_times(machine: SystolicMachine, records: Records) -> InstructionTimes:
    """Occupancy and latency of every instruction of a Program."""
    opcodes = records["opcode"]
    occupancy = np.ones(len(records), dtype=np.int64)
    latency = np.ones_like(occupancy)
    found = np.bincount(opcodes, minlength=len(Opcode)).tolist()
    if found[Opcode.LOAD] or found[Opcode.STORE]:
        chosen = (opcodes <= _STORE).nonzero()[0]
        occupancy[chosen], latency[chosen] = _transfer(machine, records[chosen])
    for opcode, times in _BY_OPCODE.items():
        if found[opcode]:
            chosen = (opcodes == opcode).nonzero()[0]
            occupancy[chosen], latency[chosen] = times(machine, records[chosen])
    return InstructionTimes(occupancy, latency)


def transfer_bytes(machine: SystolicMachine, records: Records) -> Cycles:
    """Bytes that LOAD and STORE move, whole lines."""
    lines = records["rows"].astype(np.int64) * records["panels"]
    n_bytes: Cycles = lines * machine.line_elements << records["item"].astype(np.int64)
    return n_bytes


def _transfer_cycles(machine: SystolicMachine, records: Records, to_host: npt.NDArray[np.bool_]) -> Cycles:
    host, hbm = machine.host_link.bytes_per_cycle, machine.hbm.bytes_per_cycle
    numerator: Any = hbm.numerator
    denominator: Any = hbm.denominator
    if to_host.any():
        numerator = np.where(to_host, host.numerator, numerator)
        denominator = np.where(to_host, host.denominator, denominator)
    # Cut in two: the bytes times the denominator could take more than 64 bits.
    whole, rest = np.divmod(transfer_bytes(machine, records), numerator)
    if (longest := (whole.astype(np.float64) * denominator).max()) > MOST_CYCLES:
        raise OutOfDomain(f"a transfer of {longest:.2g} cycles: at most {MOST_CYCLES:.2g} are counted")
    cycles: Cycles = whole * denominator - (-rest * denominator // numerator)
    return cycles


def _transfer(machine: SystolicMachine, records: Records) -> InstructionTimes:
    """LOAD and STORE."""
    to_host = (records["flags"] & int(Flag.HOST)) != 0
    occupancy = _transfer_cycles(machine, records, to_host)
    read = machine.unified_buffer.read_latency_cycles
    # A LOAD is never earlier than the first beat of a STORE requested in the same cycle: it must see those
    # before it.
    host, hbm = (max(memory.latency_cycles, read) for memory in (machine.host_link, machine.hbm))
    latency = np.where(records["opcode"] == _STORE, read, np.where(to_host, host, hbm))
    return InstructionTimes(occupancy, occupancy + latency)


def _wload(machine: SystolicMachine, records: Records) -> tuple[int, int]:
    rows = machine.matrix_unit.rows
    return rows, rows + machine.unified_buffer.read_latency_cycles


def _matmul(machine: SystolicMachine, records: Records) -> InstructionTimes:
    unit, array = machine.matrix_unit, array_times(machine)
    rows = records["rows"].astype(np.int64)
    if unit.dataflow == "os":
        interval = unit.pe_latency_cycles
        corner = (unit.rows - 1) * unit.vertical_hop_cycles + (unit.cols - 1) * unit.horizontal_hop_cycles
        return InstructionTimes(rows * interval, array.operand + rows * interval + corner)
    after_last_row = array.result + machine.accumulators.adder_latency_cycles
    return InstructionTimes(rows, array.operand + rows - 1 + after_last_row)


def _drain(machine: SystolicMachine, records: Records) -> tuple[int, int]:
    rows = machine.matrix_unit.rows
    return rows, rows - 1 + machine.accumulators.adder_latency_cycles


def _transpose(machine: SystolicMachine, records: Records) -> InstructionTimes:
    occupancy = records["rows"].astype(np.int64) + records["tail"]
    return InstructionTimes(occupancy, occupancy + machine.unified_buffer.read_latency_cycles)


def _vec(machine: SystolicMachine, records: Records) -> InstructionTimes:
    unit = machine.vector_unit
    beats = ceil_div(machine.line_elements, unit.lanes)
    rows, panels = records["rows"].astype(np.int64), records["panels"].astype(np.int64)
    functions = np.minimum(records["function"], _PLAIN)
    interval, write = np.ones(_PLAIN + 1, np.int64), np.full(_PLAIN + 1, unit.alu_latency_cycles)
    interval[_ITERATES] = [getattr(unit, field) for field in _ITERATIVE.values()]
    write[_ITERATES] = ITERATIVE_WRITE
    read = machine.unified_buffer.read_latency_cycles
    latency = read + rows * panels * beats * interval[functions] + write[functions]
    # A reduction's next row needs the sum so far: a row takes the adder's latency, or its beats if they
    # are more.
    if (reduces := _REDUCES[functions]).any():
        reduction = read + panels * (rows * max(beats, unit.alu_latency_cycles) + beats)
        latency = np.where(reduces, reduction, latency)
    return InstructionTimes(latency, latency)  # the next instruction waits for the last write


_BY_OPCODE: Final[Mapping[Opcode, Callable[[SystolicMachine, Records], _OfOpcode]]] = {
    Opcode.WLOAD: _wload,
    Opcode.MATMUL: _matmul,
    Opcode.DRAIN: _drain,
    Opcode.TRANSPOSE: _transpose,
    Opcode.VEC: _vec,
}  # HALT takes a cycle
