"""The event-driven SM against one that is stepped cycle by cycle, on random programs."""

from __future__ import annotations

import random

import pytest

from simulator.simt.tiles import ALIGNED, Alignment, catalogue
from simulator.simt.warp import loop_of
from simulator.simt.warp.instructions import (
    Barrier,
    BlockProgram,
    Instruction,
    Op,
    Stall,
    WarpProgram,
    waiting,
)
from simulator.simt.warp.sm import Sm
from simulator.simt.warp.state import Activity, Core
from tests.oracles.warp_stepper import Stepper

REGISTERS = 6


def random_core(rng: random.Random) -> Core:
    return Core(
        sub_cores=rng.choice((1, 2, 4)),
        slots=rng.choice((1, 1, 2)),
        port_bytes=rng.choice((16, 32, 64, 100)),
        memory_latency=rng.choice((1, 7, 40)),
        shared_queue=rng.choice((0, 4, 24)),
        barrier_latency=rng.choice((1, 2, 9)),
    )


def random_instruction(rng: random.Random) -> Instruction:
    arithmetic = [Op.ALU, Op.FMA, Op.FMA, Op.FMA, Op.MMA, Op.WGMMA]
    op = rng.choice([*arithmetic, Op.LDS, Op.STS, Op.LDG, Op.STG, Op.COPY])
    memory = op in (Op.LDG, Op.STG, Op.COPY)
    return Instruction(
        op,
        interval=rng.choice((1, 2, 2, 8)),
        latency=rng.choice((1, 4, 6, 19)),
        dst=rng.randrange(-1, REGISTERS),
        needs=tuple(rng.sample(range(REGISTERS), rng.randrange(4))),
        wavefronts=rng.choice((1, 2, 4)) if op in (Op.LDS, Op.STS, Op.WGMMA, Op.COPY) else 0,
        sectors=rng.choice((1, 16, 100)) if memory else 0,
    )


def random_program(rng: random.Random) -> BlockProgram:
    """Warps that work and meet, and sometimes one that copies for the others through two barriers."""
    workers, stages = rng.randrange(1, 6), rng.randrange(1, 4)
    copies = rng.random() < 0.5
    full, empty = Instruction(Op.WAIT, waits=1), Instruction(Op.ARRIVE, arrives=2)

    def body() -> tuple[Instruction, ...]:
        mixed = [random_instruction(rng) for _ in range(rng.randrange(1, 12))]
        meets = [Instruction(Op.SYNC, arrives=0)] if meet else []
        end = Instruction(Op.ALU, needs=(0,))
        return waiting([*([full] if copies else []), *mixed, *meets, end, *([empty] if copies else [])])

    meet = rng.random() < 0.7
    warps = [
        WarpProgram(body(), (body(), body()), (body(),), body(), ahead=rng.randrange(3))
        for _ in range(workers)
    ]
    if copies:  # as many waits as the workers' prologue, k-tiles and epilogue
        copy = Instruction(Op.COPY, sectors=rng.choice((1, 70)), arrives=1)
        feed = (Instruction(Op.WAIT, waits=2), copy, Instruction(Op.ALU))
        warps.insert(rng.randrange(len(warps) + 1), WarpProgram(feed, (feed,), (feed,), feed))
    return BlockProgram(tuple(warps), (Barrier(workers), Barrier(1), Barrier(workers, stages)))


def assert_same(core: Core, program: BlockProgram, blocks: int, k_tiles: int) -> Activity:
    activity = Sm(core, program, blocks, k_tiles, keep_log=True).run()
    stepper = Stepper(core, program, blocks, k_tiles)
    stepper.run()
    log = [(issue.cycle, issue.sub_core, issue.warp, issue.position) for issue in activity.log]
    assert log == sorted(stepper.log)
    assert activity.cycles == stepper.cycles
    assert activity.wavefronts == stepper.wavefronts
    assert [{r.name: n for r, n in zip(Stall, row, strict=True) if n} for row in activity.stalls] == [
        {name: n for name, n in row.items() if n} for row in stepper.stalls
    ]
    return activity


@pytest.mark.parametrize("seed", range(100))
def test_cycle_by_cycle(seed: int) -> None:
    rng = random.Random(seed)
    assert_same(random_core(rng), random_program(rng), rng.randrange(1, 4), rng.randrange(1, 5))


