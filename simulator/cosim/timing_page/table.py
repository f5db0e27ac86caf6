"""The table of cycles per instruction: each measured in RTL, alone and followed by its like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from simulator.cosim.timing_page.listing import Listing, run
from simulator.isa import Flag, Function, Opcode
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine

Fields = Mapping[str, Any]

# The machines of the table: overrides of ``edge_8x8``.
MACHINES: Mapping[str, tuple[str, ...]] = {
    "A": (),
    "B": ("matrix_unit.rows=4", "matrix_unit.cols=4", "vector_unit.lanes=4"),
    "C": (
        "matrix_unit.rows=1", "matrix_unit.cols=4", "vector_unit.lanes=2", "matrix_unit.pe_latency_cycles=2",
        "matrix_unit.horizontal_hop_cycles=2", "matrix_unit.vertical_hop_cycles=3",
        "unified_buffer.read_latency_cycles=2", "accumulators.adder_latency_cycles=3",
    ),
    "D": (
        "matrix_unit.rows=4", "matrix_unit.cols=4", "vector_unit.lanes=4", "matrix_unit.dataflow=os",
        "matrix_unit.pe_latency_cycles=3", "unified_buffer.read_latency_cycles=2",
    ),
}  # fmt: skip
_DESCRIBED = (
    ("array, rows x cols", lambda m: f"{m.matrix_unit.rows} x {m.matrix_unit.cols}"),
    ("dataflow", lambda m: m.matrix_unit.dataflow),
    ("PE latency `pe`", lambda m: m.matrix_unit.pe_latency_cycles),
    ("vertical, horizontal hop", lambda m: f"{m.matrix_unit.vertical_hop_cycles}, "
     f"{m.matrix_unit.horizontal_hop_cycles}"),
    ("buffer latency `ub`", lambda m: m.unified_buffer.read_latency_cycles),
    ("accumulators' `adder`", lambda m: m.accumulators.adder_latency_cycles),
    ("lanes", lambda m: m.vector_unit.lanes),
    ("`alu`, divide, sqrt, table", lambda m: ", ".join(
        str(getattr(m.vector_unit, f"{name}_cycles")) for name in ("alu_latency", "divide", "sqrt", "table")
    )),
    ("HBM, bytes per cycle", lambda m: m.hbm.bytes_per_cycle),
    ("HBM latency", lambda m: m.hbm.latency_cycles),
    ("host link, bytes per cycle", lambda m: m.host_link.bytes_per_cycle),
    ("host link latency", lambda m: m.host_link.latency_cycles),
)  # fmt: skip


class Cycles(NamedTuple):
    """Of one instruction, in RTL: until the next of its unit starts, and from start to end."""

    occupancy: int
    latency: int


class Row(NamedTuple):
    """A row of the table: name, the instruction with what comes before and after it, and its formulas.

    The formulas are Python in the names of ``docs/timing.md``.
    """

    name: str
    instruction: Fields
    occupancy: str
    latency: str
    before: tuple[Fields, ...] = ()
    after: tuple[Fields, ...] | None = None  # the same again


def _transfer(name: str, opcode: Opcode, flags: Flag) -> Row:
    latency = "ceil(bytes / rate) + max(memory, ub)" if opcode is Opcode.LOAD else "ub + ceil(bytes / rate)"
    fields = {"opcode": opcode, "item": 2, "rows": 4, "flags": flags}
    return Row(name, fields, "ceil(bytes / rate)", latency)


def _vector(name: str, function: Function, latency: str, panels: int = 1) -> Row:
    fields = {"function": function, "item": 2, "rows": 4, "panels": panels, "dst": 1024}
    return Row(name, {"opcode": Opcode.VEC, **fields}, latency, latency)


_WLOAD: Fields = {"opcode": Opcode.WLOAD, "item": 1}
_MATMUL: Fields = {"opcode": Opcode.MATMUL, "item": 1, "rows": 8}
_SWAPPED = {**_MATMUL, "flags": Flag.SWAP | Flag.RELEASE}
_TRANSPOSE: Fields = {"opcode": Opcode.TRANSPOSE, "item": 2, "rows": 2, "tail": 2, "dst": 64}
_COMMON = (
    _transfer("LOAD, 4 lines of float32, HBM", Opcode.LOAD, Flag.NONE),
    _transfer("LOAD, 4 lines of float32, host", Opcode.LOAD, Flag.HOST),
    _transfer("STORE, 4 lines of float32, HBM", Opcode.STORE, Flag.NONE),
    _transfer("STORE, 4 lines of float32, host", Opcode.STORE, Flag.HOST),
    Row("TRANSPOSE, 2 x 2", _TRANSPOSE, "2 + 2", "ub + 2 + 2"),
    _vector("VEC add, 4 lines", Function.ADD, "ub + 4 * beats + alu"),
    _vector("VEC divide, 4 lines", Function.DIVIDE, "ub + 4 * beats * divide + 1"),
    _vector("VEC sqrt, 4 lines", Function.SQRT, "ub + 4 * beats * sqrt + 1"),
    _vector("VEC exp, 4 lines", Function.EXP, "ub + 4 * beats * table + 1"),
    _vector(
        "VEC reduce_sum, 2 panels of 4 rows", Function.REDUCE_SUM, "ub + 2 * (4 * max(beats, alu) + beats)", 2
    ),
)
_STATIONARY = (
    Row("WLOAD", _WLOAD, "R", "ub + R"),
    Row(
        "MATMUL (ws, is), 8 rows", _MATMUL, "8", "ub + 8 - 1 + R * D + (C - 1) * h + adder",
        before=(_WLOAD, _SWAPPED),
    ),
)  # fmt: skip
_OUTPUT_STATIONARY = (
    Row("MATMUL (os), 8 steps", _MATMUL, "8 * pe", "ub + 8 * pe + (R - 1) * v + (C - 1) * h"),
    Row("DRAIN (os)", {"opcode": Opcode.DRAIN, "rows": 1}, "R", "R - 1 + adder", after=(_MATMUL,)),
)


def machines() -> dict[str, SystolicMachine]:
    """The machines of the table."""
    found = {name: load_machine("edge_8x8", overrides) for name, overrides in MACHINES.items()}
    return {name: machine for name, machine in found.items() if isinstance(machine, SystolicMachine)}


def rows_of(machine: SystolicMachine) -> tuple[Row, ...]:
    """The rows that the machine has instructions for."""
    special = _OUTPUT_STATIONARY if machine.matrix_unit.dataflow == "os" else _STATIONARY
    return _COMMON + special


def measure(machine: SystolicMachine, row: Row) -> Cycles:
    """One row on one machine, from the event log."""
    listing = Listing()
    after = (row.instruction,) if row.after is None else row.after
    for fields in (*row.before, row.instruction, *after):
        listing.add(**fields)
    events = run(machine, listing.program()).trace.events
    at = len(row.before)
    start, end, following = events["start"][at], events["end"][at], events["start"][at + 1]
    return Cycles(int(following - start), int(end - start))


def text() -> str:
    """Both tables, as in ``docs/timing.md``: the machines, and what was measured on them."""
    known = machines()
    lines = _table(["", *known], [[name, *map(of, known.values())] for name, of in _DESCRIBED])
    measured = {
        (row.name, name): measure(machine, row) for name, machine in known.items() for row in rows_of(machine)
    }
    cells = [
        [row.name, f"`{row.occupancy}`", f"`{row.latency}`"]
        + [_cell(measured.get((row.name, column))) for column in known]
        for row in (*_COMMON, *_STATIONARY, *_OUTPUT_STATIONARY)
    ]
    return "\n".join([*lines, "", *_table(["instruction", "occupancy", "latency", *known], cells, 3)]) + "\n"


def _cell(cycles: Cycles | None) -> str:
    return "" if cycles is None else f"{cycles.occupancy}, {cycles.latency}"


def _table(head: list[str], rows: list[list[Any]], words: int = 1) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|---" * words + "|--:" * (len(head) - words) + "|",
        *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
    ]
