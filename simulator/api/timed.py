"""The metrics of a graph on a machine, however long its Program is.

A Program of up to ``LONG`` instructions is made, checked and timed as a whole, and has a Trace. A longer one
goes through compiler, checks and engine in parts and is only added up (``docs/adr/0008``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from simulator import isa, systolic
from simulator.compiler import compile_parts, count_tiles
from simulator.errors import CheckError, DeadlockError, OutOfDomain, ProgramError
from simulator.fast import Account
from simulator.graph import Graph
from simulator.machines.systolic import SystolicMachine
from simulator.metrics import CycleSums, CycleTally, Metrics, ProgramSums, from_sums
from simulator.program import LongProgram, Program
from simulator.validate import Validation

LONG: Final = 1 << 19  # instructions
PART: Final = 1 << 17
ENGINES: Final = ("event", "fast")
Progress = Callable[[int, int], None]
"""Told how many instructions of how many have been made."""


class Timed(NamedTuple):
    """What a long Program adds up to."""

    metrics: Metrics
    instructions: int


def is_long(graph: Graph, machine: SystolicMachine) -> bool:
    """Whether the Program of a graph is better not in memory as a whole: an estimate from its tiles."""
    return 2 * count_tiles(graph, machine) > LONG


def time_in_parts(
    graph: Graph,
    machine: SystolicMachine,
    engine: str,
    *,
    part: int | None = None,
    progress: Progress | None = None,
) -> Timed:
    """Compiles, checks and times a graph part by part; the same metrics as of its whole Program.

    ``part``: about how many instructions are in memory at once (default: ``PART``).

    Raises:
        OutOfDomain: the engine cannot time a Program in parts.
        CompileError: the graph does not fit the machine.
        CheckError: what the compiler made is not valid, or a cycle or a byte is not accounted for.
        DeadlockError: the instructions cannot all be executed.
    """
    if engine not in ENGINES:
        raise OutOfDomain(
            f"engine {engine!r}: a Program this long, of more than {LONG:,} instructions, is timed by "
            f"{' and '.join(ENGINES)}"
        )
    program = compile_parts(graph, machine, PART if part is None else part)
    sums = ProgramSums(program.operations)
    checked = _Checked(program, machine, sums, progress)
    run = (_fast if engine == "fast" else _event)(machine, program, checked.parts())
    return Timed(from_sums(machine, program.name, checked.tensors, sums, run), len(program))


class _Checked:
    """The parts of a Program, each checked and added up on its way to the engine."""

    def __init__(
        self, program: LongProgram, machine: SystolicMachine, sums: ProgramSums, progress: Progress | None
    ) -> None:
        self._program, self._machine, self._sums = program, machine, sums
        self._progress = progress
        self.tensors: tuple[str, ...] = ()

    def parts(self) -> Iterator[Program]:
        program, done = self._program, 0
        try:
            validation = Validation(program, self._machine)
            for part in program.parts:
                validation.next(part)
                self._sums.add(self._machine, part)
                self.tensors = part.tensors
                done += len(part)
                if done == len(program):
                    validation.end()
                yield part
                if self._progress is not None:
                    self._progress(done, len(program))
        except (ProgramError, DeadlockError) as error:
            raise CheckError(f"check program: the compiled {program.name} is not valid: {error}") from error


def _fast(machine: SystolicMachine, program: LongProgram, parts: Iterator[Program]) -> CycleSums:
    account = Account(len(program), len(program.operations))
    for part in parts:
        account.add(part)
    return account.run(machine)


def _event(machine: SystolicMachine, program: LongProgram, parts: Iterator[Program]) -> CycleSums:
    tally = CycleTally(len(program), len(program.operations))

    def records() -> Iterator[isa.Records]:
        for part in parts:
            tally.add_part(part)
            yield part.records

    cycles = systolic.simulate_parts(machine, records(), tally.add)
    return tally.sums(cycles, "event", machine.clock.mhz)
