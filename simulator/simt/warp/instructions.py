"""Warp instructions and the programs that are made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum


class Op(IntEnum):
    """Kinds of warp instructions."""

    ALU = 0  # integers: addresses, predicates, branches, conversions
    FMA = 1  # multiply-add of each lane (a dot product of four on int8)
    MMA = 2  # tensor core, operands in registers
    WGMMA = 3  # tensor core, operands in shared memory, asynchronous
    LDS = 4  # shared memory to registers
    STS = 5  # registers to shared memory
    LDG = 6  # global memory to registers
    STG = 7  # registers to global memory
    COPY = 8  # global to shared memory, asynchronous
    SYNC = 9  # arrives at a barrier; the warp's next instruction waits for it
    ARRIVE = 10  # arrives at a barrier and goes on
    WAIT = 11  # waits for a barrier at which others arrive


class Pipe(IntEnum):
    """What takes an instruction for some cycles; each sub-core has one of each."""

    ALU = 0
    FMA = 1
    TENSOR = 2
    SHARED = 3  # the way to shared memory, which the sub-cores share
    GLOBAL = 4  # the way to L2, which they share as well
    CONTROL = 5


class Stall(IntEnum):
    """Why a scheduler does not issue in a cycle: what its first warp waits for."""

    RESULT = 0  # of arithmetic
    SHARED = 1  # a load from shared memory
    GLOBAL = 2  # a load or copy from L2 or DRAM
    BARRIER = 3
    PIPE = 4  # the pipe takes no further instruction yet
    QUEUE = 5  # too much is waiting for shared memory
    DONE = 6  # the scheduler has no warp left


PIPE_OF = (
    *(Pipe.ALU, Pipe.FMA, Pipe.TENSOR, Pipe.TENSOR, Pipe.SHARED, Pipe.SHARED),
    *(Pipe.GLOBAL, Pipe.GLOBAL, Pipe.GLOBAL, Pipe.CONTROL, Pipe.CONTROL, Pipe.CONTROL),
)
# What an instruction waits for that needs a result of this kind.
STALL_OF = (
    *(Stall.RESULT, Stall.RESULT, Stall.RESULT, Stall.RESULT, Stall.SHARED, Stall.SHARED),
    *(Stall.GLOBAL, Stall.GLOBAL, Stall.GLOBAL, Stall.BARRIER, Stall.BARRIER, Stall.BARRIER),
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """One warp instruction, with all that the SM has to know of it.

    It issues once the registers ``needs`` hold their values, its pipe is free and the barrier ``waits`` has
    completed as often as the warp has waited for it. ``interval`` cycles later the pipe is free again. The
    result is in ``dst`` after ``latency`` cycles, which count from the issue, from the last wavefront, or
    from the moment that L2 answers.

    ``wavefronts`` of shared memory are asked for at the issue; ``sectors`` of 32 bytes cross the SM's port to
    or from L2. ``macs`` count multiply-accumulates. A register stands
    for what one instruction writes: an accumulator, a fragment. -1: none.
    """

    op: Op
    interval: int = 1
    latency: int = 1
    dst: int = -1
    needs: tuple[int, ...] = ()
    wavefronts: int = 0
    sectors: int = 0
    arrives: int = -1
    waits: int = -1
    macs: int = 0

    def switched_off(self) -> Instruction:
        """The instruction with its predicate false: it issues and does nothing."""
        return replace(self, dst=-1, wavefronts=0, sectors=0)


@dataclass(frozen=True)
class Barrier:
    """Complete whenever ``arrivals`` have come, and ``completed`` times before the start."""

    arrivals: int
    completed: int = 0


@dataclass(frozen=True)
class WarpProgram:
    """What one warp executes: k-tile ``t`` is ``bodies[t % len(bodies)]``.

    The last ``ahead`` k-tiles find nothing left to load: ``tails`` stand in for them.
    """

    prologue: tuple[Instruction, ...] = ()
    bodies: tuple[tuple[Instruction, ...], ...] = ((),)
    tails: tuple[tuple[Instruction, ...], ...] = ((),)
    epilogue: tuple[Instruction, ...] = ()
    ahead: int = 0

    def unrolled(self, k_tiles: int) -> tuple[Instruction, ...]:
        """The instructions of ``k_tiles`` k-tiles, in order."""
        found = list(self.prologue)
        for tile in range(k_tiles):
            bodies = self.bodies if tile + self.ahead < k_tiles else self.tails
            found += bodies[tile % len(bodies)]
        return (*found, *self.epilogue)


@dataclass(frozen=True)
class BlockProgram:
    """What a thread block executes, warp by warp, and its barriers."""

    warps: tuple[WarpProgram, ...]
    barriers: tuple[Barrier, ...] = ()

    def multiplies(self, warp: int) -> int:
        """Multiply instructions of a warp in one k-tile."""
        return sum(1 for instruction in self.warps[warp].bodies[0] if instruction.macs)

    @property
    def macs_per_k_tile(self) -> int:
        """Multiply-accumulates of the block."""
        return sum(instruction.macs for warp in self.warps for instruction in warp.bodies[0])


def waiting(instructions: Iterable[Instruction]) -> tuple[Instruction, ...]:
    """The same with every SYNC's barrier waited for by the instruction after it."""
    found: list[Instruction] = []
    barrier = -1
    for instruction in instructions:
        found.append(replace(instruction, waits=barrier) if barrier >= 0 else instruction)
        barrier = instruction.arrives if instruction.op is Op.SYNC else -1
    return tuple(found)


def interleaved(
    multiplies: Sequence[Instruction], others: Sequence[Instruction], gap: int
) -> Iterator[Instruction]:
    """Others among multiplies as early as may be, at most one after ``gap`` multiplies if that suffices."""
    gap = max(1, min(gap, len(multiplies) // max(1, len(others))))
    waits = list(others)
    for position, multiply in enumerate(multiplies, 1):
        yield multiply
        if waits and position % gap == 0:
            yield waits.pop(0)
    yield from waits
