"""Replays dispatch, queues, tokens and the weight FIFO without time: what can happen, does.

A step that can be taken stays possible whatever else happens first, so the order does not matter: if this
replay comes to an end, every run does.
"""

from __future__ import annotations

from collections import deque
from typing import final

from simulator.errors import DeadlockError
from simulator.isa import Flag, Opcode, UnitId, units_of
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.timing import releases_at_swap
from simulator.validate.messages import name, unit_name

_NOBODY = -1


@final
class Replay:
    """The state of all queues and counters."""

    def __init__(self, program: Program, machine: SystolicMachine) -> None:
        records = program.records
        self.program = program
        self._depth = machine.sequencer.queue_depth
        self._slots = machine.weight_fifo.depth_tiles
        self._releasing = int(Flag.SWAP if releases_at_swap(machine) else Flag.RELEASE)
        self._units: list[int] = units_of(records).tolist()
        self._opcodes: list[int] = records["opcode"].tolist()
        self._flags: list[int] = records["flags"].tolist()
        masks = [tuple(unit for unit in UnitId if mask >> unit & 1) for mask in range(1 << len(UnitId))]
        self._waits = [masks[mask] for mask in records["wait"].tolist()]
        self._posts = [masks[mask] for mask in records["post"].tolist()]
        self._queues: list[deque[int]] = [deque() for _ in UnitId]
        self._next = 0  # the next instruction to be dispatched
        self.tokens = [[0] * len(UnitId) for _ in UnitId]  # [producer][consumer]
        self.loaded = self.swapped = self.released = 0  # tiles

    @property
    def finished(self) -> bool:
        """Whether every instruction has been executed."""
        return self._next == len(self._units) and not any(self._queues)

    def head(self, unit: int) -> int:
        """The instruction that a unit executes next, or -1."""
        if unit == UnitId.SEQUENCER and self._next < len(self._units):
            return self._next if self._units[self._next] == UnitId.SEQUENCER else _NOBODY
        return self._queues[unit][0] if self._queues[unit] else _NOBODY

    def run(self, without: int = _NOBODY) -> bool:
        """Go on until nothing more is possible, and say whether anything happened.

        The unit ``without`` executes at most one instruction, before all others.
        """
        happened = without != _NOBODY and self._execute_head(without)
        progress = True
        while progress:
            progress = self._dispatch(without)
            for unit in UnitId:
                while unit != without and self._execute_head(unit):
                    progress = True
            happened = happened or progress
        return happened

    def _dispatch(self, without: int) -> bool:
        begin = self._next
        while self._next < len(self._units):
            unit = self._units[self._next]
            if unit == UnitId.SEQUENCER or len(self._queues[unit]) >= self._depth:
                break
            self._queues[unit].append(self._next)
            self._next += 1
        return self._next != begin

    def _execute_head(self, unit: int) -> bool:
        index = self.head(unit)
        if index == _NOBODY or self.missing_tokens(index) or self.lacks(index):
            return False
        for producer in self._waits[index]:
            self.tokens[producer][unit] -= 1
        if self._opcodes[index] == Opcode.WLOAD:
            self.loaded += 1
        elif self._opcodes[index] == Opcode.MATMUL:
            flags = self._flags[index]
            self.swapped += bool(flags & Flag.SWAP)
            self.released += bool(flags & self._releasing)
        for consumer in self._posts[index]:
            self.tokens[unit][consumer] += 1
        if unit == UnitId.SEQUENCER:
            self._next += 1
        else:
            self._queues[unit].popleft()
        return True

    def missing_tokens(self, index: int) -> list[int]:
        """The producers that an instruction waits for."""
        unit = self._units[index]
        return [producer for producer in self._waits[index] if not self.tokens[producer][unit]]

    def lacks(self, index: int) -> str:
        """What else an instruction waits for, or nothing."""
        if self._opcodes[index] == Opcode.WLOAD:
            # Tile t leaves the FIFO when tile t - 1 has been released.
            tile = self.loaded - self._slots
            if tile > self.released:
                return f"a slot of the weight FIFO, which tile {tile} holds until tile {tile - 1} is released"
        elif self._opcodes[index] == Opcode.MATMUL and self._flags[index] & Flag.SWAP:
            if self.loaded <= self.swapped:
                return f"the weights of tile {self.swapped}, which has not been loaded"
            if self.released < self.swapped:
                return f"the weights of tile {self.swapped}: tile {self.swapped - 1} has not been released"
        return ""

    def explain(self) -> str:
        """Who waits for whom."""
        parts = []
        if self._next < len(self._units) and self._units[self._next] != UnitId.SEQUENCER:
            queue = unit_name(self._units[self._next])
            parts.append(
                f"sequencer waits for room in the queue of {queue} for {name(self.program, self._next)}"
            )
        for unit in UnitId:
            index = self.head(unit)
            if index == _NOBODY:
                continue
            wants = [f"a token of {unit_name(producer)}" for producer in self.missing_tokens(index)]
            wants += [self.lacks(index)] if self.lacks(index) else []
            parts.append(f"{name(self.program, index)} waits for {' and '.join(wants)}")
        return "; ".join(parts)


def check_progress(program: Program, machine: SystolicMachine) -> None:
    """Every instruction is executed, with the queues and the weight FIFO of this machine.

    Raises:
        DeadlockError: who waits for whom.
    """
    replay = Replay(program, machine)
    replay.run()
    if not replay.finished:
        raise DeadlockError(f"deadlock: {replay.explain()}")
