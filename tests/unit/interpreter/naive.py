"""docs/isa.md once more, element by element on bytes: slow, and obviously right."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.isa import OPERANDS, REDUCING, Flag, Function, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.kernels import elementwise

RAW = {1: np.uint8, 2: np.uint16, 4: np.uint32}
CANONICAL = 0x7FC00000
Memories = dict[str, bytearray]


def float_of(bits: int) -> np.float32:
    return np.uint32(bits).view(np.float32)


def bits_of(value: Any) -> int:
    number = np.float32(value)
    return CANONICAL if np.isnan(number) else int(number.view(np.uint32))


def widen(bits: int) -> np.float64:
    """bfloat16 to float64."""
    return np.float64(float_of(bits << 16))


def signed(bits: int, size: int) -> int:
    return bits - (1 << 8 * size) if bits >> (8 * size - 1) else bits


class NaiveCore:
    """``memories``: "buffer", "accumulators", "hbm", "current", "next", "host"."""

    def __init__(self, machine: SystolicMachine, memories: Memories) -> None:
        self.machine, self.memories = machine, memories
        self.width = machine.line_elements
        self.rows, self.cols = machine.matrix_unit.rows, machine.matrix_unit.cols
        self.tiles: list[dict[tuple[int, int], int]] = []
        self.active = -1
        self.sums: dict[tuple[int, int], int] = {}

    def get(self, memory: str, address: int, line: int, element: int, size: int) -> int:
        at = self.place(memory, address, line, element, size)
        return int.from_bytes(self.memories[memory][at : at + size], "little")

    def put(self, memory: str, address: int, line: int, element: int, size: int, bits: int) -> None:
        at = self.place(memory, address, line, element, size)
        self.memories[memory][at : at + size] = bits.to_bytes(size, "little")

    def place(self, memory: str, address: int, line: int, element: int, size: int) -> int:
        if memory == "accumulators":
            return (address + line) * self.width * 4 + element * 4
        return address * self.width + line * size * self.width + element * size

    def execute(self, record: Any) -> None:
        i = {name: int(record[name]) for name in record.dtype.names}
        getattr(self, Opcode(i["opcode"]).name.lower())(i)

    def space(self, i: dict[str, int]) -> tuple[str, int]:
        address = i["src1"] + (i["src2"] << 24)
        for flag, memory in ((Flag.HOST, "host"), (Flag.CURRENT, "current"), (Flag.NEXT, "next")):
            if i["flags"] & flag:
                return memory, address
        return "hbm", address

    def load(self, i: dict[str, int]) -> None:
        memory, address = self.space(i)
        for p in range(i["panels"]):
            for r in range(i["rows"]):
                for b in range(self.width):
                    size = 1 << i["item"]
                    bits = self.get(memory, address, p * i["src0_stride"] + r, b, size)
                    self.put("buffer", i["dst"], p * i["dst_stride"] + r, b, size, bits)

    def store(self, i: dict[str, int]) -> None:
        memory, address = self.space(i)
        for p in range(i["panels"]):
            for r in range(i["rows"]):
                for b in range(self.width):
                    size = 1 << i["item"]
                    bits = self.get("buffer", i["src0"], p * i["src0_stride"] + r, b, size)
                    self.put(memory, address, p * i["dst_stride"] + r, b, size, bits)

    def wload(self, i: dict[str, int]) -> None:
        sub0 = i["src2"] & 0xFFF
        tile = {}
        for line in range(i["rows"]):
            for column in range(self.cols):
                element = sub0 * self.cols + column
                tile[line, column] = self.get("buffer", i["src0"], line, element, 1 << i["item"])
        self.tiles.append(tile)

    def multiply_add(self, integer: bool, a: int, b: int, s: int) -> int:
        if integer:
            return (signed(a, 1) * signed(b, 1) + s) & 0xFFFFFFFF
        return bits_of(widen(a) * widen(b) + np.float64(float_of(s)))

    def matmul(self, i: dict[str, int]) -> None:
        integer, size = bool(i["flags"] & Flag.INTEGER), 1 << i["item"]
        sub0, sub1 = i["src2"] & 0xFFF, i["src2"] >> 12
        if self.machine.matrix_unit.dataflow == "os":
            for k in range(i["rows"]):
                for r in range(self.rows):
                    for c in range(self.cols):
                        a = self.get("buffer", i["src0"], k, sub0 * self.rows + r, size)
                        b = self.get("buffer", i["src1"], k, sub1 * self.cols + c, size)
                        fresh = k == 0 and not i["flags"] & Flag.ACCUMULATE
                        s = 0 if fresh else self.sums[r, c]
                        self.sums[r, c] = self.multiply_add(integer, a, b, s)
            return
        self.active += bool(i["flags"] & Flag.SWAP)
        for line in range(i["rows"]):
            for c in range(self.cols):
                s = 0
                for k in range(i["tail"]):
                    a = self.get("buffer", i["src0"], line, sub0 * self.rows + k, size)
                    s = self.multiply_add(integer, a, self.tiles[self.active][k, c], s)
                if i["flags"] & Flag.ACCUMULATE:
                    before = self.get("accumulators", i["dst"], line, sub1 * self.cols + c, 4)
                    total = before + s if integer else bits_of(float_of(before) + float_of(s))
                    s = total & 0xFFFFFFFF
                self.put("accumulators", i["dst"], line, sub1 * self.cols + c, 4, s)

    def drain(self, i: dict[str, int]) -> None:
        for r in range(i["rows"]):
            for c in range(self.cols):
                self.put("accumulators", i["dst"], r, (i["src2"] >> 12) * self.cols + c, 4, self.sums[r, c])

    def transpose(self, i: dict[str, int]) -> None:
        size = 1 << i["item"]
        for j in range(i["tail"]):
            for e in range(self.width):
                bits = self.get("buffer", i["src0"], e, j, size) if e < i["rows"] else 0
                self.put("buffer", i["dst"], j, e, size, bits)

    def vec(self, i: dict[str, int]) -> None:
        function = Function(i["function"])
        size = 1 << i["item"] if function is Function.COPY else 2 if function is Function.TO_BFLOAT16 else 4
        for p in range(i["panels"]):
            for e in range(i["tail"] if p == i["panels"] - 1 else self.width):
                if function in REDUCING:
                    rows = [self.operand(i, 0, p, r, e) for r in range(i["rows"])]
                    if i["flags"] & Flag.ACCUMULATE:
                        rows.insert(0, self.get("buffer", i["dst"], p * i["dst_stride"], e, 4))
                    s = rows[0] if i["flags"] & Flag.INTEGER else bits_of(float_of(rows[0]))
                    step = {"REDUCE_SUM": "add", "REDUCE_MAX": "maximum", "REDUCE_MIN": "minimum"}[
                        function.name
                    ]
                    for x in rows[1:]:
                        s = self.apply(step, i["flags"], s, x)
                    self.put("buffer", i["dst"], p * i["dst_stride"], e, 4, s)
                    continue
                for r in range(i["rows"]):
                    operands = [self.operand(i, n, p, r, e) for n in range(OPERANDS.get(function, 1))]
                    bits = self.value(function, i["flags"], operands)
                    self.put("buffer", i["dst"], p * i["dst_stride"] + r, e, size, bits)

    def operand(self, i: dict[str, int], n: int, p: int, r: int, e: int) -> int:
        function = Function(i["function"])
        size = 1 << i["item"] if function is Function.COPY else 4
        if function in (Function.FLOAT32_FROM_INT8, Function.INT32_FROM_INT8):
            size = 1
        memory = "accumulators" if i["flags"] & (Flag.SRC0_ACCUMULATOR << n) else "buffer"
        line = p * i[f"src{n}_stride"] + (0 if i["flags"] & (Flag.SRC0_SAME_ROW << n) else r)
        element = 0 if i["flags"] & (Flag.SRC0_REPLICATE << n) else e
        return self.get(memory, i[f"src{n}"], line, element, size)

    def value(self, function: Function, flags: int, operands: list[int]) -> int:
        first = operands[0]
        if function is Function.COPY:
            return first
        if function is Function.SELECT:
            chosen = operands[1] if float_of(first) != 0 else operands[2]
            return chosen if flags & Flag.INTEGER else bits_of(float_of(chosen))
        if function is Function.TO_BFLOAT16:
            return int(elementwise("to_bfloat16", np.array([float_of(first)]))[0])
        if function is Function.FLOAT32_FROM_INT32:
            return bits_of(signed(first, 4))
        if function is Function.FLOAT32_FROM_INT8:
            return bits_of(signed(first, 1))
        if function is Function.INT32_FROM_INT8:
            return signed(first, 1) & 0xFFFFFFFF
        if function is Function.INT32_FROM_FLOAT32:
            return int(elementwise("to_int32", np.array([float_of(first)]))[0]) & 0xFFFFFFFF
        return self.apply(function.name.lower(), flags, *operands)

    def apply(self, name: str, flags: int, *operands: int) -> int:
        dtype = np.int32 if flags & Flag.INTEGER else np.float32
        result = elementwise(name, *(np.array([bits], np.uint32).view(dtype) for bits in operands))[0]
        if isinstance(result, np.bool_):
            return 0x3F800000 if result else 0
        return int(result) & 0xFFFFFFFF if dtype == np.int32 else bits_of(result)
