"""The compiled checks accept what those in Python accept, and refuse what they refuse."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.api.gemm import gemm_graph
from simulator.compiler import compile_graph
from simulator.errors import DeadlockError, ProgramError
from simulator.isa import Flag, Opcode, UnitId, units_of
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.validate import follow, validate
from simulator.validate.fields import check_fields
from simulator.validate.follow import Fault, accepts
from simulator.validate.matrix import check_matrix_unit
from simulator.validate.placements import written_by_host
from simulator.validate.races import check_order
from simulator.validate.regions import regions_of
from simulator.validate.replay import check_progress
from simulator.validate.tokens import check_tokens
from tests.agreement.fast_cases import damaged, training_graph
from tests.support.machines import small_machine

FIELDS = ("dst", "src0", "src1", "rows", "panels", "tail", "wait", "post", "flags", "flags", "dst_stride")


def machines_of(rng: random.Random) -> list[SystolicMachine]:
    """Two that a Program is compiled alike for; the second has the shortest queues."""
    fields = {
        "rows": rng.choice((2, 4, 8)),
        "dataflow": rng.choice(("ws", "os", "is")),
        "lines": rng.choice((16, 128)),
        "unified_buffer": {"capacity_bytes": rng.choice((2**12, 2**14, 2**18))},
    }
    return [
        small_machine(
            **fields,
            queue_depth=depth,
            depth_tiles=tiles,
            weight_buffers=rng.choice((1, 2)),
            overlap=rng.random() < 0.7,
        )
        for depth, tiles in ((rng.choice((2, 16, 200)), rng.choice((1, 2, 4))), (1, 1))
    ]


def loads_first(program: Program) -> Program:
    """Four WLOADs, then the MATMULs of their tiles: a short FIFO has no room for them."""
    opcodes, order = program.records["opcode"], np.arange(len(program))
    pair = [int(Opcode.WLOAD), int(Opcode.MATMUL)]
    at = 0
    while at + 8 <= len(order):
        if opcodes[at : at + 8].tolist() == 4 * pair:
            order[at : at + 8] = [*range(at, at + 8, 2), *range(at + 1, at + 8, 2)]
            at += 8
        else:
            at += 1
    return replace(program, records=program.records[order])


def changed(rng: random.Random, program: Program) -> Program:
    """One field a little different, a token gone at both ends, or anything of ``damaged``."""
    records = program.records.copy()
    match rng.randrange(4):
        case 3:
            return loads_first(program)
        case 0:
            name = rng.choice(FIELDS)
            at = rng.randrange(len(records))
            records[name][at] = max(0, int(records[name][at]) + rng.choice((-4, -1, 1, 4)))
            matmuls = np.flatnonzero(records["opcode"] == Opcode.MATMUL)
            if name == "flags" and len(matmuls):
                records["flags"][rng.choice(matmuls)] ^= int(rng.choice((Flag.SWAP, Flag.RELEASE)))
        case 1:
            producer, consumer = rng.sample(list(UnitId), 2)
            bits = (("post", producer, consumer), ("wait", consumer, producer))
            for name, unit, other in bits:
                mine = tokens_of(program, name, unit, other)
                if not mine:
                    break
                chosen = 0 if rng.random() < 0.5 else len(mine) - 1
                records[name][mine[chosen]] &= ~np.uint32(1 << other)
        case 2:
            records = damaged(rng, records)
            if len(records) != len(program):
                return program
    return replace(program, records=records)


def tokens_of(program: Program, name: str, unit: int, other: int) -> list[int]:
    mask = (program.records[name] >> other & 1 != 0) & (units_of(program.records) == unit)
    found: list[int] = np.flatnonzero(mask).tolist()
    return found


def in_python(program: Program, machine: SystolicMachine, regions: Any) -> str:
    """What the checks in Python say; nothing where they accept."""
    try:
        check_matrix_unit(program, machine)
        check_tokens(program, machine)
        check_progress(program, machine)
        check_order(program, machine, regions)
    except (ProgramError, DeadlockError) as error:
        return str(error)
    return ""


def programs(rng: random.Random) -> list[tuple[list[SystolicMachine], Program]]:
    found = []
    for number in range(24):
        machines = machines_of(rng)
        if number % 2:
            widths = tuple(rng.choice((3, 8, 17)) for _ in range(rng.choice((2, 3))))
            graph = training_graph(widths, rng.choice((1, 5, 16)), rng.choice(("sgd", "adam")))
        else:
            shape = [rng.choice((1, 8, 20, 33)) for _ in range(3)]
            graph = gemm_graph(*shape, False, rng.random() < 0.5, "bfloat16")
        found.append((machines, compile_graph(graph, machines[0])))
    return found


def test_both_say_the_same() -> None:
    rng = random.Random(11)
    refused: Counter[Fault] = Counter()
    accepted = 0
    for machines, program in programs(rng):
        for number in range(40):
            machine = machines[number % 2]
            wrong = changed(rng, program) if number else program
            try:
                check_fields(wrong, machine)
                regions = regions_of(wrong, machine)
            except ProgramError:
                continue
            expected = in_python(wrong, machine, regions)
            found = accepts(wrong, machine, regions, written_by_host(wrong))
            assert found is not None, "the native library is needed here"
            assert (found.fault is Fault.NONE) == (not expected), (found.fault, found.at, expected)
            refused[found.fault] += 1
            accepted += not expected
    assert accepted > 100
    common = (
        *(Fault.TILES, Fault.TOKEN_MISSING, Fault.TOKEN_LEFT),
        *(Fault.STUCK, Fault.UNWRITTEN, Fault.RACE),
    )
    assert all(refused[fault] >= 3 for fault in common), refused


def test_without_the_library_python_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = small_machine()
    program = compile_graph(gemm_graph(20, 20, 20, False, False, "bfloat16"), machine)
    late = replace(program, records=program.records.copy())
    late.records["wait"][np.flatnonzero(late.records["wait"])[0]] = 0
    messages = []
    for library in (follow.native(), None):
        monkeypatch.setattr(follow, "_load", lambda library=library: library)
        validate(program, machine)
        with pytest.raises(ProgramError) as error:
            validate(late, machine)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
