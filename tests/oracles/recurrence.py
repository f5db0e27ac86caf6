"""The timing of a Program as a recurrence: ``docs/timing.md``, formula by formula.

Simple and obviously right, not fast. Nothing is simulated: every cycle is the maximum of the cycles it has to
wait for. An instruction may wait for one that comes later in the Program, so the formulas are applied again
and again, to whatever they can be applied to, until nothing is left or nothing changes (a deadlock).

Shares nothing with the engines but the primitives of ``simulator.timing``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.isa import UNIT_OF_OPCODE, Flag, Opcode, Records, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.timing import array_times, instruction_times, releases_at_swap, weight_release
from simulator.trace import REASONS, WEIGHT_SHIFTER, Stall


@dataclass(frozen=True)
class Condition:
    """A wait for ``cycle``, in the words of the stall table; lists of them are in the order of that table."""

    cycle: int
    reason: Stall
    cause: int = -1
    cause_unit: int = 0


@dataclass
class Tile:
    """A weight tile: its WLOAD, the MATMULs that swap it in and release it, its first line's cycle."""

    wload: int
    swap: int | None
    release: int | None
    shift: int | None = None
    waits: list[Condition] = field(default_factory=list)


class Deadlock(Exception):
    """The formulas cannot be applied to the instructions that are left."""


