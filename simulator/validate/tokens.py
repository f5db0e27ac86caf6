"""Tokens: every wait has its post before it, no post is left, and no counter runs over."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.isa import UnitId, units_of
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.validate.messages import fail, name, unit_name
from simulator.validate.replay import Replay

MAX_OUTSTANDING_TOKENS = 255
"""What a counter of the hardware holds (8 bits)."""


def check_tokens(program: Program, machine: SystolicMachine) -> None:
    """Counters start and end at 0, stay above in program order, and never exceed their width.

    Raises:
        ProgramError: a wait without a post before it, a post without a wait, or too many tokens.
    """
    records, units = program.records, units_of(program.records)
    suspects = set()
    for producer in UnitId:
        for consumer in UnitId:
            posts = np.flatnonzero((units == producer) & (records["post"] >> consumer & 1 != 0))
            waits = np.flatnonzero((units == consumer) & (records["wait"] >> producer & 1 != 0))
            _check_pair(program, producer, consumer, posts, waits)
            if may_run_over(machine, _outstanding(posts, waits)):
                suspects.add(consumer)
    for consumer in suspects:
        check_width(program, machine, consumer)


def may_run_over(machine: SystolicMachine, outstanding: int) -> bool:
    """Whether so many tokens at one place of the Program, with what a queue adds, may be too many."""
    return outstanding + machine.sequencer.queue_depth > MAX_OUTSTANDING_TOKENS


def _check_pair(
    program: Program, producer: UnitId, consumer: UnitId, posts: npt.NDArray[Any], waits: npt.NDArray[Any]
) -> None:
    both = min(len(posts), len(waits))
    late = waits[:both] <= posts[:both]
    if late.any():
        wait = int(waits[int(np.argmax(late))])
    elif len(waits) > len(posts):
        wait = int(waits[both])
    else:
        if len(posts) > len(waits):
            text = f"post: the token for {unit_name(consumer)} is left over; every counter must end at 0"
            fail(program, int(posts[both]), text)
        return
    fail(
        program,
        wait,
        f"wait: no instruction before it posts the token of {unit_name(producer)} that it takes",
    )


def _outstanding(posts: npt.NDArray[Any], waits: npt.NDArray[Any]) -> int:
    """Most tokens of a pair at any place of the Program; in time the consumer can lag by a queue more."""
    if not len(posts):
        return 0
    return int((np.arange(1, len(posts) + 1) - np.searchsorted(waits, posts)).max())


def check_width(program: Program, machine: SystolicMachine, consumer: UnitId) -> None:
    """Let all others run ahead of ``consumer`` as far as they can: its counters never hold more than then.

    Raises:
        ProgramError: a counter may run over.
    """
    replay = Replay(program, machine)
    most, at, producer = 0, -1, -1
    while replay.run(without=consumer):
        for unit in UnitId:
            if replay.tokens[unit][consumer] > most:
                most, at, producer = replay.tokens[unit][consumer], replay.head(consumer), unit
    if most > MAX_OUTSTANDING_TOKENS:
        where = name(program, at) if at >= 0 else "the end"
        raise ProgramError(
            f"{where}: up to {most} tokens from {unit_name(producer)} wait for {unit_name(consumer)}: "
            f"at most {MAX_OUTSTANDING_TOKENS} are allowed"
        )
