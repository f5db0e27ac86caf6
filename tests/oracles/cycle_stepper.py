"""A naive stepper: the whole core as registers, one clock at a time. It stands in for the RTL.

In every cycle all units decide from the current state alone; then the clock edge makes the next state. Times
are observed (written down when something happens), never computed from other times.

Shares nothing with the engines but the primitives of ``simulator.timing``.
"""

from __future__ import annotations

from simulator.isa import UNIT_OF_OPCODE, Flag, Opcode, Records, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.timing import array_times, instruction_times, releases_at_swap, weight_release

UNITS = list(UnitId)


class Deadlock(Exception):
    """Nothing moves any more and HALT has not ended."""


class DelayLine:
    """A shift register: what enters in cycle t with delay d leaves at the edge into cycle t + d."""

    def __init__(self) -> None:
        self.stages: list[list[int]] = []  # [edges still to pass, what]

    def enter(self, delay: int, what: int) -> None:
        assert delay >= 1
        self.stages.append([delay, what])

    def edge(self) -> list[int]:
        for stage in self.stages:
            stage[0] -= 1
        leaving = [what for left, what in self.stages if left == 0]
        self.stages = [stage for stage in self.stages if stage[0] > 0]
        return leaving


class Stepper:
    """Registers of the core, and a log of what was observed."""

    def __init__(self, machine: SystolicMachine, records: Records) -> None:
        self.machine = machine
        self.records = records
        self.array = array_times(machine)
        times = instruction_times(machine, records)
        self.occupancy, self.latency = times.occupancy.tolist(), times.latency.tolist()
        self.opcode = [Opcode(opcode) for opcode in records["opcode"].tolist()]
        self.flags = records["flags"].tolist()
        self.unit = [UNIT_OF_OPCODE[opcode] for opcode in self.opcode]
        n = len(records)
        # The log.
        self.dispatch, self.start, self.end, self.busy_end = [-1] * n, [-1] * n, [-1] * n, [-1] * n
        self.shift_start: dict[int, int] = {}
        self.shift_end: dict[int, int] = {}
        self.swapped_by: dict[int, int] = {}
        # Registers.
        self.cycle = 0
        self.pc = 0
        self.queue: dict[UnitId, list[int]] = {unit: [] for unit in UNITS}
        self.tokens = {(producer, consumer): 0 for producer in UNITS for consumer in UNITS}
        self.executing: dict[UnitId, int] = {}
        self.busy = dict.fromkeys(UNITS, 0)  # cycles until the unit is free
        self.flight: dict[UnitId, list[list[int]]] = {
            unit: [] for unit in UNITS
        }  # [edges to pass, instruction]
        self.last_memory = 0
        self.accumulate_wait = 0
        self.free_slots = machine.weight_fifo.depth_tiles
        self.whole_tiles: list[int] = []
        self.release_credits = 1
        self.tiles_in_place: list[int] = []
        self.shifting: list[int] = []  # [tile, lines left], or nothing
        self.tile_filling, self.releasing, self.settling = DelayLine(), DelayLine(), DelayLine()
        self.first_line, self.last_line, self.slot_return = DelayLine(), DelayLine(), DelayLine()

    # Decisions: functions of the current state alone.

    def decide_dispatch(self) -> int | None:
        if self.pc == len(self.records):
            return None
        room = len(self.queue[self.unit[self.pc]]) < self.machine.sequencer.queue_depth
        return self.pc if room or self.opcode[self.pc] == Opcode.HALT else None

    def decide_issue(self, unit: UnitId) -> int | None:
        if not self.queue[unit] or self.busy[unit]:
            return None
        i = self.queue[unit][0]
        wait = int(self.records["wait"][i])
        if any(wait >> producer & 1 and self.tokens[producer, unit] == 0 for producer in UNITS):
            return None
        match self.opcode[i]:
            case Opcode.LOAD | Opcode.STORE:
                ready = self.last_memory == self.flags[i] & Flag.HOST or not self.flight[unit]
            case Opcode.WLOAD:
                ready = self.free_slots > 0
            case Opcode.MATMUL:
                adds = self.flags[i] & Flag.ACCUMULATE and self.machine.matrix_unit.dataflow != "os"
                ready = not (adds and self.accumulate_wait)
                ready &= not (self.flags[i] & Flag.SWAP) or bool(self.tiles_in_place)
            case Opcode.DRAIN:
                ready = all(self.opcode[other] != Opcode.MATMUL for _, other in self.flight[unit])
            case _:
                ready = True
        return i if ready else None

    def decide_shift(self) -> int | None:
        if self.shifting or not self.whole_tiles or not self.release_credits:
            return None
        return self.whole_tiles[0]

    # The clock.

    def run(self) -> Stepper:
        """Clock until HALT has ended.

        Raises:
            Deadlock: it never will.
        """
        while self.end[-1] < 0:
            self.clock()
        return self

    def clock(self) -> None:
        dispatched = self.decide_dispatch()
        issued = {unit: i for unit in UNITS if (i := self.decide_issue(unit)) is not None}
        tile = self.decide_shift()
        if dispatched is None and not issued and tile is None and not self.something_counts():
            raise Deadlock(f"cycle {self.cycle}")

        self.count_down()
        for unit, i in issued.items():
            self.apply_issue(unit, i)
        self.apply_shift(tile)
        if dispatched is not None:
            self.dispatch[dispatched] = self.cycle
            self.queue[self.unit[dispatched]].append(dispatched)
            self.pc += 1
        self.note_free_units()
        self.retire()
        self.delay_lines()
        self.cycle += 1

    def something_counts(self) -> bool:
        lines = (
            self.tile_filling,
            self.releasing,
            self.settling,
            self.first_line,
            self.last_line,
            self.slot_return,
        )
        counting = any(self.busy.values()) or any(self.flight.values()) or bool(self.shifting)
        return counting or self.accumulate_wait > 0 or any(line.stages for line in lines)

    def count_down(self) -> None:
        for unit in UNITS:
            self.busy[unit] = max(0, self.busy[unit] - 1)
        self.accumulate_wait = max(0, self.accumulate_wait - 1)

    def apply_issue(self, unit: UnitId, i: int) -> None:
        self.start[i] = self.cycle
        self.queue[unit].pop(0)
        for producer in UNITS:
            if int(self.records["wait"][i]) >> producer & 1:
                self.tokens[producer, unit] -= 1
        self.busy[unit] = self.occupancy[i] - 1
        self.executing[unit] = i
        self.flight[unit].append([self.latency[i], i])
        match self.opcode[i]:
            case Opcode.LOAD | Opcode.STORE:
                self.last_memory = self.flags[i] & Flag.HOST
            case Opcode.WLOAD:
                self.free_slots -= 1
                self.tile_filling.enter(self.array.weight_lines, i)
            case Opcode.MATMUL:
                self.apply_matmul(i)

    def apply_matmul(self, i: int) -> None:
        self.accumulate_wait = self.array.accumulate - 1
        if self.flags[i] & Flag.SWAP:
            self.swapped_by[self.tiles_in_place.pop(0)] = i
        if self.flags[i] & (Flag.SWAP if releases_at_swap(self.machine) else Flag.RELEASE):
            to_array = self.array.operand
            self.releasing.enter(weight_release(self.machine, int(self.records["rows"][i])) - to_array, i)

    def apply_shift(self, tile: int | None) -> None:
        """One line leaves the FIFO's read pipeline per cycle; it is as long as a row's way to the array."""
        if tile is not None:
            self.whole_tiles.pop(0)
            self.release_credits -= 1
            self.shifting = [tile, self.array.weight_lines]
            self.first_line.enter(self.array.operand, tile)
            self.settling.enter(self.array.weights_before_rows, tile)
        if self.shifting:
            self.shifting[1] -= 1
            if self.shifting[1] == 0:
                self.last_line.enter(self.array.operand + 1, self.shifting[0])
                self.slot_return.enter(self.array.operand + 1, self.shifting[0])
                self.shifting = []

    def note_free_units(self) -> None:
        for unit, i in list(self.executing.items()):
            if self.busy[unit] == 0:
                self.busy_end[i] = self.cycle + 1
                del self.executing[unit]

    def retire(self) -> None:
        """The oldest instruction of each unit ends, if it is done: in order, one a cycle."""
        for unit in UNITS:
            for entry in self.flight[unit]:
                entry[0] -= 1
            if self.flight[unit] and self.flight[unit][0][0] <= 0:
                _, i = self.flight[unit].pop(0)
                self.end[i] = self.cycle + 1
                for consumer in UNITS:
                    if int(self.records["post"][i]) >> consumer & 1:
                        self.tokens[unit, consumer] += 1

    def delay_lines(self) -> None:
        self.whole_tiles += self.tile_filling.edge()
        self.release_credits += len(self.releasing.edge())
        self.tiles_in_place += self.settling.edge()
        self.free_slots += len(self.slot_return.edge())
        for tile in self.first_line.edge():
            self.shift_start[tile] = self.cycle + 1
        for tile in self.last_line.edge():
            self.shift_end[tile] = self.cycle + 1

    @property
    def shifts(self) -> list[tuple[int, int, int, int]]:
        """(WLOAD, MATMUL or -1, start, end) of every tile that has reached the array."""
        return [
            (wload, self.swapped_by.get(wload, -1), start, self.shift_end[wload])
            for wload, start in self.shift_start.items()
            if wload in self.shift_end
        ]
