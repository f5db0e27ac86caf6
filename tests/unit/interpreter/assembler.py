"""Writes Programs by hand: instructions with defaults, placements one after another, tokens by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from simulator.graph import ITEM_BYTES, NOWHERE
from simulator.isa import (
    INSTRUCTION_DTYPE,
    UNIT_OF_OPCODE,
    Flag,
    Function,
    Opcode,
    UnitId,
    join_sub_lines,
    split_memory_address,
)
from simulator.machines.systolic import SystolicMachine
from simulator.program import NO_OPERATION, Operation, Placement, Program, Space, Traffic
from simulator.trace import EVENT_DTYPE, SHIFT_DTYPE, STALL_DTYPE, Trace

SPACE_FLAG = {
    Space.HBM: Flag.NONE,
    Space.HBM_CURRENT: Flag.CURRENT,
    Space.HBM_NEXT: Flag.NEXT,
    Space.HOST: Flag.HOST,
}
ITEM = {1: 0, 2: 1, 4: 2}


def make_machine(
    rows: int = 4, cols: int = 4, lanes: int = 4, **overrides: Mapping[str, Any]
) -> SystolicMachine:
    """A small core; ``overrides`` are tables of fields."""
    tables: dict[str, Any] = {
        "kind": "systolic",
        "name": "by_hand",
        "technology": {"process_nm": 7},
        "clock": {"mhz": 500.0},
        "host_link": {"bytes_per_cycle": 16, "latency_cycles": 40},
        "hbm": {"bytes_per_cycle": 64, "latency_cycles": 30, "capacity_bytes": 1 << 24},
        "unified_buffer": {"capacity_bytes": 1 << 13, "read_latency_cycles": 1},
        "weight_fifo": {"depth_tiles": 2},
        "matrix_unit": {
            "rows": rows, "cols": cols, "dataflow": "ws", "weight_buffers": 2, "overlap": True,
            "pe_latency_cycles": 1, "horizontal_hop_cycles": 1, "vertical_hop_cycles": 1,
        },
        "accumulators": {"lines": 64, "adder_latency_cycles": 2},
        "vector_unit": {
            "lanes": lanes, "alu_latency_cycles": 3,
            "divide_cycles": 14, "sqrt_cycles": 16, "table_cycles": 12,
        },
        "sequencer": {"queue_depth": 8},
    }  # fmt: skip
    for unit, fields in overrides.items():
        tables[unit] = {**tables[unit], **fields}
    return SystolicMachine.model_validate(tables)


class Assembler:
    """Collects instructions and placements of one Program."""

    def __init__(self, machine: SystolicMachine) -> None:
        self.machine = machine
        self.width = machine.line_elements
        self.fields: list[dict[str, int]] = []
        self.traffic: list[int] = []
        self.tensor: list[int] = []
        self.tensors: list[str] = []
        self.placements: list[Placement] = []
        self.constants: dict[str, Any] = {}
        self.granules = dict.fromkeys(Space, 0)

    def place(
        self, path: str, rows: int, cols: int, dtype: str = "float32", space: Space = Space.HOST
    ) -> Placement:
        """Room for a tensor behind all others of its space."""
        address = -(-self.granules[space] // 4) * 4
        lines = -(-cols // self.width) * rows
        self.granules[space] = address + lines * ITEM_BYTES[dtype]
        placement = Placement(path, space, address, rows, cols, dtype)
        self.placements.append(placement)
        return placement

    def emit(
        self,
        opcode: Opcode,
        *,
        wait: Iterable[UnitId] = (),
        post: Iterable[UnitId] = (),
        sub0: int = 0,
        sub1: int = 0,
        traffic: Traffic = Traffic.NONE,
        tensor: str = "",
        **fields: int,
    ) -> int:
        """Append an instruction and return its number."""
        record = {
            "opcode": int(opcode),
            "rows": 1,
            "panels": 1,
            **{key: int(value) for key, value in fields.items()},
        }
        record["wait"] = sum(1 << unit for unit in wait)
        record["post"] = sum(1 << unit for unit in post)
        if sub0 or sub1:
            record["src2"] = join_sub_lines(sub0, sub1)
        self.fields.append(record)
        self.traffic.append(int(traffic))
        if tensor and tensor not in self.tensors:
            self.tensors.append(tensor)
        self.tensor.append(self.tensors.index(tensor) if tensor else -1)
        return len(self.fields) - 1

    def load(self, source: Placement, dst: int, **fields: Any) -> int:
        """A whole placement into consecutive lines from ``dst``."""
        panels = -(-source.cols // self.width)
        shape = {"rows": source.rows, "panels": panels, "src0_stride": source.rows, "dst_stride": source.rows}
        src1, src2 = split_memory_address(source.address)
        names = {"tensor": source.path, "traffic": Traffic.INPUT}
        item = ITEM[ITEM_BYTES[source.dtype]]
        where = {"dst": dst, "src1": src1, "src2": src2, "item": item, "flags": SPACE_FLAG[source.space]}
        return self.emit(Opcode.LOAD, **{**shape, **where, **names, **fields})

    def store(self, target: Placement, src0: int, **fields: Any) -> int:
        """Consecutive lines from ``src0`` into a whole placement."""
        panels = -(-target.cols // self.width)
        shape = {"rows": target.rows, "panels": panels, "src0_stride": target.rows, "dst_stride": target.rows}
        src1, src2 = split_memory_address(target.address)
        names = {"tensor": target.path, "traffic": Traffic.OUTPUT}
        item = ITEM[ITEM_BYTES[target.dtype]]
        where = {"src0": src0, "src1": src1, "src2": src2, "item": item, "flags": SPACE_FLAG[target.space]}
        return self.emit(Opcode.STORE, **{**shape, **where, **names, **fields})

    def wload(self, src0: int, **fields: Any) -> int:
        """A whole tile of bfloat16."""
        return self.emit(
            Opcode.WLOAD, src0=src0, **{"rows": self.machine.matrix_unit.rows, "item": 1, **fields}
        )

    def matmul(self, src0: int, dst: int = 0, **fields: Any) -> int:
        """One line of bfloat16 with all k valid."""
        tail = self.machine.matrix_unit.rows
        return self.emit(Opcode.MATMUL, src0=src0, dst=dst, **{"tail": tail, "item": 1, **fields})

    def vec(self, function: Function, dst: int, src0: int, **fields: Any) -> int:
        """Whole lines."""
        chosen = {"tail": self.width, "item": 2, **fields}
        return self.emit(Opcode.VEC, function=function, dst=dst, src0=src0, **chosen)

    def halt(self, **fields: Any) -> int:
        """The end."""
        return self.emit(Opcode.HALT, **fields)

    def serialize(self) -> None:
        """Every instruction waits for the one before it."""
        units = [UNIT_OF_OPCODE[Opcode(record["opcode"])] for record in self.fields]
        for index in range(1, len(units)):
            self.fields[index - 1]["post"] |= 1 << units[index]
            self.fields[index]["wait"] |= 1 << units[index - 1]

    def program(self, *, serial: bool = False, **changes: Any) -> Program:
        """The Program; ``serial`` adds tokens that execute one instruction after the other."""
        if serial:
            self.serialize()
        count = len(self.fields)
        records = np.zeros(count, INSTRUCTION_DTYPE)
        for record, fields in zip(records, self.fields, strict=True):
            for field, value in fields.items():
                record[field] = value
        program = Program(
            records=records,
            operation=np.full(count, NO_OPERATION, np.int32),
            traffic=np.array(self.traffic, np.uint8),
            macs=np.zeros(count, np.int64),
            tensor=np.array(self.tensor, np.int32),
            operations=(Operation("by hand", "by hand", NOWHERE, 0),),
            tensors=tuple(self.tensors),
            placements=tuple(self.placements),
            constants=dict(self.constants),
            memory_granules=dict(self.granules),
        )
        return replace(program, **changes)


def make_trace(moments: Iterable[tuple[int, int]]) -> Trace:
    """A Trace of ``(start, end)`` of every instruction, in program order."""
    times = list(moments)
    events = np.zeros(len(times), EVENT_DTYPE)
    events["instruction"] = np.arange(len(times))
    events["start"], events["end"] = zip(*times, strict=True)
    shifts, stalls = np.zeros(0, SHIFT_DTYPE), np.zeros(0, STALL_DTYPE)
    return Trace(events, shifts, stalls, int(events["end"].max()), "by hand", 500.0)


def bfloat16(values: Any) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """The upper halves of float32 numbers that are bfloat16 exactly."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    assert not np.any(bits & 0xFFFF), "not exact in bfloat16"
    return (bits >> 16).astype(np.uint16)
