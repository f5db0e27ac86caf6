"""One GEMM on the array alone: operands lie tile by tile as the array wants them, sums stay in the
accumulators.

This is the Program behind ``gemm`` on arrays whose sizes are not powers of two, and behind ``--compat
scalesim``, whose folds know neither sub-lines nor transposes. Everything else is compiled by
``compile_graph``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.compiler.tensors import MAX_ROWS, pieces
from simulator.errors import CompileError
from simulator.graph import NOWHERE
from simulator.isa import (
    ADDRESS_BITS,
    FIELDS,
    INSTRUCTION_DTYPE,
    Flag,
    Function,
    Opcode,
    UnitId,
    split_memory_address,
)
from simulator.machines.systolic import SystolicMachine
from simulator.program import NO_OPERATION, Operation, Placement, Program, Space, Traffic
from simulator.units import ceil_div

Table = npt.NDArray[np.uint32]  # instructions (or a grid of them) by fields
Integers = npt.NDArray[np.int64]
Cuts = list[tuple[int, int]]

NAMES: Final = tuple(name for name, _ in FIELDS)
OPCODE, WAIT, POST, ITEM, FLAGS, TAIL, ROWS, DST, SRC0, SRC1 = map(
    NAMES.index, ("opcode", "wait", "post", "item", "flags", "tail", "rows", "dst", "src0", "src1")
)


@dataclass(frozen=True)
class ArrayGemm:
    """How a GEMM lies on the array: ``down`` along its rows, ``across`` its columns, ``stream`` past them
    in time.

    Source: the dataflow taxonomy of SCALE-Sim (Samajdar et al., ISPASS 2020).
    """

    down: int
    across: int
    stream: int
    rows: int
    cols: int

    @property
    def folds(self) -> int:
        """Tiles that the array works through, one after the other."""
        return ceil_div(self.down, self.rows) * ceil_div(self.across, self.cols)


def array_gemm(machine: SystolicMachine, m: int, k: int, n: int) -> ArrayGemm:
    """The mapping of ``C[m,n] = A[m,k] B[k,n]`` under the machine's dataflow."""
    unit = machine.matrix_unit
    down, across, stream = {"ws": (k, n, m), "is": (k, m, n), "os": (m, n, k)}[unit.dataflow]
    return ArrayGemm(down, across, stream, unit.rows, unit.cols)


def accumulator_lines(machine: SystolicMachine, mapping: ArrayGemm) -> int:
    """Accumulator lines that the sums take."""
    per_column_tile = mapping.stream if machine.matrix_unit.dataflow != "os" else mapping.down
    return ceil_div(mapping.across, mapping.cols) * per_column_tile


def buffer_granules(machine: SystolicMachine, mapping: ArrayGemm, item: int) -> int:
    """Granules of the unified buffer that operands and results take."""
    moving, held = _operand_lines(machine, mapping)
    return ((moving + held << item) + 3 & ~3) + 4 * accumulator_lines(machine, mapping)


def _operand_lines(machine: SystolicMachine, mapping: ArrayGemm) -> tuple[int, int]:
    down_tiles, across_tiles = ceil_div(mapping.down, mapping.rows), ceil_div(mapping.across, mapping.cols)
    if machine.matrix_unit.dataflow == "os":
        return down_tiles * mapping.stream, across_tiles * mapping.stream
    return down_tiles * mapping.stream, down_tiles * across_tiles * mapping.rows


def compile_array_gemm(machine: SystolicMachine, m: int, k: int, n: int, dtype: str) -> Program:
    """The Program of one GEMM on the array alone. All operands are loaded first and lie on chip together.

    Raises:
        CompileError: the operands do not fit the unified buffer, or the sums the accumulators.
    """
    mapping = array_gemm(machine, m, k, n)
    item = 0 if dtype == "int8" else 1
    needed, lines = buffer_granules(machine, mapping, item), accumulator_lines(machine, mapping)
    if needed > min(machine.buffer_granules, 1 << ADDRESS_BITS):
        raise CompileError(
            f"unified_buffer.capacity_bytes = {machine.unified_buffer.capacity_bytes}: the array alone "
            f"needs all of A, B and C on chip, {needed * machine.line_elements} bytes"
        )
    if lines > machine.accumulators.lines:
        raise CompileError(
            f"accumulators.lines = {machine.accumulators.lines}: the array alone needs {lines} lines for C"
        )
    return _ArrayCompiler(machine, mapping, item).program(m * k * n, f"matmul {m}x{k}x{n}")


