"""The description of a systolic training core: one table per unit, every field with its unit and meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.machines.fields import (
    Count,
    Flag,
    Latency,
    Megahertz,
    Rate,
    Stages,
    StrictChoice,
    Technology,
    Text,
    Unit,
)

__all__ = [
    "Accumulators",
    "Clock",
    "Count",
    "Dataflow",
    "Hbm",
    "HostLink",
    "Latency",
    "MatrixUnit",
    "Rate",
    "Sequencer",
    "Stages",
    "SystolicMachine",
    "Technology",
    "UnifiedBuffer",
    "Unit",
    "VectorUnit",
    "WeightFifo",
]

Dataflow = Literal["ws", "os", "is"]
Side = Annotated[int, Field(strict=True, ge=1, le=4096)]
Iterations = Annotated[int, Field(strict=True, ge=1, le=256)]


class Clock(Unit):
    """The core clock."""

    mhz: Annotated[Megahertz, Field(description="core clock; every unit of the core runs at it")]


class HostLink(Unit):
    """The link that brings batches, scalars and results between the host and the core."""

    bytes_per_cycle: Annotated[Rate, Field(description="bandwidth of one direction")]
    latency_cycles: Annotated[Latency, Field(description="from a request to its first beat; pipelined")]


class Hbm(Unit):
    """The off-chip memory."""

    bytes_per_cycle: Annotated[Rate, Field(description="bandwidth, reads and writes together")]
    latency_cycles: Annotated[Latency, Field(description="from a request to its first beat; pipelined")]
    capacity_bytes: Annotated[Count, Field(description="size")]


class UnifiedBuffer(Unit):
    """On-chip memory of tensors; each client has a port of its own."""

    capacity_bytes: Annotated[Count, Field(description="size")]
    read_latency_cycles: Annotated[Stages, Field(description="from address to data")]


class WeightFifo(Unit):
    """Weight tiles on their way from the unified buffer into the array."""

    depth_tiles: Annotated[int, Field(strict=True, ge=1, le=64, description="tiles that it holds")]


class MatrixUnit(Unit):
    """The systolic array."""

    rows: Annotated[Side, Field(description="processing elements from top to bottom (k)")]
    cols: Annotated[Side, Field(description="processing elements from left to right (n)")]
    dataflow: Annotated[Dataflow, Field(description="what stays in place: weights, outputs or inputs")]
    weight_buffers: Annotated[
        Literal[1, 2],
        StrictChoice,
        Field(description="2: the next tile's weights travel while this tile computes"),
    ]
    overlap: Annotated[Flag, Field(description="false: weights wait until the last result has left")]
    pe_latency_cycles: Annotated[
        Stages, Field(description="delay of a partial sum per row, output register included")
    ]
    horizontal_hop_cycles: Annotated[Stages, Field(description="delay of an activation per column")]
    vertical_hop_cycles: Annotated[
        Stages, Field(description="delay per row of what moves down; also lengthens a partial sum's way")
    ]


class Accumulators(Unit):
    """Lines of float32 (or int32) sums under the array."""

    lines: Annotated[int, Field(strict=True, ge=2, lt=2**24, description="lines of float32 or int32 sums")]
    adder_latency_cycles: Annotated[
        Stages, Field(description="from a result at the array's edge to its last write")
    ]


class VectorUnit(Unit):
    """Element-by-element functions and reductions, memory to memory."""

    lanes: Annotated[Side, Field(description="elements per beat")]
    alu_latency_cycles: Annotated[
        Stages, Field(description="add, multiply, compare, select, convert: pipelined, one beat per cycle")
    ]
    divide_cycles: Annotated[Iterations, Field(description="iterative: cycles per beat")]
    sqrt_cycles: Annotated[Iterations, Field(description="iterative: cycles per beat")]
    table_cycles: Annotated[Iterations, Field(description="exp, log, tanh: cycles per beat")]


class Sequencer(Unit):
    """Decodes and dispatches one instruction per cycle into a bounded queue per unit."""

    queue_depth: Annotated[int, Field(strict=True, ge=1, le=4096, description="entries of each unit's queue")]


class SystolicMachine(Unit):
    """One systolic core with its memories."""

    kind: Literal["systolic"]
    name: Text
    description: str = ""
    technology: Technology
    clock: Clock
    host_link: HostLink
    hbm: Hbm
    unified_buffer: UnifiedBuffer
    weight_fifo: WeightFifo
    matrix_unit: MatrixUnit
    accumulators: Accumulators
    vector_unit: VectorUnit
    sequencer: Sequencer
    sources: dict[str, str] = Field(default_factory=dict)  # "unit.field" -> where the number comes from

    @property
    def line_elements(self) -> int:
        """Elements of one line of the unified buffer and of the accumulators."""
        return max(self.matrix_unit.rows, self.matrix_unit.cols, self.vector_unit.lanes)

    @property
    def is_power_of_two(self) -> bool:
        """Whether the whole core can be built: lines are cut into equal sub-lines."""
        sizes = (self.matrix_unit.rows, self.matrix_unit.cols, self.vector_unit.lanes)
        return all(size & (size - 1) == 0 for size in sizes)

    @property
    def buffer_granules(self) -> int:
        """Capacity of the unified buffer in granules of ``line_elements`` bytes, whole float32 lines."""
        return self.unified_buffer.capacity_bytes // (4 * self.line_elements) * 4

    @model_validator(mode="after")
    def _room_for_one_tile(self) -> SystolicMachine:
        """The smallest working set must fit: three operand tiles, the result's and two in progress."""
        line = self.line_elements
        tile_bytes = 4 * line * line
        if self.unified_buffer.capacity_bytes < 6 * tile_bytes:
            raise ValueError(
                f"unified_buffer.capacity_bytes = {self.unified_buffer.capacity_bytes}: at least "
                f"{6 * tile_bytes} is needed (six tiles of {line} x {line} float32)"
            )
        return self
