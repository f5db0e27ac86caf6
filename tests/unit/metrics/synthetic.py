"""A small, consistent Program and Trace without a compiler or an engine: an MLP step, timed by timing.md.

Weight-stationary, two weight buffers. The order of instructions is naive.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Any

import numpy as np

from simulator import timing
from simulator.graph import Location
from simulator.isa import INSTRUCTION_DTYPE, Flag, Function, Opcode, UnitId, units_of
from simulator.machines.systolic import SystolicMachine
from simulator.program import NO_OPERATION, Operation, Placement, Program, Space, Traffic
from simulator.trace import EVENT_DTYPE, REASONS, SHIFT_DTYPE, STALL_DTYPE, WEIGHT_SHIFTER, Stall, Trace

HOST, HBM = Flag.HOST, Flag.NONE


def machine(size: int = 8, **overrides: dict[str, Any]) -> SystolicMachine:
    """A square core with ``size`` rows, columns and lanes."""
    tables: dict[str, Any] = {
        "kind": "systolic",
        "name": f"synthetic_{size}x{size}",
        "technology": {"process_nm": 7},
        "clock": {"mhz": 500.0},
        "host_link": {"bytes_per_cycle": 16, "latency_cycles": 40},
        "hbm": {"bytes_per_cycle": 64, "latency_cycles": 30, "capacity_bytes": 1 << 30},
        "unified_buffer": {"capacity_bytes": 1 << 18, "read_latency_cycles": 2},
        "weight_fifo": {"depth_tiles": 4},
        "matrix_unit": {
            "rows": size, "cols": size, "dataflow": "ws", "weight_buffers": 2, "overlap": True,
            "pe_latency_cycles": 1, "horizontal_hop_cycles": 1, "vertical_hop_cycles": 1,
        },
        "accumulators": {"lines": 512, "adder_latency_cycles": 2},
        "vector_unit": {
            "lanes": size, "alu_latency_cycles": 3, "divide_cycles": 14, "sqrt_cycles": 16,
            "table_cycles": 12,
        },
        "sequencer": {"queue_depth": 8},
    }  # fmt: skip
    for unit, fields in overrides.items():
        tables[unit] = {**tables[unit], **fields}
    return SystolicMachine.model_validate(tables)


class Builder:
    """Collects instructions; ``after`` is the index of an instruction that a new one waits for."""

    def __init__(self, machine: SystolicMachine) -> None:
        self.machine = machine
        self.rows: list[dict[str, int]] = []
        self.operation: list[int] = []
        self.traffic: list[int] = []
        self.macs: list[int] = []
        self.tensor: list[int] = []
        self.operations: list[list[Any]] = []
        self.tensors: list[str] = []
        self.placements: dict[str, Placement] = {}

    def op(self, name: str, label: str) -> None:
        self.operations.append(
            [name, label, Location("examples/mlp.py", 10 + len(self.operations), 9, "step"), 0]
        )

    def add(
        self, opcode: Opcode, *, after: int | None = None, traffic: Traffic = Traffic.NONE, tensor: str = "",
        macs: int = 0, **fields: int,
    ) -> None:  # fmt: skip
        row = {"opcode": int(opcode), "rows": 1, "panels": 1, "item": 2, **fields}
        if after is not None:
            self.rows[after]["post"] = self.rows[after].get("post", 0) | 1 << _unit(row)
            row["wait"] = row.get("wait", 0) | 1 << _unit(self.rows[after])
        self.rows.append(row)
        self.operation.append(len(self.operations) - 1 if opcode != Opcode.HALT else NO_OPERATION)
        self.traffic.append(int(traffic))
        if tensor and tensor not in self.tensors:
            self.tensors.append(tensor)
        self.tensor.append(self.tensors.index(tensor) if tensor else -1)
        self.macs.append(macs)
        if macs:
            self.operations[-1][3] += macs

    @property
    def last(self) -> int:
        return len(self.rows) - 1

    def transfer(self, opcode: Opcode, why: Traffic, name: str, m: int, n: int, link: int, **kw: Any) -> None:
        panels = -(-n // self.machine.line_elements)
        space = Space.HOST if link & HOST else Space.HBM
        self.placements.setdefault(name, Placement(name, space, 0, m, n, "float32"))
        stride = {"src0_stride" if opcode == Opcode.LOAD else "dst_stride": m}
        self.add(opcode, traffic=why, tensor=name, rows=m, panels=panels, flags=int(link), **stride, **kw)

    def matmul(self, m: int, k: int, n: int, after: int | None = None) -> None:
        unit = self.machine.matrix_unit
        for n0 in range(0, n, unit.cols):
            for k0 in range(0, k, unit.rows):
                valid = min(unit.rows, k - k0)
                self.add(Opcode.WLOAD, after=after, rows=valid, item=1)
                flags = Flag.SWAP | Flag.RELEASE | (Flag.ACCUMULATE if k0 else Flag.NONE)
                self.add(
                    Opcode.MATMUL, rows=m, tail=valid, flags=int(flags), item=1,
                    macs=m * valid * min(unit.cols, n - n0),
                )  # fmt: skip
                after = None

    def vec(self, function: Function, m: int, n: int, after: int | None = None, flags: int = 0) -> None:
        panels = -(-n // self.machine.line_elements)
        tail = n - (panels - 1) * self.machine.line_elements
        self.add(
            Opcode.VEC, after=after, function=int(function), rows=m, panels=panels, tail=tail, flags=flags
        )

    def program(self, name: str = "step") -> Program:
        self.add(Opcode.HALT, after=self.last)
        records = np.zeros(len(self.rows), dtype=INSTRUCTION_DTYPE)
        for index, row in enumerate(self.rows):
            for field, value in row.items():
                records[index][field] = value
        return Program(
            records=records,
            operation=np.array(self.operation, dtype=np.int32),
            traffic=np.array(self.traffic, dtype=np.uint8),
            macs=np.array(self.macs, dtype=np.int64),
            tensor=np.array(self.tensor, dtype=np.int32),
            operations=tuple(Operation(*fields) for fields in self.operations),
            tensors=tuple(self.tensors),
            placements=tuple(self.placements.values()),
            name=name,
        )


def _unit(row: dict[str, int]) -> int:
    record = np.zeros(1, dtype=INSTRUCTION_DTYPE)
    record["opcode"] = row["opcode"]
    return int(units_of(record)[0])


def mlp_step(machine: SystolicMachine, widths: tuple[int, ...] = (64, 32, 10), batch: int = 32) -> Program:
    """Forward, backward and SGD of an MLP with tanh."""
    b = Builder(machine)
    layers = list(pairwise(widths))
    b.op("input", f"load x {batch}x{widths[0]}")
    b.transfer(Opcode.LOAD, Traffic.INPUT, "x", batch, widths[0], HOST)
    previous = b.last
    for i, (k, n) in enumerate(layers):
        b.op("matmul", f"matmul {batch}x{k}x{n} forward {i}")
        b.transfer(Opcode.LOAD, Traffic.INPUT, f"params.{i}.w", k, n, HBM)
        b.matmul(batch, k, n, after=b.last)
        b.op("add", f"add bias {i}")
        b.vec(Function.ADD, batch, n, after=b.last, flags=int(Flag.SRC0_ACCUMULATOR | Flag.SRC1_SAME_ROW))
        b.op("tanh", f"tanh {i}")
        b.vec(Function.TANH, batch, n, after=previous if i == 0 else None)
        b.vec(Function.TO_BFLOAT16, batch, n)
        previous = b.last
    for i, (k, n) in reversed(list(enumerate(layers))):
        b.op("transpose", f"transpose a.{i}")
        for _ in range(0, k, machine.line_elements):
            b.add(
                Opcode.TRANSPOSE, after=previous, rows=min(batch, machine.line_elements),
                tail=machine.line_elements,
            )  # fmt: skip
            previous = None
        b.op("matmul", f"matmul {k}x{batch}x{n} dW {i}")
        b.matmul(k, batch, n, after=b.last)
        grad = b.last
        b.op("multiply", f"lr * dW {i}")
        b.vec(Function.MULTIPLY, k, n, after=grad, flags=int(Flag.SRC0_ACCUMULATOR | Flag.SRC1_REPLICATE))
        b.op("subtract", f"w - lr * dW {i}")
        b.vec(Function.SUBTRACT, k, n)
        b.transfer(Opcode.STORE, Traffic.OUTPUT, f"params.{i}.w", k, n, HBM, after=b.last)
        previous = b.last
        if i:
            b.transfer(Opcode.STORE, Traffic.SPILL, f"%{i}", batch, n, HBM)
            b.transfer(Opcode.LOAD, Traffic.FILL, f"%{i}", batch, n, HBM)
            previous = b.last
    return b.program()


def simulate(machine: SystolicMachine, program: Program, engine: str = "synthetic") -> Trace:
    """Times a Program in one pass over its instructions in program order."""
    return _Stepper(machine, program).run(engine)


class _Stepper:
    def __init__(self, machine: SystolicMachine, program: Program) -> None:
        self.machine, self.program = machine, program
        self.times = timing.instruction_times(machine, program.records)
        self.units = units_of(program.records)
        self.free = dict.fromkeys(range(WEIGHT_SHIFTER + 1), 0)
        self.posts: dict[tuple[int, int], deque[tuple[int, int]]] = {}
        self.stalls: list[tuple[int, int, int, int, int, int, int]] = []
        self.events: list[tuple[int, int, int, int, int, int]] = []
        self.shifts: list[tuple[int, int, int, int]] = []
        self.wloads: list[int] = []
        self.ends: dict[int, int] = {}
        self.last_dma: tuple[bool, int] | None = None
        self.last_matmul: tuple[int, int] | None = None

    def wait(
        self, unit: int, until: int, reason: Stall, instruction: int, cause: int, cause_unit: int
    ) -> None:
        if until > self.free[unit]:
            self.stalls.append(
                (unit, self.free[unit], until, REASONS.index(reason), instruction, cause, cause_unit)
            )
        self.free[unit] = max(self.free[unit], until)

    def run(self, engine: str) -> Trace:
        starts: dict[int, list[int]] = {}
        depth = self.machine.sequencer.queue_depth
        for index, record in enumerate(self.program.records):
            unit = int(self.units[index])
            mine = starts.setdefault(unit, [])
            room = mine[-depth] + 1 if len(mine) >= depth else 0
            self.wait(UnitId.SEQUENCER, room, Stall.QUEUE, index, -1, unit)
            dispatch = self.free[UnitId.SEQUENCER]
            self.free[UnitId.SEQUENCER] = dispatch + 1
            start = self.issue(index, unit, record, dispatch)
            mine.append(start)
        total = self.ends[len(self.program) - 1]
        for unit in self.free:
            self.wait(unit, total, Stall.FINISHED, -1, len(self.program) - 1, UnitId.SEQUENCER)
        return Trace(
            events=np.array(self.events, dtype=EVENT_DTYPE),
            shifts=np.array(self.shifts, dtype=SHIFT_DTYPE),
            stalls=np.array(self.stalls, dtype=STALL_DTYPE),
            cycles=total,
            engine=engine,
            clock_mhz=self.machine.clock.mhz,
        )

    def issue(self, index: int, unit: int, record: Any, dispatch: int) -> int:
        machine = self.machine
        self.wait(unit, dispatch + 1, Stall.DISPATCH, -1, -1, UnitId.SEQUENCER)
        for producer in range(6):
            if int(record["wait"]) >> producer & 1:
                usable, cause = self.posts[producer, unit].popleft()
                self.wait(unit, usable, Stall.TOKEN, index, cause, producer)
        opcode, swap = int(record["opcode"]), int(record["flags"]) & Flag.SWAP
        to_host = bool(int(record["flags"]) & Flag.HOST)
        if unit == UnitId.DMA and self.last_dma and self.last_dma[0] != to_host:
            cause = self.last_dma[1]
            self.wait(unit, self.ends[cause], Stall.MEMORY_SWITCH, index, cause, unit)
        if opcode == Opcode.WLOAD:
            tile = len(self.wloads) - machine.weight_fifo.depth_tiles
            if tile >= 0:
                self.wait(unit, self.shifts[tile][3], Stall.WEIGHT_FIFO, index, self.shifts[tile][0], unit)
        if opcode == Opcode.MATMUL:
            if swap:
                self.shift(index)
            if self.last_matmul and int(record["flags"]) & Flag.ACCUMULATE:
                cause, before = self.last_matmul
                adder = timing.array_times(machine).accumulate
                self.wait(unit, before + adder, Stall.ACCUMULATE, index, cause, unit)
        start = self.free[unit]
        end = start + int(self.times.latency[index])
        if unit == UnitId.DMA:
            end = max(end, self.ends[self.last_dma[1]] + 1 if self.last_dma else 0)
            self.last_dma = (to_host, index)
        if opcode == Opcode.MATMUL:
            self.last_matmul = (index, start)
        if opcode == Opcode.WLOAD:
            self.wloads.append(index)
        self.free[unit] = start + int(self.times.occupancy[index])
        self.ends[index] = end
        self.events.append((index, unit, dispatch, start, self.free[unit], end))
        for consumer in range(6):
            if int(record["post"]) >> consumer & 1:
                self.posts.setdefault((unit, consumer), deque()).append((end, index))
        return start

    def shift(self, matmul: int) -> None:
        array = timing.array_times(self.machine)
        tile = len(self.shifts)
        wload = self.wloads[tile]
        self.wait(WEIGHT_SHIFTER, self.ends[wload], Stall.WEIGHTS, wload, wload, UnitId.WEIGHT_LOADER)
        if self.last_matmul:
            cause, start = self.last_matmul
            release = start + timing.weight_release(self.machine, int(self.program.records["rows"][cause]))
            self.wait(WEIGHT_SHIFTER, release, Stall.WEIGHT_RELEASE, wload, cause, UnitId.MATRIX)
        begin = self.free[WEIGHT_SHIFTER]
        self.free[WEIGHT_SHIFTER] = begin + array.weight_lines
        self.shifts.append((wload, matmul, begin, self.free[WEIGHT_SHIFTER]))
        ready = begin + array.weights_before_rows - array.operand
        self.wait(UnitId.MATRIX, ready, Stall.WEIGHTS, matmul, wload, UnitId.WEIGHT_LOADER)
