"""Random instructions on random memories: every byte as the naive element-by-element execution leaves it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.interpreter import MemoryState, run_program
from simulator.isa import OPERANDS, REDUCING, Flag, Function, Opcode
from simulator.program import Space
from tests.unit.interpreter.assembler import SPACE_FLAG, Assembler, make_machine
from tests.unit.interpreter.naive import Memories, NaiveCore

# Of the 128 granules of the buffer instructions read the lower half and write the upper one: what a VEC or a
# TRANSPOSE does with lines that it overwrites itself is not defined.
BUFFER_BYTES = 512
HALF = 64
OFF_CHIP = 96
LINES = 16
NAMES = {Space.HBM: "hbm", Space.HBM_CURRENT: "current", Space.HBM_NEXT: "next", Space.HOST: "host"}
SHAPES = [(2, 4, 2), (4, 2, 2), (2, 2, 4), (4, 4, 1)]
FLOAT_ONLY = ("MULTIPLY", "DIVIDE", "SQRT", "EXP", "LOG", "TANH", "TO_BFLOAT16")


def span(
    draw: Any, low: int, high: int, granules: int, shape: tuple[int, int] | None = None
) -> dict[str, int]:
    """Address, stride, rows and panels (if not given) of lines that lie in [low, high) granules."""
    lines = (high - low) // granules
    panels, rows = shape or (draw(st.integers(1, 3)), draw(st.integers(1, 4)))
    stride = draw(st.integers(0, (lines - rows) // max(1, panels - 1))) if panels > 1 else 0
    first = draw(st.integers(0, lines - rows - (panels - 1) * stride))
    return {"address": low + first * granules, "stride": stride, "rows": rows, "panels": panels}


def spread(draw: Any, low: int, high: int, granules: int, panels: int, rows: int) -> dict[str, int]:
    """As ``span``, with panels that do not overlap."""
    lines = (high - low) // granules
    stride = draw(st.integers(rows, max(rows, (lines - rows) // max(1, panels - 1))))
    first = draw(st.integers(0, lines - rows - (panels - 1) * stride))
    return {"address": low + first * granules, "stride": stride}


def emit_transfer(draw: Any, asm: Assembler, opcode: Opcode) -> None:
    item = draw(st.integers(0, 2))
    inner = span(draw, 0, HALF, 1 << item)
    shape = inner["panels"], inner["rows"]
    outer = spread(draw, 0, OFF_CHIP, 1 << item, *shape)
    if opcode is Opcode.LOAD:
        inner, outer = spread(draw, 0, HALF, 1 << item, *shape), span(draw, 0, OFF_CHIP, 1 << item, shape)
    space = draw(st.sampled_from(Space))
    onto, source = (inner, outer) if opcode is Opcode.LOAD else (outer, inner)
    names: Any = {"dst": inner["address"]} if opcode is Opcode.LOAD else {"src0": inner["address"]}
    asm.emit(
        opcode,
        item=item,
        flags=SPACE_FLAG[space],
        panels=shape[0],
        rows=shape[1],
        src1=outer["address"],
        dst_stride=onto["stride"],
        src0_stride=source["stride"],
        **names,
    )


def emit_transpose(draw: Any, asm: Assembler) -> None:
    item = draw(st.integers(0, 2))
    rows, tail = draw(st.integers(1, asm.width)), draw(st.integers(1, asm.width))
    source = span(draw, 0, HALF, 1 << item, (1, rows))["address"]
    target = span(draw, HALF, 2 * HALF, 1 << item, (1, tail))["address"]
    asm.emit(Opcode.TRANSPOSE, item=item, rows=rows, tail=tail, src0=source, dst=target)


def emit_array(draw: Any, asm: Assembler) -> None:
    unit = asm.machine.matrix_unit
    integer = draw(st.booleans())
    item, flag = (0, Flag.INTEGER) if integer else (1, Flag.NONE)
    rows = draw(st.integers(1, unit.rows))
    tile = span(draw, 0, HALF, 1 << item, (1, rows))["address"]
    asm.wload(tile, rows=rows, item=item, sub0=draw(st.integers(0, asm.width // unit.cols - 1)))
    for number in range(draw(st.integers(1, 3))):
        m = draw(st.integers(1, 6))
        swap = Flag.SWAP if number == 0 else Flag.NONE
        accumulate = draw(st.sampled_from([Flag.NONE, Flag.ACCUMULATE]))
        asm.matmul(
            span(draw, 0, HALF, 1 << item, (1, m))["address"],
            draw(st.integers(0, LINES - m)),
            rows=m,
            item=item,
            tail=draw(st.integers(1, rows)),
            flags=flag | swap | accumulate,
            sub0=draw(st.integers(0, asm.width // unit.rows - 1)),
            sub1=draw(st.integers(0, asm.width // unit.cols - 1)),
        )


def emit_output_stationary(draw: Any, asm: Assembler) -> None:
    unit = asm.machine.matrix_unit
    integer = draw(st.booleans())
    item, flag = (0, Flag.INTEGER) if integer else (1, Flag.NONE)
    for number in range(draw(st.integers(1, 3))):
        k = draw(st.integers(1, 6))
        asm.matmul(
            span(draw, 0, HALF, 1 << item, (1, k))["address"],
            src1=span(draw, 0, HALF, 1 << item, (1, k))["address"],
            rows=k,
            item=item,
            flags=flag | (Flag.ACCUMULATE if number else Flag.NONE),
            sub0=draw(st.integers(0, asm.width // unit.rows - 1)),
            sub1=draw(st.integers(0, asm.width // unit.cols - 1)),
        )
    rows = draw(st.integers(1, unit.rows))
    dst = draw(st.integers(0, LINES - rows))
    asm.emit(
        Opcode.DRAIN, rows=rows, dst=dst, flags=flag, sub1=draw(st.integers(0, asm.width // unit.cols - 1))
    )


def emit_vec(draw: Any, asm: Assembler) -> None:
    function = draw(st.sampled_from(Function))
    item = draw(st.integers(0, 2)) if function is Function.COPY else 2
    source = {Function.FLOAT32_FROM_INT8: 1, Function.INT32_FROM_INT8: 1, Function.COPY: 1 << item}.get(
        function, 4
    )
    result = {Function.TO_BFLOAT16: 2, Function.COPY: 1 << item}.get(function, 4)
    reducing = function in REDUCING
    panels, rows = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    flags = Flag.NONE
    if function.name not in FLOAT_ONLY and draw(st.booleans()):
        flags |= Flag.INTEGER
    if reducing and draw(st.booleans()):
        flags |= Flag.ACCUMULATE
    fields: dict[str, int] = {}
    for index in range(OPERANDS.get(function, 1)):
        same_row = not reducing and draw(st.booleans())
        replicate = not reducing and draw(st.booleans())
        accumulators = source == 4 and draw(st.booleans())
        for chosen, flag in (
            (same_row, Flag.SRC0_SAME_ROW),
            (replicate, Flag.SRC0_REPLICATE),
            (accumulators, Flag.SRC0_ACCUMULATOR),
        ):
            flags |= Flag(flag << index) if chosen else Flag.NONE
        where = (0, LINES, 1) if accumulators else (0, HALF, source)
        lines = span(draw, *where, (panels, 1 if same_row else rows))
        fields |= {f"src{index}": lines["address"], f"src{index}_stride": lines["stride"]}
    target = spread(draw, HALF, 2 * HALF, result, panels, 1 if reducing else rows)
    fields |= {"dst": target["address"], "dst_stride": target["stride"]}
    tail = draw(st.integers(1, asm.width))
    asm.vec(function, fields.pop("dst"), fields.pop("src0"), item=item, flags=flags, tail=tail, rows=rows,
            panels=panels, **fields)  # fmt: skip


def bytes_of(state: MemoryState) -> Memories:
    core = state.core
    memories = {NAMES[space]: bytearray(core.off_chip[space].data) for space in Space}
    return memories | {
        "buffer": bytearray(core.buffer.data),
        "accumulators": bytearray(core.accumulators.data),
    }


@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_every_byte_is_as_the_naive_execution_leaves_it(
    dataflow: str, shape: tuple[int, int, int], data: st.DataObject, seed: int
) -> None:
    unit = {"dataflow": dataflow}
    machine = make_machine(
        *shape,
        unified_buffer={"capacity_bytes": BUFFER_BYTES},
        accumulators={"lines": LINES},
        matrix_unit=unit,
    )
    asm = Assembler(machine)
    array = emit_output_stationary if dataflow == "os" else emit_array
    kinds = st.sampled_from(["load", "store", "transpose", "array", "vec", "vec"])
    for kind in data.draw(st.lists(kinds, min_size=1, max_size=6)):
        if kind in ("load", "store"):
            emit_transfer(data.draw, asm, Opcode[kind.upper()])
        else:
            {"transpose": emit_transpose, "array": array, "vec": emit_vec}[kind](data.draw, asm)
    memory_granules = dict.fromkeys(Space, OFF_CHIP)
    program = asm.program(memory_granules=memory_granules)
    before = run_program(
        Assembler(machine).program(memory_granules=memory_granules), machine, {}, [], seed=seed
    )
    naive = NaiveCore(machine, bytes_of(before))
    with np.errstate(all="ignore"):
        for record in program.records:
            naive.execute(record)
    state = run_program(program, machine, {}, [], seed=seed)
    for name, content in bytes_of(state).items():
        assert content == naive.memories[name], name
