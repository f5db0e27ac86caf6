"""One Program on one machine: its Trace, or its cycles alone."""

from __future__ import annotations

from ctypes import byref, c_int64
from typing import NamedTuple, NoReturn

import numpy as np

from simulator.errors import DeadlockError, ProgramError
from simulator.fast import core, fallback
from simulator.fast.core import Outcome
from simulator.fast.machine import packed
from simulator.fast.numbers import numbers_of, structure_of
from simulator.fast.program import BITS, Prepared, as_records, prepare
from simulator.isa import UNIT_NAMES, Opcode, Records, UnitId, units_of
from simulator.machines.arguments import check_systolic
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import address
from simulator.trace import EVENT_DTYPE, SHIFT_DTYPE, STALL_DTYPE, Columns, Trace

ENGINE = "fast"
_BITS_ADDRESS = address(BITS)
NEVER = -1  # the start of an instruction that has not started


class Run(NamedTuple):
    """What has happened."""

    outcome: Outcome
    cycles: int
    events: Columns
    shifts: Columns
    stalls: Columns


def simulate(machine: SystolicMachine, records: Records | Prepared) -> Trace:
    """What happens when a Program is run to the end of its HALT; the same Trace as the event engine's.

    Raises:
        ProgramError: HALT is missing or ends before another instruction has ended.
        DeadlockError: no unit can make progress.
        OutOfDomain: more instructions or cycles than can be counted.
        ConfigError: the machine is not systolic, or there are no records.
    """
    check_systolic(machine)
    prepared = prepare(records)
    run = _run(machine, prepared)
    if run.outcome != Outcome.DONE:
        _refuse(prepared, run)
    return Trace(run.events, run.shifts, run.stalls, run.cycles, ENGINE, machine.clock.mhz)


def cycles(machine: SystolicMachine, records: Records | Prepared) -> int:
    """The cycles of a Program, without a Trace.

    Raises:
        ProgramError, DeadlockError, OutOfDomain, ConfigError: as ``simulate``.
    """
    check_systolic(machine)
    native = core.native()
    if native is not None:
        found = c_int64()
        if not isinstance(records, Prepared):
            records = as_records(records)
            at = records.ctypes.data
            outcome = native.cycles_of(len(records), at, _BITS_ADDRESS, packed(machine), byref(found))
        else:
            outcome = native.cycles(records.address, packed(machine), byref(found))
        if outcome == Outcome.DONE:
            return found.value
    return simulate(machine, records).cycles


def _run(machine: SystolicMachine, prepared: Prepared) -> Run:
    native = core.native()
    if native is None:
        core.say_once()
        return _in_python(machine, prepared)
    n = len(prepared)
    events = np.empty(n, dtype=EVENT_DTYPE)
    events["start"] = NEVER
    tiles = int(prepared.count[prepared.kinds["opcode"] == Opcode.WLOAD].sum())
    shifts = np.empty(tiles, dtype=SHIFT_DTYPE)
    room = _room(prepared, tiles)
    stalls = np.empty(int(room.sum()), dtype=STALL_DTYPE)
    found = np.zeros(3, dtype=np.int64)
    into = map(address, (events, shifts, stalls, room, found))
    outcome = Outcome(native.simulate(prepared.address, packed(machine), *into))
    if outcome == Outcome.NO_MEMORY:
        raise MemoryError("no memory for the queues of the fast engine")
    if outcome == Outcome.REFUSED:
        return _in_python(machine, prepared)  # says why
    ended, n_shifts, n_stalls = found.tolist()
    return Run(outcome, ended, events, shifts[:n_shifts].copy(), stalls[:n_stalls].copy())


def _in_python(machine: SystolicMachine, prepared: Prepared) -> Run:
    return Run(*fallback.simulate(prepared, structure_of(machine), numbers_of(machine, prepared)))


def _room(prepared: Prepared, tiles: int) -> np.ndarray:
    """How many stalls each unit may have: one or two per instruction, and at the end one more."""
    n = len(prepared)
    of_unit = np.bincount(units_of(prepared.kinds), weights=prepared.count, minlength=len(UnitId))
    room = 2 * of_unit.astype(np.int64) + 1
    room[UnitId.SEQUENCER] = n + 1
    return np.append(room, tiles + 1)


def _refuse(prepared: Prepared, run: Run) -> NoReturn:
    """Says why a Program does not end, or not with HALT."""
    records, ended = prepared.records, run.cycles
    units = units_of(records)

    def name(i: int) -> str:
        return f"instruction {i} ({Opcode(int(records['opcode'][i])).name})"

    never = run.events["start"] == NEVER
    if run.outcome == Outcome.DEADLOCK:
        i = int(np.argmax(never))
        raise DeadlockError(f"deadlock: {name(i)} of {UNIT_NAMES[UnitId(units[i])]} can never start")
    late = never | (run.events["end"] > ended)
    if late.any():
        i = int(np.argmax(late))
        unit = UNIT_NAMES[UnitId(units[i])]
        raise ProgramError(
            f"HALT ends in cycle {ended} before {name(i)} of {unit} has ended: "
            "HALT has to wait for the last instruction of every unit"
        )
    wload = int(run.shifts["wload"][np.argmax(run.shifts["end"] > ended)])
    raise ProgramError(
        f"HALT ends in cycle {ended} while the weights of {name(wload)} enter the array: no MATMUL uses them"
    )