class Recurrence:
    """Times of one Program on one machine; ``None`` is a time that is not known yet."""

    def __init__(self, machine: SystolicMachine, records: Records) -> None:
        self.machine, self.records = machine, records
        self.n = n = len(records)
        self.array = array_times(machine)
        times = instruction_times(machine, records)
        self.occupancy = [int(cycles) for cycles in times.occupancy]
        self.latency = [int(cycles) for cycles in times.latency]
        self.opcode = [Opcode(int(opcode)) for opcode in records["opcode"]]
        self.flags = [Flag(int(flags)) for flags in records["flags"]]
        self.unit = [UNIT_OF_OPCODE[opcode] for opcode in self.opcode]
        self.of_unit = {unit: [i for i in range(n) if self.unit[i] == unit] for unit in UnitId}
        self.dispatch: list[int | None] = [None] * n
        self.start: list[int | None] = [None] * n
        self.end: list[int | None] = [None] * n
        self.waits: list[list[Condition]] = [[] for _ in range(n)]
        self.producers = self._match_tokens()
        self.tiles = self._tiles()

    def _match_tokens(self) -> list[list[int | None]]:
        """Who posts the tokens each instruction consumes: the k-th wait of a pair gets its k-th post."""
        found: list[list[int | None]] = [[] for _ in range(self.n)]
        for consumer in UnitId:
            for producer in UnitId:
                posts = [i for i in self.of_unit[producer] if int(self.records["post"][i]) >> consumer & 1]
                waits = [i for i in self.of_unit[consumer] if int(self.records["wait"][i]) >> producer & 1]
                for k, i in enumerate(waits):
                    found[i].append(posts[k] if k < len(posts) else None)
        return found

    def _tiles(self) -> list[Tile]:
        matmuls = [i for i in range(self.n) if self.opcode[i] == Opcode.MATMUL]
        swaps = [i for i in matmuls if Flag.SWAP in self.flags[i]]
        releases = (
            swaps if releases_at_swap(self.machine) else [i for i in matmuls if Flag.RELEASE in self.flags[i]]
        )

        def at(found: list[int], j: int) -> int | None:
            return found[j] if j < len(found) else None

        return [
            Tile(wload, at(swaps, j), at(releases, j))
            for j, wload in enumerate(self.of_unit[UnitId.WEIGHT_LOADER])
        ]

    def solve(self) -> Recurrence:
        """Apply the formulas until every time is known.

        Raises:
            Deadlock: they cannot be.
        """
        progress = True
        while progress:
            progress = False
            for i in range(self.n):
                progress |= self._solve_dispatch(i)
                progress |= self._solve_start(i)
            for j in range(len(self.tiles)):
                progress |= self._solve_shift(j)
        stuck = [i for i in range(self.n) if self.start[i] is None]
        if stuck:
            raise Deadlock(f"instructions {stuck}")
        return self

    def _solve_dispatch(self, i: int) -> bool:
        if self.dispatch[i] is not None or (i > 0 and self.dispatch[i - 1] is None):
            return False
        earliest = 0 if i == 0 else self._known(self.dispatch[i - 1]) + 1
        j = self.slot_taken_from(i)
        if j is not None:
            if self.start[j] is None:
                return False
            earliest = max(earliest, self._known(self.start[j]) + 1)
        self.dispatch[i] = earliest
        return True

    def slot_taken_from(self, i: int) -> int | None:
        """The instruction ``queue_depth`` places earlier in the same queue."""
        same = self.of_unit[self.unit[i]]
        place = same.index(i) - self.machine.sequencer.queue_depth
        return same[place] if place >= 0 and self.unit[i] != UnitId.SEQUENCER else None

    def _solve_start(self, i: int) -> bool:
        if self.start[i] is not None or self.dispatch[i] is None:
            return False
        same = self.of_unit[self.unit[i]]
        previous = same[same.index(i) - 1] if same.index(i) > 0 else None
        free = 0
        if previous is not None:
            if self.start[previous] is None:
                return False
            free = self._known(self.start[previous]) + self.occupancy[previous]
        conditions = self._conditions(i, previous)
        if conditions is None:
            return False
        visible = self._known(self.dispatch[i]) + 1
        start = max([free, visible, *(condition.cycle for condition in conditions)])
        self.start[i], self.waits[i] = start, conditions
        self.end[i] = start + self.latency[i]
        if previous is not None:
            self.end[i] = max(start + self.latency[i], self._known(self.end[previous]) + 1)
        return True

    def _conditions(self, i: int, previous: int | None) -> list[Condition] | None:
        """What instruction i waits for beyond its queue and its unit; None while a cycle is not known."""
        found = []
        for producer in self.producers[i]:
            if producer is None or self.end[producer] is None:
                return None
            found.append(
                Condition(self._known(self.end[producer]), Stall.TOKEN, producer, self.unit[producer])
            )
        found.sort(key=lambda condition: condition.cause_unit)

        if self.opcode[i] == Opcode.WLOAD:
            j = self.of_unit[UnitId.WEIGHT_LOADER].index(i) - self.machine.weight_fifo.depth_tiles
            if j >= 0:
                holder = self.tiles[j]
                if holder.shift is None:
                    return None
                freed = holder.shift + self.array.weight_lines
                found.append(Condition(freed, Stall.WEIGHT_FIFO, holder.wload, WEIGHT_SHIFTER))

        earlier = [k for k in range(i) if self.opcode[k] == Opcode.MATMUL]
        if self.opcode[i] == Opcode.MATMUL and Flag.SWAP in self.flags[i]:
            tile = next((tile for tile in self.tiles if tile.swap == i), None)
            if tile is None or tile.shift is None:
                return None
            in_place = tile.shift + self.array.weights_before_rows - self.array.operand
            found.append(Condition(in_place, Stall.WEIGHTS, tile.wload, WEIGHT_SHIFTER))
        adds = Flag.ACCUMULATE in self.flags[i] and self.machine.matrix_unit.dataflow in ("ws", "is")
        if self.opcode[i] == Opcode.MATMUL and adds and earlier:
            written = self._known(self.start[earlier[-1]]) + self.array.accumulate
            found.append(Condition(written, Stall.ACCUMULATE, earlier[-1], UnitId.MATRIX))
        if self.opcode[i] == Opcode.DRAIN and earlier:
            found.append(
                Condition(self._known(self.end[earlier[-1]]), Stall.ARRAY, earlier[-1], UnitId.MATRIX)
            )

        if self.unit[i] == UnitId.DMA and previous is not None:
            ended = self._known(self.end[previous])
            if (self.flags[i] ^ self.flags[previous]) & Flag.HOST:
                found.append(Condition(ended, Stall.MEMORY_SWITCH, previous, UnitId.DMA))
        return found

    def _solve_shift(self, j: int) -> bool:
        tile = self.tiles[j]
        if tile.shift is not None or self.end[tile.wload] is None:
            return False
        waits = [
            Condition(self._known(self.end[tile.wload]), Stall.WEIGHTS, tile.wload, UnitId.WEIGHT_LOADER)
        ]
        free = 0
        if j > 0:
            before = self.tiles[j - 1]
            if before.shift is None or before.release is None or self.start[before.release] is None:
                return False
            free = before.shift + self.array.weight_lines
            rows = int(self.records["rows"][before.release])
            released = self._known(self.start[before.release]) + weight_release(self.machine, rows)
            waits.append(Condition(released, Stall.WEIGHT_RELEASE, before.release, UnitId.MATRIX))
        tile.shift = max([free, *(wait.cycle for wait in waits)])
        tile.waits = waits
        return True

    @staticmethod
    def _known(cycle: int | None) -> int:
        assert cycle is not None
        return cycle

    @property
    def cycles(self) -> int:
        return self._known(self.end[-1])

    @property
    def busy_end(self) -> list[int]:
        return [self._known(start) + busy for start, busy in zip(self.start, self.occupancy, strict=True)]

    @property
    def shifts(self) -> list[tuple[int, int, int, int]]:
        """(WLOAD, MATMUL or -1, start, end) of every tile that reaches the array."""
        return [
            (
                tile.wload,
                -1 if tile.swap is None else tile.swap,
                tile.shift,
                tile.shift + self.array.weight_lines,
            )
            for tile in self.tiles
            if tile.shift is not None
        ]


