"""What an SM is, where its warps and barriers are, and what it did."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.simt.warp.instructions import BlockProgram, Instruction, Op, Pipe, Stall


@dataclass(frozen=True)
class Core:
    """What an SM needs to know beside the instructions. Units: cycles, wavefronts, bytes per cycle."""

    sub_cores: int
    slots: int  # instructions that a scheduler issues per cycle, of one warp
    port_bytes: int  # per cycle from L2, and as many to it
    memory_latency: int  # from the port to registers or shared memory
    shared_queue: int  # wavefronts that may wait for shared memory when an access issues
    barrier_latency: int  # from the last arrival to the first instruction after it


@dataclass(frozen=True, order=True)
class Issue:
    """One entry of an issue log."""

    cycle: int
    sub_core: int
    warp: int  # of the SM, oldest first
    position: int  # in the warp's unrolled program


@dataclass
class Activity:
    """What an SM did until everything had finished; lists have an entry per sub-core."""

    cycles: int  # until all have finished and the last store has crossed the port
    issuing: list[int]  # cycles with at least one issue
    stalls: list[list[int]]  # cycles by reason; with those that issue they are all cycles
    issued: list[list[int]]  # instructions by kind
    busy: list[list[int]]  # cycles by pipe
    multiplied: list[list[int]]  # issue of each multiply (asynchronous: its end), ascending
    wavefronts: int = 0  # cycles in which shared memory delivers or takes
    sectors_in: int = 0
    sectors_out: int = 0
    k_tile_ends: list[list[int]] = field(default_factory=list)  # block by block: that of its last multiply
    log: list[Issue] = field(default_factory=list)

    @classmethod
    def nothing(cls, sub_cores: int) -> Activity:
        """Before the first cycle."""
        of_each = range(sub_cores)
        return cls(
            cycles=0,
            issuing=[0 for _ in of_each],
            stalls=[[0] * len(Stall) for _ in of_each],
            issued=[[0] * len(Op) for _ in of_each],
            busy=[[0] * len(Pipe) for _ in of_each],
            multiplied=[[] for _ in of_each],
        )


class BlockState:
    """A resident block's barriers."""

    def __init__(self, program: BlockProgram) -> None:
        self.arrivals = [barrier.arrivals for barrier in program.barriers]
        self.arrived = [0] * len(program.barriers)
        self.latest = [0] * len(program.barriers)
        self.completed = [[0] * barrier.completed for barrier in program.barriers]
        self.waiting: list[list[WarpState]] = [[] for _ in program.barriers]


class WarpState:
    """Where a warp is, which of its registers are on their way, and when it is worth a look again."""

    __slots__ = (
        *("block", "code", "index", "kind", "multiplied", "pc", "ready", "stall", "sub_core"),
        *("until", "waited"),
    )

    def __init__(self, index: int, sub_core: int, block: BlockState, code: tuple[Instruction, ...]) -> None:
        self.index, self.sub_core, self.block, self.code = index, sub_core, block, code
        registers = 1 + max((max((i.dst, *i.needs)) for i in code), default=0)
        self.pc = 0
        self.ready = [0] * registers
        self.kind = [Stall.RESULT] * registers
        self.waited = [0] * len(block.completed)
        self.until = 0
        self.stall = Stall.RESULT
        self.multiplied: list[int] = []

    @property
    def finished(self) -> bool:
        """Whether nothing is left to issue."""
        return self.pc == len(self.code)
