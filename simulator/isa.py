"""Instructions and Programs: eight opcodes in one fixed format of 256 bits.

A Program is a NumPy structured array, one record per instruction. Addresses of the unified buffer and of the
off-chip memories count *granules* of ``line_elements`` bytes, so a line of int8, bfloat16 or float32 takes
1, 2 or 4 granules and is aligned to its own size; addresses of the accumulators count lines. Strides count
lines of the operand. ``docs/timing.md`` says when an instruction starts and ends, ``docs/isa.md`` what it
does.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError

Records = npt.NDArray[Any]


class Opcode(IntEnum):
    """What an instruction does."""

    LOAD = 0  # off-chip memory to unified buffer
    STORE = 1  # unified buffer to off-chip memory
    WLOAD = 2  # unified buffer to weight FIFO, one tile
    MATMUL = 3  # stream rows through the array
    DRAIN = 4  # output-stationary: shift the results out
    TRANSPOSE = 5  # one block of at most line_elements x line_elements
    VEC = 6  # element-by-element function or reduction
    HALT = 7  # the end of the Program


class UnitId(IntEnum):
    """Issue queues; the bit of a unit in the wait and post masks is ``1 << unit``."""

    SEQUENCER = 0
    DMA = 1
    WEIGHT_LOADER = 2
    MATRIX = 3
    VECTOR = 4
    TRANSPOSER = 5


UNIT_OF_OPCODE = {
    Opcode.LOAD: UnitId.DMA,
    Opcode.STORE: UnitId.DMA,
    Opcode.WLOAD: UnitId.WEIGHT_LOADER,
    Opcode.MATMUL: UnitId.MATRIX,
    Opcode.DRAIN: UnitId.MATRIX,
    Opcode.TRANSPOSE: UnitId.TRANSPOSER,
    Opcode.VEC: UnitId.VECTOR,
    Opcode.HALT: UnitId.SEQUENCER,
}
UNIT_NAMES = {
    UnitId.SEQUENCER: "sequencer",
    UnitId.DMA: "dma",
    UnitId.WEIGHT_LOADER: "weight_loader",
    UnitId.MATRIX: "matrix_unit",
    UnitId.VECTOR: "vector_unit",
    UnitId.TRANSPOSER: "transposer",
}


class Function(IntEnum):
    """Functions of the vector unit (field ``function`` of VEC)."""

    COPY = 0
    NEGATIVE = 1
    ABSOLUTE = 2
    SIGN = 3
    ADD = 4
    SUBTRACT = 5
    MULTIPLY = 6
    DIVIDE = 7
    SQRT = 8
    MAXIMUM = 9
    MINIMUM = 10
    EQUAL = 11
    NOT_EQUAL = 12
    LESS = 13
    LESS_EQUAL = 14
    SELECT = 15
    EXP = 16
    LOG = 17
    TANH = 18
    TO_BFLOAT16 = 19
    FLOAT32_FROM_INT32 = 20
    FLOAT32_FROM_INT8 = 21
    INT32_FROM_FLOAT32 = 22
    INT32_FROM_INT8 = 23
    REDUCE_SUM = 24
    REDUCE_MAX = 25
    REDUCE_MIN = 26


REDUCING = frozenset({Function.REDUCE_SUM, Function.REDUCE_MAX, Function.REDUCE_MIN})
OPERANDS = {
    Function.ADD: 2, Function.SUBTRACT: 2, Function.MULTIPLY: 2, Function.DIVIDE: 2,
    Function.MAXIMUM: 2, Function.MINIMUM: 2, Function.EQUAL: 2, Function.NOT_EQUAL: 2,
    Function.LESS: 2, Function.LESS_EQUAL: 2, Function.SELECT: 3,
}  # fmt: skip
"""Operands of each function; 1 where it is not named."""


class Flag(IntFlag):
    """One-bit settings (field ``flags``)."""

    NONE = 0
    HOST = 1 << 0  # LOAD, STORE: the host's memory, over the host link; otherwise HBM
    CURRENT = 1 << 1  # LOAD, STORE: the address is relative to the base of this step's carried tensors
    NEXT = 1 << 2  # LOAD, STORE: relative to the base of the next step's carried tensors
    ACCUMULATE = (
        1 << 3
    )  # MATMUL: add to the accumulators (os: continue the chain); VEC reduce: continue from dst
    SWAP = 1 << 4  # MATMUL: the loaded weights become active with the first row
    INTEGER = 1 << 5  # MATMUL, DRAIN: int8 x int8 -> int32; VEC: int32 arithmetic
    SRC0_ACCUMULATOR = 1 << 6  # VEC: the operand is read from the accumulators
    SRC1_ACCUMULATOR = 1 << 7
    SRC2_ACCUMULATOR = 1 << 8
    SRC0_REPLICATE = 1 << 9  # VEC: element 0 of every line serves all lanes
    SRC1_REPLICATE = 1 << 10
    SRC2_REPLICATE = 1 << 11
    SRC0_SAME_ROW = 1 << 12  # VEC: the row stride of the operand is 0 instead of 1
    SRC1_SAME_ROW = 1 << 13
    SRC2_SAME_ROW = 1 << 14
    RELEASE = 1 << 15  # MATMUL: the active weights are not needed after the last row


# Field, bits in the encoding, from bit 0 upwards. ``sub0`` and ``sub1`` (sub-lines of WLOAD, MATMUL,
# DRAIN) share the place of ``src2``, and ``memory`` (off-chip address) that of ``src1`` and ``src2``: no
# opcode uses both.
FIELDS: tuple[tuple[str, int], ...] = (
    ("opcode", 3),
    ("function", 5),
    ("wait", 6),
    ("post", 6),
    ("item", 2),  # log2 of the element's bytes: LOAD, STORE, WLOAD, MATMUL, TRANSPOSE, VEC copy
    ("flags", 16),
    ("tail", 12),  # VEC: valid elements of the last panel's lines; MATMUL: valid k; TRANSPOSE: columns
    ("rows", 16),  # inner count
    ("panels", 16),  # outer count
    ("dst", 24),
    ("src0", 24),
    ("src1", 24),
    ("src2", 24),
    ("dst_stride", 16),
    ("src0_stride", 16),
    ("src1_stride", 16),
    ("src2_stride", 16),
)
INSTRUCTION_BITS = 256
INSTRUCTION_BYTES = INSTRUCTION_BITS // 8
INSTRUCTION_DTYPE = np.dtype([(name, np.uint32) for name, _ in FIELDS])
assert sum(bits for _, bits in FIELDS) <= INSTRUCTION_BITS

SUB_BITS = 12  # sub0 is src2[11:0], sub1 is src2[23:12]
ADDRESS_BITS = 24


def memory_address(records: Records) -> npt.NDArray[np.int64]:
    """Off-chip address in granules of LOAD and STORE: 48 bits, ``src1`` below ``src2``."""
    low = records["src1"].astype(np.int64)
    return low | (records["src2"].astype(np.int64) << ADDRESS_BITS)


def split_memory_address(address: int) -> tuple[int, int]:
    """``(src1, src2)`` of an off-chip address in granules."""
    return address & ((1 << ADDRESS_BITS) - 1), address >> ADDRESS_BITS


def sub_lines(records: Records) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """``(sub0, sub1)``: indices of the sub-line read and of the sub-line written."""
    return records["src2"] & ((1 << SUB_BITS) - 1), records["src2"] >> SUB_BITS


def join_sub_lines(sub0: int, sub1: int) -> int:
    """The field ``src2`` that holds both sub-line indices."""
    return sub0 | sub1 << SUB_BITS


def units_of(records: Records) -> npt.NDArray[np.uint8]:
    """The unit that executes each instruction."""
    table = np.array([UNIT_OF_OPCODE[opcode] for opcode in Opcode], dtype=np.uint8)
    units: npt.NDArray[np.uint8] = table[records["opcode"]]
    return units


def encode(records: Records) -> bytes:
    """The instructions as bytes, 32 each, little-endian, fields packed from bit 0 in the order of ``FIELDS``.

    Raises:
        ProgramError: a field does not fit its bits.
    """
    words = np.zeros((len(records), INSTRUCTION_BITS // 64), dtype="<u8")
    bit = 0
    for name, bits in FIELDS:
        values = records[name].astype(np.uint64)
        if len(values) and int(values.max()) >> bits:
            index = int(np.argmax(values))
            raise ProgramError(
                f"instruction {index}: field {name} = {int(values[index])} does not fit {bits} bits"
            )
        word, shift = divmod(bit, 64)
        words[:, word] |= values << np.uint64(shift)
        if shift + bits > 64:
            words[:, word + 1] |= values >> np.uint64(64 - shift)
        bit += bits
    return words.tobytes()


def decode(data: bytes) -> Records:
    """The instructions that ``encode`` packed.

    Raises:
        ProgramError: the length is not a whole number of instructions, or unused bits are set.
    """
    if len(data) % INSTRUCTION_BYTES:
        raise ProgramError(
            f"{len(data)} bytes are not a whole number of {INSTRUCTION_BYTES}-byte instructions"
        )
    words = np.frombuffer(data, dtype="<u8").reshape(-1, INSTRUCTION_BITS // 64)
    records = np.zeros(len(words), dtype=INSTRUCTION_DTYPE)
    bit = 0
    for name, bits in FIELDS:
        word, shift = divmod(bit, 64)
        values = words[:, word] >> np.uint64(shift)
        if shift + bits > 64:
            values = values | (words[:, word + 1] << np.uint64(64 - shift))
        records[name] = values & np.uint64((1 << bits) - 1)
        bit += bits
    if np.any(words[:, -1] >> np.uint64(bit % 64)):
        raise ProgramError("unused bits of an instruction are set")
    return records