@pytest.mark.parametrize(
    ("machine", "dtype", "alignment"),
    [
        ("p100", "float32", ALIGNED),
        ("v100", "float32", ALIGNED),
        ("v100", "float16", ALIGNED),
        ("a100_40", "bfloat16", ALIGNED),
        ("h100", "bfloat16", ALIGNED),
        ("v100", "float16", Alignment(4, 2)),
        ("a100_40", "bfloat16", Alignment(8, 4)),
        ("a100_40", "bfloat16", Alignment(2, 2)),
        ("h100", "bfloat16", Alignment(4, 8)),
    ],
)
def test_tiles_cycle_by_cycle(load, machine: str, dtype: str, alignment: Alignment) -> None:
    gpu = load(machine)
    placed = min(catalogue(gpu, dtype, alignment), key=lambda p: p.tile.block_m * p.tile.block_n)
    blocks = min(2, placed.occupancy.blocks)
    loop = loop_of(gpu, placed, blocks, result_alignment=alignment.results)
    assert_same(loop.core, loop.program(), blocks, placed.tile.stages)


CORE = Core(
    sub_cores=1, slots=1, port_bytes=64, memory_latency=100, shared_queue=8, barrier_latency=5
)


def issue_cycles(*code: Instruction, warps: int = 1, barriers: int = 0) -> list[int]:
    """Cycles at which the instructions of warp 0 issue; the other warps run the same."""
    program = BlockProgram((WarpProgram(waiting(code)),) * warps, (Barrier(warps),) * barriers)
    return [issue.cycle for issue in assert_same(CORE, program, 1, 0).log if issue.warp == 0]


def fma(dst: int, *needs: int) -> Instruction:
    return Instruction(Op.FMA, interval=2, latency=4, dst=dst, needs=needs)


def load_shared(dst: int, wavefronts: int) -> Instruction:
    return Instruction(Op.LDS, latency=20, dst=dst, wavefronts=wavefronts)


def test_a_result_is_awaited() -> None:
    assert issue_cycles(fma(0), fma(0, 0), fma(0, 0)) == [0, 4, 8]


def test_a_pipe_takes_an_instruction_every_interval() -> None:
    assert issue_cycles(fma(0), fma(1), fma(2), Instruction(Op.ALU)) == [0, 2, 4, 5]


def test_wavefronts_delay_the_load_and_those_behind_it() -> None:
    # The last of 4 wavefronts is in cycle 3, the next load's only one in cycle 4.
    code = load_shared(0, 4), load_shared(1, 1), fma(2, 0), fma(3, 1)
    assert issue_cycles(*code) == [0, 1, 23, 25]
    # With two the pipe is not what is awaited.
    assert issue_cycles(load_shared(0, 2), fma(2, 0)) == [0, 21]


def test_only_so_many_wavefronts_wait() -> None:
    # After two loads of 8, 15 wavefronts are left in cycle 1: the third load issues when 8 are.
    assert issue_cycles(*(load_shared(i, 8) for i in range(3))) == [0, 1, 8]


def test_a_load_from_global_memory_crosses_the_port_first() -> None:
    # 4 sectors are 128 bytes, two cycles of the port; the second load's follow them.
    loads = [Instruction(Op.LDG, dst=i, sectors=4) for i in range(2)]
    assert issue_cycles(*loads, fma(2, 0), fma(3, 1)) == [0, 1, 102, 104]


def test_a_barrier_waits_for_the_last_warp() -> None:
    # One scheduler: warp 0 issues in 0 and 1, warp 1 in 2 and 3 and, as the last one, again 5 cycles later.
    code = fma(0), Instruction(Op.SYNC, arrives=0), Instruction(Op.ALU)
    assert issue_cycles(*code, warps=2, barriers=1) == [0, 1, 9]


def test_warps_that_wait_for_one_another_are_reported() -> None:
    program = BlockProgram((WarpProgram((Instruction(Op.WAIT, waits=0),)),), (Barrier(1),))
    with pytest.raises(RuntimeError, match="wait for one another"):
        Sm(CORE, program, 1, 0).run()
