"""What of a machine is built into a simulation of the core, and what it is told at run time."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from simulator.errors import OutOfDomain
from simulator.isa import Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space
from simulator.units import ceil_div

MAX_DMA_PORTS = 16
MIN_TABLE_CYCLES = 14
MAX_MEMORY_LATENCY = (1 << 16) - 1  # what the harness's input holds
_GRANULES_OF_A_LINE = 4


@dataclass(frozen=True)
class Parameters:
    """Compile-time parameters of the harness; sizes are rounded up: one build serves many machines."""

    ROWS: int
    COLS: int
    LANES: int
    LINE: int
    UB_GRANULES: int
    ACC_LINES: int
    QUEUE_DEPTH: int
    FIFO_DEPTH: int
    OUTPUT_STATIONARY: int
    PE_LATENCY: int
    HOP_H: int
    HOP_V: int
    ADDER_LATENCY: int
    UB_LATENCY: int
    ALU_LATENCY: int
    DIVIDE_CYCLES: int
    SQRT_CYCLES: int
    TABLE_CYCLES: int
    DMA_PORTS: int
    MAX_LATENCY: int
    PROGRAM_LENGTH: int
    HBM_GRANULES: int
    HOST_GRANULES: int
    PE_INSTANCES: int = 0

    def as_dict(self) -> dict[str, int]:
        """Name -> value."""
        return asdict(self)


def _power_of_two(least: int, value: int) -> int:
    return max(least, 1 << (value - 1).bit_length())


def space_offsets(program: Program) -> dict[Space, int]:
    """First granule of each space in the one memory that is the HBM; ``HOST``'s is that memory's size."""
    offsets, at = {}, 0
    for space in (Space.HBM, Space.HBM_CURRENT, Space.HBM_NEXT):
        offsets[space] = at
        size = program.memory_granules.get(space, 0)
        at += ceil_div(size, _GRANULES_OF_A_LINE) * _GRANULES_OF_A_LINE
    offsets[Space.HOST] = at
    return offsets


def _lines_per_cycle(machine: SystolicMachine, program: Program) -> int:
    """The most lines that a transfer of the Program moves in one cycle."""
    records = program.records
    moving = records[(records["opcode"] == Opcode.LOAD) | (records["opcode"] == Opcode.STORE)]
    most = 1
    for record in np.unique(moving[["item", "flags"]]):
        memory = machine.host_link if int(record["flags"]) & 1 else machine.hbm
        line = machine.line_elements << int(record["item"])
        rate = memory.bytes_per_cycle
        most = max(most, ceil_div(rate.numerator, rate.denominator * line))
    return most


def parameters_of(machine: SystolicMachine, program: Program, *, pe_instances: bool = False) -> Parameters:
    """The build that runs a Program.

    Raises:
        OutOfDomain: the core cannot be built with such numbers.
    """
    unit, vector = machine.matrix_unit, machine.vector_unit
    if not machine.is_power_of_two:
        raise OutOfDomain(f"rtl: {unit.rows} rows, {unit.cols} columns, {vector.lanes} lanes: powers of two")
    if vector.table_cycles < MIN_TABLE_CYCLES:
        raise OutOfDomain(
            f"rtl: vector_unit.table_cycles = {vector.table_cycles}: at least {MIN_TABLE_CYCLES}"
        )
    for name, memory in (("hbm", machine.hbm), ("host_link", machine.host_link)):
        if memory.latency_cycles > MAX_MEMORY_LATENCY:
            raise OutOfDomain(
                f"rtl: {name}.latency_cycles = {memory.latency_cycles}: at most {MAX_MEMORY_LATENCY}"
            )
    lines = _lines_per_cycle(machine, program)
    if lines > MAX_DMA_PORTS:
        raise OutOfDomain(
            f"rtl: a memory that moves {lines} lines per cycle: at most {MAX_DMA_PORTS} (bytes_per_cycle)"
        )
    latency = max(machine.hbm.latency_cycles, machine.host_link.latency_cycles)
    return Parameters(
        ROWS=unit.rows,
        COLS=unit.cols,
        LANES=vector.lanes,
        LINE=machine.line_elements,
        UB_GRANULES=_power_of_two(1 << 16, machine.buffer_granules),
        ACC_LINES=_power_of_two(1024, machine.accumulators.lines),
        QUEUE_DEPTH=_power_of_two(32, machine.sequencer.queue_depth),
        FIFO_DEPTH=_power_of_two(4, machine.weight_fifo.depth_tiles),
        OUTPUT_STATIONARY=int(unit.dataflow == "os"),
        PE_LATENCY=unit.pe_latency_cycles,
        HOP_H=unit.horizontal_hop_cycles,
        HOP_V=unit.vertical_hop_cycles,
        ADDER_LATENCY=machine.accumulators.adder_latency_cycles,
        UB_LATENCY=machine.unified_buffer.read_latency_cycles,
        ALU_LATENCY=vector.alu_latency_cycles,
        DIVIDE_CYCLES=vector.divide_cycles,
        SQRT_CYCLES=vector.sqrt_cycles,
        TABLE_CYCLES=vector.table_cycles,
        DMA_PORTS=_power_of_two(4, lines),
        MAX_LATENCY=_power_of_two(256, latency + 1),
        PROGRAM_LENGTH=_power_of_two(1 << 16, len(program) + 1),
        HBM_GRANULES=_power_of_two(1 << 16, space_offsets(program)[Space.HOST]),
        HOST_GRANULES=_power_of_two(1 << 14, program.memory_granules.get(Space.HOST, 0)),
        PE_INSTANCES=int(pe_instances),
    )


def run_time_inputs(machine: SystolicMachine, program: Program) -> dict[str, int]:
    """The ``cfg_`` inputs of the harness by the names its main knows."""
    offsets = space_offsets(program)
    hbm, host, unit = machine.hbm, machine.host_link, machine.matrix_unit
    return {
        "queue_depth": machine.sequencer.queue_depth,
        "fifo_depth": machine.weight_fifo.depth_tiles,
        "double": int(unit.weight_buffers == 2),
        "overlap": int(unit.overlap),
        "current": offsets[Space.HBM_CURRENT],
        "next": offsets[Space.HBM_NEXT],
        "hbm_latency": hbm.latency_cycles,
        "hbm_num": hbm.bytes_per_cycle.numerator,
        "hbm_den": hbm.bytes_per_cycle.denominator,
        "host_latency": host.latency_cycles,
        "host_num": host.bytes_per_cycle.numerator,
        "host_den": host.bytes_per_cycle.denominator,
    }
