"""Reads of what nothing has written, and accesses to the same lines that no token orders."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn, final

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.isa import UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space
from simulator.validate.clocks import Clock, Clocks
from simulator.validate.messages import fail, name, unit_name
from simulator.validate.placements import SPILL, extent, written_by_host
from simulator.validate.regions import (
    ACCUMULATORS,
    BUFFER,
    FIELD_NAMES,
    MEMORY_NAMES,
    OFF_CHIP,
    REGION_DTYPE,
    WHOLE_LINE,
)

Marks = npt.NDArray[Any]


class _Region(NamedTuple):
    """A record of REGION_DTYPE."""

    instruction: int
    memory: int
    write: bool
    field: int
    base: int
    panels: int
    length: int
    stride: int
    sub: int
    adds: bool

    def of(self, marks: Marks) -> Marks:
        """A view of all rows of ``marks`` at the region's granules; three axes where panels have gaps."""
        if self.panels == 1:
            return marks[:, self.base : self.base + self.length]
        size = marks.itemsize
        return np.ndarray(
            (len(marks), self.panels, self.length),
            marks.dtype,
            buffer=marks,
            offset=self.base * size,
            strides=(marks.strides[0], self.stride * size, size),
        )

    def first(self, found: Marks) -> int:
        """The granule of the first True in (panels, length) or (length,)."""
        panel, at = divmod(int(np.argmax(found)), self.length)
        return self.base + panel * self.stride + at


assert _Region._fields == REGION_DTYPE.names


@final
class _Lines:
    """One on-chip memory: who wrote and who read each granule (accumulators: line) last."""

    def __init__(self, size: int, sub_lines: int, writers: tuple[int, ...], readers: tuple[int, ...]) -> None:
        self.writers, self.readers = writers, readers
        # The number, within its unit, of the last instruction that wrote (read) it; 0: none did.
        self.written = np.zeros((len(writers), size), np.int32)
        self.read = np.zeros((len(readers), size), np.int32)
        self.ever = np.zeros((sub_lines, size), np.bool_)  # written at all, by sub-line


def check_order(program: Program, machine: SystolicMachine, regions: Marks) -> None:
    """Follow all accesses in program order.

    Raises:
        ProgramError: a read before any write, a race, a HALT that does not wait for all units, or a carried
            tensor that is not stored.
    """
    _Order(program, machine, regions).check()


