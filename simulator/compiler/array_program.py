"""One GEMM on the array alone: operands lie tile by tile as the array wants them, sums stay in the
accumulators.

This is the Program behind ``gemm`` on arrays whose sizes are not powers of two, and behind ``--compat
scalesim``, whose folds know neither sub-lines nor transposes. Everything else is compiled by
``compile_graph``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.compiler.emit import Emitter
from simulator.compiler.space import NO_HAZARDS, Hazards
from simulator.compiler.tensors import MAX_ROWS, pieces
from simulator.errors import CompileError
from simulator.graph import NOWHERE
from simulator.isa import ADDRESS_BITS, Flag, Function, Opcode, UnitId, split_memory_address
from simulator.machines.systolic import SystolicMachine
from simulator.program import Operation, Placement, Program, Space, Traffic
from simulator.units import ceil_div


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
    def __init__(self, machine: SystolicMachine, mapping: ArrayGemm, item: int) -> None:
        self.machine, self.mapping, self.item = machine, mapping, item
        self.emitter = Emitter()
        self.integer = Flag.INTEGER if item == 0 else Flag.NONE
        moving, held = _operand_lines(machine, mapping)
        self.moving, self.held = moving, held
        self.result_at = (moving + held << item) + 3 & ~3

    def program(self, macs: int, label: str) -> Program:
        loaded = self._load(0, self.moving, 0, tensor=0)
        loaded = self._load(self.moving, self.held, 1, tensor=1, after=loaded)
        if self.machine.matrix_unit.dataflow == "os":
            last = self._output_stationary(loaded)
        else:
            last = self._stationary(loaded)
        self._store(last)
        self.emitter.halt()
        emitter, line = self.emitter, self.machine.line_elements
        lines = accumulator_lines(self.machine, self.mapping)
        kind = "int8" if self.item == 0 else "bfloat16"
        sizes = (self.moving + 3 & ~3, self.held + 3 & ~3)
        placements = (
            Placement("moving", Space.HBM, 0, self.moving, line, kind),
            Placement("held", Space.HBM, sizes[0] << self.item, self.held, line, kind),
            Placement("result", Space.HBM, sum(sizes) << self.item, lines, line, "float32"),
        )
        return Program(
            records=emitter.records(),
            operation=np.where(np.arange(len(emitter)) < len(emitter) - 1, 0, -1).astype(np.int32),
            traffic=np.array(emitter.traffic, dtype=np.uint8),
            macs=np.array(emitter.macs, dtype=np.int64),
            tensor=np.array(emitter.tensor, dtype=np.int32),
            operations=(Operation("matmul", label, NOWHERE, macs),),
            tensors=("moving", "held", "result"),
            placements=placements,
            memory_granules={Space.HBM: (sum(sizes) << self.item) + 4 * lines},
            name="gemm",
        )

    def _load(
        self, first: int, count: int, which: int, *, tensor: int, after: Hazards = NO_HAZARDS
    ) -> Hazards:
        base = 0 if which == 0 else (self.moving + 3 & ~3) << self.item
        index = -1
        for start, stop in pieces(0, count, MAX_ROWS):
            low, high = split_memory_address(base + (start << self.item))
            index = self.emitter.emit(
                Opcode.LOAD,
                NO_HAZARDS,
                operation=0,
                traffic=Traffic.INPUT,
                tensor=tensor,
                rows=stop - start,
                panels=1,
                item=self.item,
                dst=first + start << self.item,
                src1=low,
                src2=high,
            )
        return _after(after, UnitId.DMA, index)

    def _stationary(self, loaded: Hazards) -> Hazards:
        """For every tile a WLOAD and the MATMULs of the pieces of the stream."""
        mapping, begin, length = self.mapping, *_pieces(self.mapping.stream, MAX_ROWS)
        column, tile, piece = np.ix_(*map(np.arange, self._folds(1 + len(begin))))
        begin, length = np.append(0, begin), np.append(0, length)  # of the WLOAD first
        width = np.minimum(mapping.cols, mapping.across - column * mapping.cols)
        depth = np.minimum(mapping.rows, mapping.down - tile * mapping.rows)
        held = self.moving + (column * tile.size + tile) * mapping.rows
        flags = self.integer | np.where(tile > 0, int(Flag.ACCUMULATE), 0)
        flags = flags | np.where(piece == 1, int(Flag.SWAP), 0)
        flags = flags | np.where(piece == piece.size - 1, int(Flag.RELEASE), 0)
        loads = piece == 0
        return self._emit_tiles(
            loaded,
            length[piece] * depth * width,
            opcode=np.where(loads, int(Opcode.WLOAD), int(Opcode.MATMUL)),
            rows=np.where(loads, depth, length[piece]),
            tail=np.where(loads, 0, depth),
            item=np.array(self.item),
            flags=np.where(loads, 0, flags),
            src0=np.where(loads, held, tile * mapping.stream + begin[piece]) << self.item,
            dst=np.where(loads, 0, column * mapping.stream + begin[piece]),
        )

    def _output_stationary(self, loaded: Hazards) -> Hazards:
        """For every tile of the result the MATMULs of the pieces of k, and a DRAIN."""
        mapping, begin, length = self.mapping, *_pieces(self.mapping.stream, MAX_ROWS)
        column, tile, piece = np.ix_(*map(np.arange, self._folds(len(begin) + 1)))
        begin, length = np.append(begin, 0), np.append(length, 0)  # of the DRAIN last
        width = np.minimum(mapping.cols, mapping.across - column * mapping.cols)
        depth = np.minimum(mapping.rows, mapping.down - tile * mapping.rows)
        drains = piece == piece.size - 1
        return self._emit_tiles(
            loaded,
            length[piece] * depth * width,
            opcode=np.where(drains, int(Opcode.DRAIN), int(Opcode.MATMUL)),
            rows=np.where(drains, depth, length[piece]),
            tail=np.where(drains, 0, depth),
            item=np.where(drains, 0, self.item),
            flags=self.integer | np.where((piece > 0) & ~drains, int(Flag.ACCUMULATE), 0),
            src0=np.where(drains, 0, tile * mapping.stream + begin[piece] << self.item),
            src1=np.where(drains, 0, self.moving + column * mapping.stream + begin[piece] << self.item),
            dst=np.where(drains, column * mapping.down + tile * mapping.rows, 0),
        )

    def _folds(self, instructions: int) -> tuple[int, int, int]:
        """Columns of tiles, tiles of a column, instructions of a tile."""
        mapping = self.mapping
        return ceil_div(mapping.across, mapping.cols), ceil_div(mapping.down, mapping.rows), instructions

    def _emit_tiles(
        self, loaded: Hazards, macs: npt.NDArray[Any], **columns: npt.NDArray[Any]
    ) -> Hazards:
        """All instructions of all tiles; each unit's first waits for the operands. Gives the last one."""
        shape = np.broadcast_shapes(macs.shape, *(column.shape for column in columns.values()))
        flat = {name: np.broadcast_to(column, shape).ravel() for name, column in columns.items()}
        useful = np.broadcast_to(macs, shape).ravel()
        for i in range(2):  # a WLOAD and a MATMUL, or a MATMUL and what follows it in its unit
            fields = {name: int(column[i]) for name, column in flat.items()}
            opcode = Opcode(fields.pop("opcode"))
            after = NO_HAZARDS if opcode == Opcode.DRAIN else loaded
            self.emitter.emit(
                opcode, after, operation=0, traffic=Traffic.NONE, macs=int(useful[i]), tensor=-1, **fields
            )
        self.emitter.extend({name: column[2:] for name, column in flat.items()}, 0, useful[2:])
        return _after(loaded, UnitId.MATRIX, len(self.emitter) - 1)

    def _store(self, last: Hazards) -> None:
        lines = accumulator_lines(self.machine, self.mapping)
        base = (self.moving + 3 & ~3) + (self.held + 3 & ~3) << self.item
        for start, stop in pieces(0, lines, MAX_ROWS):
            copied = self.emitter.emit(
                Opcode.VEC,
                last,
                operation=0,
                rows=stop - start,
                panels=1,
                function=int(Function.COPY),
                item=2,
                flags=int(Flag.SRC0_ACCUMULATOR),
                tail=self.machine.line_elements,
                src0=start,
                dst=self.result_at + 4 * start,
            )
            low, high = split_memory_address(base + 4 * start)
            self.emitter.emit(
                Opcode.STORE,
                _after(NO_HAZARDS, UnitId.VECTOR, copied),
                operation=0,
                traffic=Traffic.OUTPUT,
                tensor=2,
                rows=stop - start,
                panels=1,
                item=2,
                src0=self.result_at + 4 * start,
                src1=low,
                src2=high,
            )


def _pieces(size: int, step: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Where the pieces of ``[0, size)`` begin, and how long they are."""
    begin = np.arange(0, size, step)
    return begin, np.minimum(step, size - begin)


def _after(hazards: Hazards, unit: UnitId, instruction: int) -> Hazards:
    return (*hazards[:unit], instruction, *hazards[unit + 1 :])
