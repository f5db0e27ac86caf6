"""Machines and Programs for tests: small ones by hand, valid ones at random."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np

from simulator.isa import INSTRUCTION_DTYPE, UNIT_OF_OPCODE, Flag, Function, Opcode, Records, UnitId
from simulator.machines.systolic import SystolicMachine

DEFAULTS: dict[str, dict[str, Any]] = {
    "technology": {"process_nm": 7},
    "clock": {"mhz": 1000},
    "host_link": {"bytes_per_cycle": 1, "latency_cycles": 10},
    "hbm": {"bytes_per_cycle": 4, "latency_cycles": 5, "capacity_bytes": 2**30},
    "unified_buffer": {"capacity_bytes": 2**24, "read_latency_cycles": 1},
    "weight_fifo": {"depth_tiles": 2},
    "matrix_unit": {
        "rows": 4,
        "cols": 4,
        "dataflow": "ws",
        "weight_buffers": 2,
        "overlap": True,
        "pe_latency_cycles": 1,
        "horizontal_hop_cycles": 1,
        "vertical_hop_cycles": 1,
    },
    "accumulators": {"lines": 1024, "adder_latency_cycles": 1},
    "vector_unit": {
        "lanes": 4,
        "alu_latency_cycles": 3,
        "divide_cycles": 8,
        "sqrt_cycles": 9,
        "table_cycles": 6,
    },
    "sequencer": {"queue_depth": 4},
}


def make_machine(**fields: Any) -> SystolicMachine:
    """A 4 x 4 core with latencies of 1; ``matrix_unit__rows=8`` sets a field."""
    tables = {name: dict(table) for name, table in DEFAULTS.items()}
    for name, value in fields.items():
        table, field = name.split("__")
        assert field in tables[table], name
        tables[table][field] = value
    return SystolicMachine.model_validate({"kind": "systolic", "name": "test", **tables})


class Assembler:
    """Builds a Program instruction by instruction; units are named by ``UnitId``."""

    def __init__(self) -> None:
        self.instructions: list[dict[str, int]] = []

    def add(
        self,
        opcode: Opcode,
        wait: tuple[UnitId, ...] = (),
        post: tuple[UnitId, ...] = (),
        flags: Flag = Flag.NONE,
        **fields: int,
    ) -> int:
        """Append an instruction; its index."""
        masks = {"wait": sum(1 << unit for unit in wait), "post": sum(1 << unit for unit in post)}
        self.instructions.append(
            {"opcode": opcode, "flags": flags, "rows": 1, "panels": 1, "tail": 1, **masks, **fields}
        )
        return len(self.instructions) - 1

    def finish(self) -> Records:
        """Add HALT, which waits for the last instruction of every unit; the Program."""
        last: dict[UnitId, int] = {}
        for i, instruction in enumerate(self.instructions):
            last[UNIT_OF_OPCODE[Opcode(instruction["opcode"])]] = i
        for i in last.values():
            self.instructions[i]["post"] |= 1 << UnitId.SEQUENCER
        self.add(Opcode.HALT, wait=tuple(last))
        return self.records()

    def records(self) -> Records:
        """The instructions as they are."""
        found = np.zeros(len(self.instructions), dtype=INSTRUCTION_DTYPE)
        for i, instruction in enumerate(self.instructions):
            for name, value in instruction.items():
                found[i][name] = value
        return found


def random_machine(rng: random.Random) -> SystolicMachine:
    """Any dataflow, any depths and latencies, rates with fractions."""

    def few(*choices: Any) -> Any:
        return rng.choice(choices)

    return make_machine(
        host_link__bytes_per_cycle=Fraction(rng.randint(1, 40), rng.randint(1, 7)),
        host_link__latency_cycles=rng.randint(0, 40),
        hbm__bytes_per_cycle=Fraction(rng.randint(1, 60), rng.randint(1, 7)),
        hbm__latency_cycles=rng.randint(0, 25),
        unified_buffer__read_latency_cycles=few(1, 1, 2, 3, 5),
        weight_fifo__depth_tiles=few(1, 1, 2, 3),
        matrix_unit__rows=few(1, 2, 3, 4, 8),
        matrix_unit__cols=few(1, 2, 4, 5, 8),
        matrix_unit__dataflow=few("ws", "ws", "is", "os"),
        matrix_unit__weight_buffers=few(1, 2, 2),
        matrix_unit__overlap=few(True, True, False),
        matrix_unit__pe_latency_cycles=few(1, 1, 2, 4),
        matrix_unit__horizontal_hop_cycles=few(1, 1, 2, 3),
        matrix_unit__vertical_hop_cycles=few(1, 1, 2, 3),
        accumulators__adder_latency_cycles=few(1, 3, 5, 20),
        vector_unit__lanes=few(1, 2, 4, 8),
        vector_unit__alu_latency_cycles=few(1, 3, 6),
        sequencer__queue_depth=few(1, 2, 3, 6),
    )


def random_program(rng: random.Random, machine: SystolicMachine, n: int) -> Records:
    """About ``n`` instructions; every token is posted earlier in the Program than it is waited for."""
    program = Assembler()
    stationary = machine.matrix_unit.dataflow != "os"
    feed = _weight_stationary(rng, program) if stationary else _output_stationary(rng, program)
    others = (_transfer, _transfer, _vec, _transpose)
    matrix_share = rng.choice((0.3, 0.6, 0.9))
    while len(program.instructions) < n:
        if rng.random() < matrix_share:
            next(feed)
        else:
            rng.choice(others)(rng, program)
    feed.close()  # tiles that were loaded are used
    _connect(rng, program)
    return program.finish()


def shuffled(rng: random.Random, records: Records, swaps: int) -> Records:
    """The same work in another order, each unit's own order kept: waits may come before their posts."""
    order = list(range(len(records)))
    unit = [UNIT_OF_OPCODE[Opcode(int(opcode))] for opcode in records["opcode"]]
    for _ in range(swaps):
        i = rng.randrange(len(order) - 2)
        if unit[order[i]] != unit[order[i + 1]]:
            order[i], order[i + 1] = order[i + 1], order[i]
    return records[order]