@final
class _Order:
    """What has been written and read so far, and by whom."""

    def __init__(self, program: Program, machine: SystolicMachine, regions: Marks) -> None:
        self.program, self.machine = program, machine
        self.clocks = Clocks(program)
        self.unit, self.number = 0, 0  # of the instruction being looked at
        self.known: Clock = ()
        self.regions = [_Region._make(region) for region in regions.tolist()]
        writers = (UnitId.DMA, UnitId.VECTOR, UnitId.TRANSPOSER)
        readers = (UnitId.DMA, UnitId.WEIGHT_LOADER, UnitId.MATRIX, UnitId.VECTOR, UnitId.TRANSPOSER)
        subs = machine.line_elements // machine.matrix_unit.cols
        self.on_chip = {
            BUFFER: _Lines(machine.buffer_granules, 1, writers, readers),
            ACCUMULATORS: _Lines(machine.accumulators.lines, subs, (UnitId.MATRIX,), (UnitId.VECTOR,)),
        }
        self.off_chip = [np.zeros((1, program.memory_granules.get(space, 0)), np.bool_) for space in Space]
        for placement in written_by_host(program):
            first, end = extent(placement, machine)
            self.off_chip[placement.space][0, first:end] = True

    def check(self) -> None:
        regions = iter(self.regions)
        region = next(regions, None)
        for index, unit in enumerate(self.clocks.units):
            self.unit = unit
            self.number, self.known = self.clocks.step(index)
            while region is not None and region.instruction == index:
                self._access(region)
                region = next(regions, None)
        self._check_halt()
        self._check_results()

    def _access(self, region: _Region) -> None:
        if region.memory >= OFF_CHIP:
            # The one DMA unit accesses these memories in order, so a write before the read is enough.
            ever = region.of(self.off_chip[region.memory - OFF_CHIP])
            if region.write:
                ever[...] = True
            elif not ever.all():
                self._unwritten(region, ~ever[0])
        elif region.write:
            self._write(self.on_chip[region.memory], region)
        else:
            self._read(self.on_chip[region.memory], region)

    def _read(self, lines: _Lines, region: _Region) -> None:
        ever = region.of(lines.ever)
        written: Marks = ever[0] if len(ever) == 1 else np.any(ever, axis=0)
        if not written.all():
            self._unwritten(region, ~written)
        self._must_know(region, lines.writers, region.of(lines.written), "written", itself=True)
        region.of(lines.read)[lines.readers.index(self.unit)] = self.number

    def _write(self, lines: _Lines, region: _Region) -> None:
        sub = 0 if region.sub == WHOLE_LINE else region.sub
        ever = region.of(lines.ever)
        if region.adds and not ever[sub].all():
            self._unwritten(region, ~ever[sub])
        ever[sub] = True
        written = region.of(lines.written)
        self._must_know(region, lines.writers, written, "written", itself=False)
        self._must_know(region, lines.readers, region.of(lines.read), "read", itself=False)
        written[lines.writers.index(self.unit)] = self.number

    def _must_know(
        self, region: _Region, units: tuple[int, ...], last: Marks, done: str, itself: bool
    ) -> None:
        """Everything that was ``done`` to the region is known to have ended; ``itself``: by this unit, too.

        What a unit writes comes after all that it has read and written before.
        """
        latest = last.max(axis=tuple(range(1, last.ndim))).tolist()
        for row, unit in enumerate(units):
            if latest[row] > self.known[unit] and (itself or unit != self.unit):
                found = last[row] > self.known[unit]
                other = self.clocks.issued[unit][int(last[row][found][0]) - 1]
                self._race(region, region.first(found), other, done)

    def _race(self, region: _Region, at: int, other: int, done: str) -> NoReturn:
        verb = "writes" if region.write else "reads"
        raise ProgramError(
            f"race: {name(self.program, region.instruction)} {verb} {_where(region, at)} before "
            f"{name(self.program, other)} is known to have {done} it"
        )

    def _unwritten(self, region: _Region, found: Marks) -> NoReturn:
        field = FIELD_NAMES[region.field]
        text = f"{field}: reads {_where(region, region.first(found))}, which nothing has written"
        fail(self.program, region.instruction, text)

    def _check_halt(self) -> None:
        """HALT, the last instruction, starts after every unit's last one has ended."""
        halt = len(self.clocks.units) - 1
        for unit, issued in enumerate(self.clocks.issued):
            if issued and unit != UnitId.SEQUENCER and self.known[unit] < len(issued):
                running = name(self.program, issued[self.known[unit]])
                fail(self.program, halt, f"wait: {running} of {unit_name(unit)} may still be running")

    def _check_results(self) -> None:
        """The next step finds every line of its carried tensors, and no result is stored in part."""
        for placement in self.program.placements:
            first, end = extent(placement, self.machine)
            stored = self.off_chip[placement.space][0, first:end]
            carried = placement.space is Space.HBM_NEXT
            if not stored.all() and (carried or stored.any()) and not placement.path.startswith(SPILL):
                at = first + int(np.argmin(stored))
                raise ProgramError(
                    f"{placement.path!r} in {placement.space.name} is not stored at address {at} "
                    f"(it lies in {first} to {end - 1})"
                )


def _where(region: _Region, at: int) -> str:
    kind = "line" if region.memory == ACCUMULATORS else "granule"
    return f"{kind} {at} of {MEMORY_NAMES[region.memory]}"