Interval = tuple[int, int, int, int, int, int, int]  # STALL_DTYPE


def stalls(times: Recurrence) -> list[Interval]:
    """Every waiting interval, charged as ``docs/timing.md`` says at its end, ordered by unit and start."""
    found: list[Interval] = []

    def add(unit: int, start: int, end: int, instruction: int, why: Condition) -> None:
        if end > start:
            found.append(
                (unit, start, end, REASONS.index(why.reason), instruction, why.cause, why.cause_unit)
            )

    dispatch = [times._known(cycle) for cycle in times.dispatch]
    start = [times._known(cycle) for cycle in times.start]
    free = dict.fromkeys([*UnitId, WEIGHT_SHIFTER], 0)
    held = Condition(0, Stall.QUEUE)
    halt = times.n - 1
    for i, unit in enumerate(times.unit):
        slot = times.slot_taken_from(i)
        if slot is not None and dispatch[i] > free[UnitId.SEQUENCER]:
            held = Condition(dispatch[i], Stall.QUEUE, slot, unit)
            add(UnitId.SEQUENCER, free[UnitId.SEQUENCER], dispatch[i], i, held)
        free[UnitId.SEQUENCER] = dispatch[i] + 1

        visible = dispatch[i] + 1
        empty = Condition(visible, Stall.DISPATCH, -1, UnitId.SEQUENCER)
        if held.cycle > free[unit]:
            empty = Condition(visible, Stall.DISPATCH, held.cause, held.cause_unit)
        add(unit, free[unit], visible, -1, empty)
        last = max(times.waits[i], key=lambda wait: wait.cycle, default=None)
        if last is not None:
            add(unit, max(free[unit], visible), start[i], i, last)
        free[unit] = start[i] + times.occupancy[i]

    for tile in times.tiles:
        if tile.shift is not None:
            last = max(tile.waits, key=lambda wait: wait.cycle)
            add(WEIGHT_SHIFTER, free[WEIGHT_SHIFTER], tile.shift, tile.wload, last)
            free[WEIGHT_SHIFTER] = tile.shift + times.array.weight_lines
    for unit, cycle in free.items():
        add(unit, cycle, times.cycles, -1, Condition(times.cycles, Stall.FINISHED, halt, UnitId.SEQUENCER))
    return sorted(found)
