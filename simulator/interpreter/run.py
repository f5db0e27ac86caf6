"""Runs a Program: in its own order, or in the order of a Trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.interpreter.array import drain, matmul
from simulator.interpreter.core import Commit, Core, nothing
from simulator.interpreter.host import MemoryState, prepare
from simulator.interpreter.instruction import Instruction, instructions
from simulator.interpreter.transfers import load, store, transpose, wload
from simulator.interpreter.vector import vec
from simulator.isa import Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.trace import Trace

Array = npt.NDArray[Any]
DEFAULT_SEED = 20_26

_BEGIN: Mapping[int, Callable[[Core, Instruction], Commit]] = {
    Opcode.LOAD: load,
    Opcode.STORE: store,
    Opcode.WLOAD: wload,
    Opcode.MATMUL: matmul,
    Opcode.DRAIN: drain,
    Opcode.TRANSPOSE: transpose,
    Opcode.VEC: vec,
    Opcode.HALT: lambda core, i: nothing,
}


def run_program(
    program: Program,
    machine: SystolicMachine,
    inputs: Mapping[str, Array],
    scalars: Sequence[Array],
    *,
    trace: Trace | None = None,
    seed: int = DEFAULT_SEED,
) -> MemoryState:
    """Execute a Program on memories that hold inputs, scalars and constants, and a seeded pattern elsewhere.

    Without a ``trace`` one instruction is executed after the other. With one, operands are read at the
    instruction's start and results written at its end, as the hardware would: what the tokens do not order
    may come out wrong. Writes in a cycle are seen by reads of that cycle; what ends after HALT is lost.

    Raises:
        ProgramError: an instruction that the machine cannot execute, or inputs that do not fit.
    """
    state = MemoryState(Core(machine, program.memory_granules, seed), program)
    prepare(state, inputs, scalars)
    stream = instructions(program.records)
    with np.errstate(all="ignore"):
        if trace is None:
            _in_program_order(state.core, stream)
        else:
            _in_time_order(state.core, stream, trace)
    return state


def _in_program_order(core: Core, stream: Sequence[Instruction]) -> None:
    for index, instruction in enumerate(stream):
        try:
            _BEGIN[instruction.opcode](core, instruction)()
        except ProgramError as error:
            raise _located(index, instruction, error) from None


def _in_time_order(core: Core, stream: Sequence[Instruction], trace: Trace) -> None:
    commits: dict[int, Commit] = {}
    for index, is_start in _moments(stream, trace):
        instruction = stream[index]
        try:
            if is_start:
                commits[index] = _BEGIN[instruction.opcode](core, instruction)
            else:
                commits.pop(index)()
        except ProgramError as error:
            raise _located(index, instruction, error) from None
        if instruction.opcode == Opcode.HALT and not is_start:
            break


def _moments(stream: Sequence[Instruction], trace: Trace) -> Iterator[tuple[int, bool]]:
    """``(instruction, is it the start)`` in the order of time; in one cycle ends come before starts."""
    events = trace.events
    count = len(stream)
    if not np.array_equal(np.sort(events["instruction"]), np.arange(count)):
        raise ProgramError(f"the Trace does not have one event for each of the {count} instructions")
    index = np.concatenate([events["instruction"], events["instruction"]])
    time = np.concatenate([events["start"], events["end"]])
    is_start = np.repeat([True, False], count)
    order = np.lexsort((index, is_start, time))
    return zip(index[order].tolist(), is_start[order].tolist(), strict=True)


def _located(index: int, instruction: Instruction, error: ProgramError) -> ProgramError:
    return ProgramError(f"instruction {index} ({Opcode(instruction.opcode).name}): {error}")
