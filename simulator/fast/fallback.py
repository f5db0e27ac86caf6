"""The pass of ``native/merge.h`` in Python, for want of a C compiler: the same cycles, much slower."""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import Any, Final, NamedTuple, final

import numpy as np

from simulator.fast.core import Outcome
from simulator.fast.numbers import Numbers, Structure
from simulator.fast.program import Prepared
from simulator.isa import Flag, Opcode, UnitId, units_of
from simulator.trace import EVENT_DTYPE, REASONS, SHIFT_DTYPE, STALL_DTYPE, WEIGHT_SHIFTER, Columns, Stall

NOBODY: Final = -1
_CODE: Final = {reason: code for code, reason in enumerate(REASONS)}
_SEQUENCER, _DMA = int(UnitId.SEQUENCER), int(UnitId.DMA)
_LOADER, _MATRIX = int(UnitId.WEIGHT_LOADER), int(UnitId.MATRIX)
_WLOAD, _MATMUL, _DRAIN = int(Opcode.WLOAD), int(Opcode.MATMUL), int(Opcode.DRAIN)
_HOST, _ADD, _SWAP = int(Flag.HOST), int(Flag.ACCUMULATE), int(Flag.SWAP)


class Wait(NamedTuple):
    """Something that is waited for: met in ``cycle``, charged to the rest."""

    cycle: int
    cause: int
    reason: int = 0
    unit: int = 0


@final
class Queue:
    """An issue unit and its queue."""

    def __init__(self, depth: int) -> None:
        self.entries: deque[tuple[int, int, Wait]] = deque()  # instruction, dispatch, what held that back
        self.rooms: deque[tuple[int, int]] = deque(repeat((0, NOBODY), depth))  # cycle, instruction
        self.free = self.end = 0
        self.latest = NOBODY