def _transfer(rng: random.Random, program: Assembler) -> None:
    opcode = rng.choice((Opcode.LOAD, Opcode.STORE))
    flags = rng.choice((Flag.NONE, Flag.NONE, Flag.HOST))
    item, panels = rng.randint(0, 2), rng.randint(1, 2)
    program.add(opcode, flags=flags, rows=rng.randint(1, 5), panels=panels, item=item)


def _vec(rng: random.Random, program: Assembler) -> None:
    function = rng.choice((Function.ADD, Function.DIVIDE, Function.EXP, Function.REDUCE_SUM, Function.SQRT))
    program.add(Opcode.VEC, function=function, rows=rng.randint(1, 4), panels=rng.randint(1, 2))


def _transpose(rng: random.Random, program: Assembler) -> None:
    program.add(Opcode.TRANSPOSE, rows=rng.randint(1, 8), tail=rng.randint(1, 8))


def _weight_stationary(rng: random.Random, program: Assembler) -> Any:
    """Each step adds an instruction; WLOADs run ahead of the tiles in use by up to ``prefetch``."""
    prefetch, uses = rng.randint(1, 3), rng.randint(1, 3)
    loaded = 0  # tiles that are not in use yet
    left = 0  # MATMULs that will use the active tile
    try:
        while True:
            if loaded < prefetch and (loaded == 0 or rng.random() < 0.5):
                program.add(Opcode.WLOAD)
                loaded += 1
            else:
                loaded, left = _matmul(rng, program, loaded, left, uses)
            yield
    finally:
        while loaded or left:
            loaded, left = _matmul(rng, program, loaded, left, uses)


def _matmul(rng: random.Random, program: Assembler, loaded: int, left: int, uses: int) -> tuple[int, int]:
    flags = rng.choice((Flag.NONE, Flag.ACCUMULATE))
    if left == 0:
        loaded, left, flags = loaded - 1, rng.randint(1, uses), flags | Flag.SWAP
    if left == 1:
        flags |= Flag.RELEASE
    program.add(Opcode.MATMUL, flags=flags, rows=rng.choice((1, 2, 3, 5, 8, 13)))
    return loaded, left - 1


def _output_stationary(rng: random.Random, program: Assembler) -> Any:
    while True:
        for step in range(rng.randint(1, 3)):
            program.add(
                Opcode.MATMUL, flags=Flag.ACCUMULATE if step else Flag.NONE, rows=rng.choice((1, 2, 5, 8))
            )
            yield
        program.add(Opcode.DRAIN)
        yield


def _connect(rng: random.Random, program: Assembler) -> None:
    """Add tokens: the k-th wait of a pair of units gets the k-th post, so pairs never cross."""
    instructions = program.instructions
    unit = [UNIT_OF_OPCODE[Opcode(instruction["opcode"])] for instruction in instructions]
    taken: dict[tuple[UnitId, UnitId], int] = {}  # the latest producer of each pair
    density, span = rng.choice((0.2, 0.5, 0.8)), rng.choice((4, 12, 40))
    for i in range(1, len(instructions)):
        for _ in range(3):
            j = i - 1 - rng.randrange(min(i, span))
            pair = unit[j], unit[i]
            if rng.random() < density and j > taken.get(pair, -1):
                if instructions[i]["wait"] >> unit[j] & 1:
                    continue  # one token per pair
                instructions[i]["wait"] |= 1 << unit[j]
                instructions[j]["post"] |= 1 << unit[i]
                taken[pair] = j
