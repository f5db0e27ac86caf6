"""Random Programs with the fewest tokens that order their conflicts, and random timings to run them on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.isa import UNIT_OF_OPCODE, Flag, Function, Opcode, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.program import Space, Traffic
from tests.unit.interpreter.assembler import Assembler, make_machine

SLOTS, SLOT = 6, 16  # places of the unified buffer, of four float32 lines of four elements
PLACES, LINES = 3, 4  # places of the accumulators
ORDERED_READS = (
    UnitId.VECTOR,
    UnitId.MATRIX,
)  # units that need no token for what they have written themselves


class Access(NamedTuple):
    """Whether an instruction writes [low, high) of a memory."""

    write: bool
    memory: str
    low: int
    high: int


def random_machine(rng: Any, dataflow: str) -> SystolicMachine:
    """4 x 4, with any latencies."""

    def pick(high: int) -> int:
        return int(rng.integers(1, high + 1))

    memories = [{"bytes_per_cycle": pick(64), "latency_cycles": pick(60)} for _ in range(2)]
    return make_machine(
        host_link=memories[0],
        hbm=memories[1],
        unified_buffer={"read_latency_cycles": pick(6)},
        weight_fifo={"depth_tiles": pick(3)},
        matrix_unit={
            "dataflow": dataflow, "weight_buffers": pick(2), "overlap": bool(rng.integers(2)),
            "pe_latency_cycles": pick(4), "horizontal_hop_cycles": pick(3), "vertical_hop_cycles": pick(3),
        },
        accumulators={"adder_latency_cycles": pick(8)},
        vector_unit={"alu_latency_cycles": pick(6)},
        sequencer={"queue_depth": pick(8)},
    )  # fmt: skip


class RandomProgram:
    """``asm`` and what each of its instructions accesses."""

    def __init__(self, rng: Any, machine: SystolicMachine, length: int) -> None:
        self.rng, self.asm = rng, Assembler(machine)
        self.accesses: list[list[Access]] = []
        self.x = [self.asm.place(f"x{slot}", LINES, 4) for slot in range(SLOTS)]
        self.y = [self.asm.place(f"y{slot}", LINES, 4) for slot in range(SLOTS)]
        self.s = [self.asm.place(f"spill.{slot}", LINES, 4, space=Space.HBM) for slot in range(SLOTS)]
        for slot in range(SLOTS):
            self.load(slot, slot)
            self.store(slot, slot)
        for place in range(PLACES):
            self.multiply(place, place, place, accumulate=False)
        kinds = [
            self.any_load,
            self.any_store,
            self.any_vec,
            self.any_vec,
            self.any_transpose,
            self.any_product,
        ]
        for kind in rng.integers(0, len(kinds), length):
            kinds[kind]()

    def pick(self, high: int = SLOTS) -> int:
        return int(self.rng.integers(high))

    def note(self, *accesses: tuple[bool, str, int]) -> None:
        size = {"buffer": SLOT, "accumulators": LINES}
        self.accesses.append([Access(w, m, n * size[m], (n + 1) * size[m]) for w, m, n in accesses])

    def load(self, source: int, slot: int, spilled: bool = False) -> None:
        place = self.s[source] if spilled else self.x[source]
        self.asm.load(place, slot * SLOT, traffic=Traffic.FILL if spilled else Traffic.INPUT)
        self.note((True, "buffer", slot))

    def store(self, slot: int, target: int, spill: bool = True) -> None:
        place = self.s[target] if spill else self.y[target]
        self.asm.store(place, slot * SLOT, traffic=Traffic.SPILL if spill else Traffic.OUTPUT)
        self.note((False, "buffer", slot))

    def any_load(self) -> None:
        self.load(self.pick(), self.pick(), spilled=bool(self.pick(2)))

    def any_store(self) -> None:
        self.store(self.pick(), self.pick(), spill=bool(self.pick(2)))

    def any_vec(self) -> None:
        a, b, target = self.pick(), self.pick(), self.pick()
        function = (Function.ADD, Function.SUBTRACT, Function.MAXIMUM)[self.pick(3)]
        if self.pick(2):
            place, flags = self.pick(PLACES), Flag.SRC0_ACCUMULATOR
            self.asm.vec(function, target * SLOT, place * LINES, rows=LINES, flags=flags, src1=b * SLOT)
            self.note((False, "accumulators", place), (False, "buffer", b), (True, "buffer", target))
            return
        self.asm.vec(function, target * SLOT, a * SLOT, rows=LINES, src1=b * SLOT)
        self.note((False, "buffer", a), (False, "buffer", b), (True, "buffer", target))

    def any_transpose(self) -> None:
        source, target = self.pick(), self.pick()
        self.asm.emit(Opcode.TRANSPOSE, src0=source * SLOT, dst=target * SLOT, rows=4, tail=4, item=2)
        self.note((False, "buffer", source), (True, "buffer", target))

    def any_product(self) -> None:
        self.multiply(self.pick(), self.pick(), self.pick(PLACES), accumulate=bool(self.pick(2)))

    def multiply(self, left: int, right: int, place: int, accumulate: bool) -> None:
        flags = Flag.ACCUMULATE if accumulate else Flag.NONE
        if self.asm.machine.matrix_unit.dataflow == "os":
            for flag in (Flag.NONE, Flag.ACCUMULATE) if accumulate else (Flag.NONE,):
                self.asm.matmul(left * SLOT, src1=right * SLOT, rows=LINES, flags=flag)
                self.note((False, "buffer", left), (False, "buffer", right))
            self.asm.emit(Opcode.DRAIN, dst=place * LINES, rows=LINES)
            self.note((True, "accumulators", place))
            return
        self.asm.wload(right * SLOT)
        self.note((False, "buffer", right))
        self.asm.matmul(left * SLOT, place * LINES, rows=LINES, flags=flags | Flag.SWAP | Flag.RELEASE)
        self.note((False, "buffer", left), (True, "accumulators", place))

    def finish(self) -> list[tuple[int, int]]:
        """Append HALT and the tokens, and return the latter as (post, wait) pairs of instructions."""
        units = [UNIT_OF_OPCODE[Opcode(record["opcode"])] for record in self.asm.fields]
        tokens: list[tuple[int, int]] = []
        posted: dict[tuple[int, int], int] = {}  # (producer, consumer): the last instruction that posted
        for later, unit in enumerate(units):
            for producer in UnitId:
                earlier = next((i for i in range(later - 1, -1, -1) if units[i] == producer and self.conflict(
                    self.accesses[i], self.accesses[later], producer == unit and unit)), -1)  # fmt: skip
                if earlier > posted.get((producer, unit), -1):
                    posted[producer, unit] = earlier
                    tokens.append((earlier, later))
        halt = self.asm.halt()
        last = {unit: index for index, unit in enumerate(units)}
        tokens += [(index, halt) for index in last.values()]
        units.append(UnitId.SEQUENCER)
        for post, wait in tokens:
            self.asm.fields[post]["post"] |= 1 << units[wait]
            self.asm.fields[wait]["wait"] |= 1 << units[post]
        return tokens

    @staticmethod
    def conflict(earlier: list[Access], later: list[Access], same_unit: Any) -> bool:
        """Whether a token must order them; within a unit only a read of what it has written needs one."""
        for one in earlier:
            for other in later:
                touch = one.memory == other.memory and one.low < other.high and other.low < one.high
                if not touch or not (one.write or other.write):
                    continue
                if not same_unit or (one.write and not other.write and same_unit not in ORDERED_READS):
                    return True
        return False

    def drop(self, token: tuple[int, int]) -> None:
        """Take a token away at both ends."""
        units = [UNIT_OF_OPCODE[Opcode(self.asm.fields[index]["opcode"])] for index in token]
        self.asm.fields[token[0]]["post"] &= ~(1 << units[1])
        self.asm.fields[token[1]]["wait"] &= ~(1 << units[0])

    def inputs(self) -> dict[str, Any]:
        """Random numbers whose halves are bfloat16 numbers of ordinary size."""
        bits = self.rng.integers(0x3F00, 0x4100, (SLOTS, LINES, 8)).astype(np.uint16)
        return {f"x{slot}": bits[slot].view(np.float32) for slot in range(SLOTS)}
