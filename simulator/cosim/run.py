"""Runs a Program in the SystemVerilog core and turns its event log into a Trace."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulator.cosim.build import build, wave_format
from simulator.cosim.images import Memories, read_images, write_images
from simulator.cosim.parameters import parameters_of, run_time_inputs
from simulator.errors import DeadlockError
from simulator.isa import Opcode, UnitId, units_of
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.trace import EVENT_DTYPE, SHIFT_DTYPE, STALL_DTYPE, Trace

MISSING = -1  # an instruction that was never dispatched, never started or has not ended
_DISPATCH, _SHIFT, _DONE = 12, 13, 6  # bits of a record of the event log; starts begin at bit 0


@dataclass(frozen=True)
class RtlRun:
    """What the core did and what it left.

    The events' ``busy_end`` is ``end``, since the RTL has no strobe for it, and stalls are not recorded.
    """

    machine: SystolicMachine
    trace: Trace
    memories: Memories
    halted: bool
    unmatched: int  # starts or ends beyond those of the Program's instructions
    rtl_cycles: int
    seconds: float


def run_program_rtl(
    machine: SystolicMachine,
    program: Program,
    memories: Memories,
    *,
    mutant: int = 0,
    seed: int = 1,
    max_cycles: int | None = None,
    wave: Path | None = None,
    pe_instances: bool = False,
    need_halt: bool = True,
    interrupt: int = 0,
) -> RtlRun:
    """Execute a Program in RTL, from memories with the given contents.

    ``wave``: the file to write the waveform to, .fst or .vcd. ``interrupt``: after so many cycles a reset,
    and all over again. ``seed``: of the registers at power-up, 0 for all zero. ``mutant``: a seeded fault.

    Raises:
        ConfigError: another suffix; there is no Verilator.
        OutOfDomain: the core cannot be built for this machine.
        DeadlockError: HALT has not ended after ``max_cycles`` (and ``need_halt``).
    """
    parameters = parameters_of(machine, program, pe_instances=pe_instances)
    binary = build(parameters, wave=wave_format(wave))
    arguments = {**run_time_inputs(machine, program), "mutant": mutant, "seed": seed}
    arguments["interrupt"] = interrupt
    arguments["max_cycles"] = max_cycles or 1_000_000_000
    with tempfile.TemporaryDirectory(prefix="pulsetrain-rtl-") as name:
        folder = Path(name)
        write_images(folder, machine, program, memories)
        command = [str(binary), f"dir={folder}", *(f"{key}={value}" for key, value in arguments.items())]
        if wave is not None:
            command.append(f"wave={wave}")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 3):
            said = done.stderr.strip()[-500:] or f"exit status {done.returncode}"  # negative: of a signal
            raise DeadlockError(f"rtl: the simulation failed: {said}")
        report = json.loads(done.stdout.splitlines()[-1])
        if need_halt and not report["halted"]:
            raise DeadlockError(f"rtl: HALT has not ended after {report['cycles']} cycles")
        log = np.fromfile(folder / "events.out", "<u8")
        after = read_images(folder, machine, program, memories)
    trace, unmatched = trace_of(machine, program, log)
    return RtlRun(
        machine,
        trace,
        after,
        bool(report["halted"]),
        unmatched,
        report["cycles"],
        report["seconds"],
    )


def trace_of(machine: SystolicMachine, program: Program, log: np.ndarray) -> tuple[Trace, int]:
    """The event log as a Trace: the k-th start (end) of a unit is that of its k-th instruction."""
    cycles, bits = (log >> np.uint64(16)).astype(np.int64), log & np.uint64(0xFFFF)

    def at(bit: int) -> np.ndarray:
        found: np.ndarray = cycles[(bits >> np.uint64(bit)) & np.uint64(1) == 1]
        return found

    events = np.zeros(len(program), EVENT_DTYPE)
    events["instruction"] = np.arange(len(program))
    events["unit"] = units = units_of(program.records)
    unmatched = 0
    for column in ("dispatch", "start", "busy_end", "end"):
        events[column] = MISSING
    everything = np.arange(len(program))
    columns = [(everything, "dispatch", at(_DISPATCH))]
    for unit in UnitId:
        own = np.flatnonzero(units == unit)
        columns += [(own, "start", at(unit)), (own, "end", at(_DONE + unit) + 1)]
    for own, column, found in columns:
        count = min(len(own), len(found))
        events[column][own[:count]] = found[:count]
        unmatched += len(found) - count
    events["busy_end"] = events["end"]

    shifts = np.zeros(0, SHIFT_DTYPE)
    first_lines = at(_SHIFT)
    loads = np.flatnonzero(program.records["opcode"] == Opcode.WLOAD)
    if len(first_lines):
        shifts = np.zeros(min(len(loads), len(first_lines)), SHIFT_DTYPE)
        shifts["wload"], shifts["matmul"] = loads[: len(shifts)], MISSING
        shifts["start"] = first_lines[: len(shifts)]
        shifts["end"] = shifts["start"] + machine.matrix_unit.rows
    total = int(events["end"][-1])
    return Trace(events, shifts, np.zeros(0, STALL_DTYPE), total, "rtl", machine.clock.mhz), unmatched