@final
class Merge:
    """All units; each goes on while what it waits for is known."""

    def __init__(self, prepared: Prepared, structure: Structure, numbers: Numbers) -> None:
        instructions = prepared.instructions
        self.n, self.structure = len(prepared), structure
        self.opcode, self.flags = instructions["opcode"].tolist(), instructions["flags"].tolist()
        self.wait, self.post = instructions["wait"].tolist(), instructions["post"].tolist()
        self.unit = units_of(prepared.records).tolist()
        kinds = instructions["kind"]
        times = (numbers.occupancy, numbers.latency, numbers.release)
        self.occupancy, self.latency, self.release = (cycles[kinds].tolist() for cycles in times)
        self.in_place_after, self.adder, self.operand = numbers.in_place, numbers.adder, numbers.operand
        self.queues = [Queue(structure.queue_depth) for _ in UnitId]
        self.tokens: list[list[deque[Wait]]] = [[deque() for _ in UnitId] for _ in UnitId]
        self.slots: deque[Wait] = deque(repeat(Wait(0, NOBODY), structure.fifo_depth))
        self.tiles: deque[Wait] = deque()  # whole, in the FIFO
        self.in_place: deque[Wait] = deque()
        self.released: deque[Wait] = deque([Wait(0, NOBODY)])
        self.matmul, self.written, self.results = NOBODY, 0, 0
        self.next = self.ready = self.shifter_free = self.swapped = 0
        self.held = Wait(0, NOBODY)
        self.cycles: int | None = None
        self.events = [(i, unit, -1, -1, -1, -1) for i, unit in enumerate(self.unit)]
        self.shifts: list[list[int]] = []
        self.stalls: list[tuple[int, int, int, int, int, int, int]] = []

    def run(self) -> Outcome:
        """Everything that can happen, until HALT ends."""
        progress = True
        while progress:
            progress = self.dispatch() or self.shift()
            for unit in range(_DMA, WEIGHT_SHIFTER):
                while self.issue(unit):
                    progress = True
        if self.cycles is None:
            return Outcome.DEADLOCK
        # What the shifter has not decided when HALT ends does not happen.
        last = self.cycles + self.operand
        self.shifts = [shift for shift in self.shifts if shift[2] <= last]
        self.stalls = [stall for stall in self.stalls if stall[0] != WEIGHT_SHIFTER or stall[2] <= last]
        waiting = any(queue.entries for queue in self.queues)
        late = any(queue.end > self.cycles for queue in self.queues)
        if waiting or late or (self.shifts and self.shifts[-1][3] > self.cycles):
            return Outcome.UNFINISHED
        return Outcome.DONE

    def dispatch(self) -> bool:
        """The next instruction, into the queue of its unit."""
        i = self.next
        if i >= self.n - 1:
            return i < self.n and self.halt(i)
        queue = self.queues[self.unit[i]]
        if not queue.rooms:
            return False
        room, issued = queue.rooms.popleft()
        if room > self.ready:
            self.held = Wait(room, issued, _CODE[Stall.QUEUE], self.unit[i])
            self.stall(_SEQUENCER, self.ready, self.held, i)
        queue.entries.append((i, max(self.ready, room), self.held))
        self.ready = max(self.ready, room) + 1
        self.next += 1
        return True

    def halt(self, i: int) -> bool:
        tokens = self.tokens_of(i, _SEQUENCER)
        if tokens is None:
            return False
        start = self.charge(_SEQUENCER, self.ready + 1, tokens, i)
        self.cycles = start + self.latency[i]
        self.events[i] = (i, _SEQUENCER, self.ready, start, start + self.occupancy[i], self.cycles)
        for producer, queue in enumerate(self.tokens[_SEQUENCER]):
            if self.wait[i] >> producer & 1:
                queue.popleft()
        self.next += 1
        return True

    def tokens_of(self, i: int, unit: int) -> list[Wait] | None:
        """The tokens that an instruction takes, or None while one is not there."""
        queues = [queue for producer, queue in enumerate(self.tokens[unit]) if self.wait[i] >> producer & 1]
        return [queue[0] for queue in queues] if all(queues) else None

    def issue(self, unit: int) -> bool:
        """The head of a queue, if all that it waits for is known."""
        queue = self.queues[unit]
        if not queue.entries:
            return False
        i, dispatch, held = queue.entries[0]
        waits = self.tokens_of(i, unit)
        if waits is None or not self.has_tile(i):
            return False
        for producer, tokens in enumerate(self.tokens[unit]):
            if self.wait[i] >> producer & 1:
                tokens.popleft()
        waits += self.own_waits(i, queue)
        visible = dispatch + 1
        if visible > queue.free:
            cause, by = (held.cause, held.unit) if held.cycle > queue.free else (NOBODY, _SEQUENCER)
            self.stall(unit, queue.free, Wait(visible, cause, _CODE[Stall.DISPATCH], by), NOBODY)
        start = self.charge(unit, max(queue.free, visible), waits, i)
        queue.entries.popleft()
        queue.rooms.append((start + 1, i))
        queue.free, queue.latest = start + self.occupancy[i], i
        queue.end = max(start + self.latency[i], queue.end + 1)
        self.events[i] = (i, unit, dispatch, start, queue.free, queue.end)
        for consumer in range(WEIGHT_SHIFTER):
            if self.post[i] >> consumer & 1:
                self.tokens[consumer][unit].append(Wait(queue.end, i, _CODE[Stall.TOKEN], unit))
        if self.opcode[i] == _WLOAD:
            self.tiles.append(Wait(queue.end, i, _CODE[Stall.WEIGHTS], _LOADER))
        elif self.opcode[i] == _MATMUL:
            self.matmul, self.written, self.results = i, start + self.adder, queue.end
            if self.flags[i] & self.structure.releasing:
                freed = start + self.release[i]
                self.released.append(Wait(freed, i, _CODE[Stall.WEIGHT_RELEASE], _MATRIX))
        while self.shift():
            pass
        return True

    def has_tile(self, i: int) -> bool:
        """Whether a WLOAD knows of its slot, and a MATMUL of its tile."""
        if self.opcode[i] == _WLOAD:
            return bool(self.slots)
        return self.opcode[i] != _MATMUL or not self.flags[i] & _SWAP or bool(self.in_place)

    def own_waits(self, i: int, queue: Queue) -> list[Wait]:
        """What the unit's own earlier instructions and its own counters impose."""
        opcode, flags, found = self.opcode[i], self.flags[i], []
        if opcode == _WLOAD:
            found.append(self.slots.popleft())
        elif opcode == _MATMUL:
            if flags & _SWAP:
                found.append(self.in_place.popleft())
                self.shifts[self.swapped][1] = i
                self.swapped += 1
            if flags & _ADD and self.structure.adds:
                found.append(Wait(self.written, self.matmul, _CODE[Stall.ACCUMULATE], _MATRIX))
        elif opcode == _DRAIN:
            found.append(Wait(self.results, self.matmul, _CODE[Stall.ARRAY], _MATRIX))
        elif self.unit[i] == _DMA and queue.latest != NOBODY and (self.flags[queue.latest] ^ flags) & _HOST:
            found.append(Wait(queue.end, queue.latest, _CODE[Stall.MEMORY_SWITCH], _DMA))
        return found

    def shift(self) -> bool:
        """The next tile, into the array."""
        if not self.tiles or not self.released:
            return False
        tile = self.tiles.popleft()
        first = self.charge(WEIGHT_SHIFTER, self.shifter_free, [tile, self.released.popleft()], tile.cause)
        self.shifter_free = first + self.structure.lines
        self.shifts.append([tile.cause, NOBODY, first, self.shifter_free])
        in_place = first + self.in_place_after
        self.in_place.append(Wait(in_place, tile.cause, _CODE[Stall.WEIGHTS], WEIGHT_SHIFTER))
        self.slots.append(Wait(self.shifter_free, tile.cause, _CODE[Stall.WEIGHT_FIFO], WEIGHT_SHIFTER))
        return True

    def charge(self, unit: int, since: int, waits: list[Wait], instruction: int) -> int:
        """When all waits are met; the wait is charged to the last, of those in one cycle to the first."""
        last = max(waits, key=lambda wait: wait.cycle, default=Wait(since, NOBODY))
        self.stall(unit, since, last, instruction)
        return max(since, last.cycle)

    def stall(self, unit: int, start: int, wait: Wait, instruction: int) -> None:
        if wait.cycle > start:
            self.stalls.append((unit, start, wait.cycle, wait.reason, instruction, wait.cause, wait.unit))

    def finish(self, cycles: int) -> None:
        """Closes the account with what no unit waits for."""
        free = [cycles, *(queue.free for queue in self.queues[_DMA:])]
        free.append(self.shifts[-1][3] if self.shifts else 0)
        for unit, idle in enumerate(free):
            end = Wait(cycles, self.n - 1, _CODE[Stall.FINISHED], _SEQUENCER)
            self.stall(unit, idle, end, NOBODY)


def simulate(
    prepared: Prepared, structure: Structure, numbers: Numbers
) -> tuple[Outcome, int, Columns, Columns, Columns]:
    """How it ended, cycles, events, shifts, stalls."""
    merge = Merge(prepared, structure, numbers)
    outcome = merge.run()
    cycles = merge.cycles or 0
    if outcome == Outcome.DONE:
        merge.finish(cycles)
    events: Any = np.array(merge.events, dtype=EVENT_DTYPE)
    shifts = np.array([tuple(shift) for shift in merge.shifts], dtype=SHIFT_DTYPE)
    stalls = np.array(sorted(merge.stalls), dtype=STALL_DTYPE)
    return outcome, cycles, events, shifts, stalls