class _ArrayCompiler:
    """Loads of A and B, the tiles, then for every piece of C a COPY out of the accumulators and a STORE.

    The first instruction of each other unit waits for the last load, the first COPY for the last tile too.
    Fields are written by column: an array of integers holds the instructions, the tiles in their grid.
    """

    def __init__(self, machine: SystolicMachine, mapping: ArrayGemm, item: int) -> None:
        self.machine, self.mapping, self.item = machine, mapping, item
        self.integer = int(Flag.INTEGER if item == 0 else Flag.NONE)
        self.stationary = machine.matrix_unit.dataflow != "os"
        moving, held = self.moving, self.held = _operand_lines(machine, mapping)
        self.lines = accumulator_lines(machine, mapping)
        # Granules. Off chip every tensor begins on a line of float32, on chip the result alone.
        self.held_in_memory = (moving + 3 & ~3) << item
        self.result_in_memory = self.held_in_memory + ((held + 3 & ~3) << item)
        self.result_on_chip = (moving + held << item) + 3 & ~3

    def program(self, macs: int, label: str) -> Program:
        mapping, moving, held, lines = self.mapping, self.moving, self.held, self.lines
        loads, stores = (_cut(moving), _cut(held)), _cut(lines)
        across, down = ceil_div(mapping.across, mapping.cols), ceil_div(mapping.down, mapping.rows)
        grid = across, down, 1 + ceil_div(mapping.stream, MAX_ROWS)  # instructions of a tile last
        begin = len(loads[0]) + len(loads[1])
        end = begin + prod(grid)
        count = end + 2 * len(stores) + 1
        table = np.zeros((count, len(FIELDS)), dtype=np.uint32)
        useful = np.zeros(count, dtype=np.int64)
        tiles = table[begin:end].reshape(*grid, len(FIELDS)), useful[begin:end].reshape(grid)
        self._load(table, loads[0], 0, 0)
        self._load(table[len(loads[0]) :], loads[1], moving << self.item, self.held_in_memory)
        (self._stationary if self.stationary else self._output_stationary)(*tiles)
        self._store(table[end:], stores)
        self._tokens(table, begin, end, grid[2])
        traffic = np.zeros(count, dtype=np.uint8)
        traffic[:begin], traffic[end + 1 : -1 : 2] = Traffic.INPUT, Traffic.OUTPUT
        tensor = np.full(count, -1, dtype=np.int32)
        tensor[: len(loads[0])], tensor[len(loads[0]) : begin], tensor[end + 1 : -1 : 2] = 0, 1, 2
        operation = np.zeros(count, dtype=np.int32)
        operation[-1] = NO_OPERATION
        line, kind = self.machine.line_elements, "int8" if self.item == 0 else "bfloat16"
        placements = (
            Placement("moving", Space.HBM, 0, moving, line, kind),
            Placement("held", Space.HBM, self.held_in_memory, held, line, kind),
            Placement("result", Space.HBM, self.result_in_memory, lines, line, "float32"),
        )
        return Program(
            records=table.view(INSTRUCTION_DTYPE).reshape(count),
            operation=operation,
            traffic=traffic,
            macs=useful,
            tensor=tensor,
            operations=(Operation("matmul", label, NOWHERE, macs),),
            tensors=("moving", "held", "result"),
            placements=placements,
            memory_granules={Space.HBM: self.result_in_memory + 4 * lines},
            name="gemm",
        )

    def _load(self, table: Table, cuts: Cuts, on_chip: int, in_memory: int) -> None:
        for at, (start, stop) in enumerate(cuts):
            low, high = split_memory_address(in_memory + (start << self.item))
            _put(
                table[at],
                opcode=Opcode.LOAD,
                rows=stop - start,
                panels=1,
                item=self.item,
                dst=on_chip + (start << self.item),
                src1=low,
                src2=high,
            )

    def _sizes(self, tiles: Table) -> tuple[Integers, Integers, Integers, Integers, Integers]:
        """Of a grid of tiles: column and place in it, valid columns and rows; the stream's pieces."""
        mapping = self.mapping
        column, tile = np.arange(tiles.shape[0])[:, None], np.arange(tiles.shape[1])
        width = np.minimum(mapping.cols, mapping.across - column * mapping.cols)
        depth = np.minimum(mapping.rows, mapping.down - tile * mapping.rows)
        return column, tile, width, depth, np.arange(0, mapping.stream, MAX_ROWS)

    def _stationary(self, tiles: Table, macs: Integers) -> None:
        """For every tile a WLOAD and the MATMULs of the pieces of the stream."""
        mapping = self.mapping
        column, tile, width, depth, begin = self._sizes(tiles)
        length = np.minimum(MAX_ROWS, mapping.stream - begin)
        tiles[..., ITEM] = self.item
        weights, streams = tiles[:, :, 0], tiles[:, :, 1:]
        weights[..., OPCODE] = Opcode.WLOAD
        weights[..., ROWS] = depth
        weights[..., SRC0] = self.moving + (column * len(tile) + tile) * mapping.rows << self.item
        streams[..., OPCODE] = Opcode.MATMUL
        streams[..., ROWS] = length
        streams[..., TAIL] = depth[:, None]
        streams[..., SRC0] = tile[:, None] * mapping.stream + begin << self.item
        streams[..., DST] = column[..., None] * mapping.stream + begin
        streams[..., FLAGS] = self.integer
        streams[:, 1:, :, FLAGS] |= int(Flag.ACCUMULATE)
        streams[:, :, 0, FLAGS] |= int(Flag.SWAP)
        streams[:, :, -1, FLAGS] |= int(Flag.RELEASE)
        macs[:, :, 1:] = (width * depth)[..., None] * length

    def _output_stationary(self, tiles: Table, macs: Integers) -> None:
        """For every tile of the result the MATMULs of the pieces of k, and a DRAIN."""
        mapping = self.mapping
        column, tile, width, depth, begin = self._sizes(tiles)
        length = np.minimum(MAX_ROWS, mapping.stream - begin)
        tiles[..., FLAGS] = self.integer
        streams, drains = tiles[:, :, :-1], tiles[:, :, -1]
        streams[..., OPCODE] = Opcode.MATMUL
        streams[..., ROWS] = length
        streams[..., TAIL] = depth[:, None]
        streams[..., ITEM] = self.item
        streams[..., SRC0] = tile[:, None] * mapping.stream + begin << self.item
        streams[..., SRC1] = self.moving + column[..., None] * mapping.stream + begin << self.item
        streams[:, :, 1:, FLAGS] |= int(Flag.ACCUMULATE)
        drains[..., OPCODE] = Opcode.DRAIN
        drains[..., ROWS] = depth
        drains[..., DST] = column * mapping.down + tile * mapping.rows
        macs[:, :, :-1] = (width * depth)[..., None] * length

    def _store(self, table: Table, cuts: Cuts) -> None:
        for at, (start, stop) in enumerate(cuts):
            _put(
                table[2 * at],
                opcode=Opcode.VEC,
                rows=stop - start,
                panels=1,
                function=Function.COPY,
                item=2,
                flags=Flag.SRC0_ACCUMULATOR,
                tail=self.machine.line_elements,
                src0=start,
                dst=self.result_on_chip + 4 * start,
                post=1 << UnitId.DMA,
            )
            low, high = split_memory_address(self.result_in_memory + 4 * start)
            _put(
                table[2 * at + 1],
                opcode=Opcode.STORE,
                rows=stop - start,
                panels=1,
                item=2,
                src0=self.result_on_chip + 4 * start,
                src1=low,
                src2=high,
                wait=1 << UnitId.VECTOR,
            )

    def _tokens(self, table: Table, begin: int, end: int, of_a_tile: int) -> None:
        """Between the stages: the loads before ``begin``, the tiles before ``end``, the copies and stores."""
        units = [UnitId.DMA, UnitId.MATRIX, UnitId.VECTOR]
        last = [-2, end - 1, -3]  # of each
        if self.stationary:
            units, last = [*units, UnitId.WEIGHT_LOADER], [*last, end - of_a_tile]
        bits = [1 << unit for unit in units]
        dma, matrix, vector = bits[:3]
        table[begin - 1, POST] = sum(bits) - dma
        table[begin : begin + len(units) - 2, WAIT] = dma
        table[end - 1, POST] = vector
        table[end, WAIT] = dma | matrix
        table[last, POST] |= 1 << UnitId.SEQUENCER
        table[-1, OPCODE], table[-1, WAIT] = Opcode.HALT, sum(bits)


def _cut(size: int) -> Cuts:
    """``[0, size)`` in pieces that an instruction can count."""
    return list(pieces(0, size, MAX_ROWS))


def _put(row: Table, **fields: int) -> None:
    for name, value in fields.items():
        row[NAMES.index(name)] = value
