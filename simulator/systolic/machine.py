"""Wires the units of the systolic core together and runs a Program on them."""

from __future__ import annotations

from simpy.core import StopSimulation

from simulator.errors import DeadlockError
from simulator.isa import UNIT_NAMES, Records, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.systolic.clock import Clock, UnitProcess
from simulator.systolic.deadlock import explain
from simulator.systolic.dma import Dma
from simulator.systolic.matrix_unit import MatrixUnit
from simulator.systolic.queues import instruction_queue
from simulator.systolic.recorder import Recorder
from simulator.systolic.sequencer import Sequencer
from simulator.systolic.stream import decode_stream
from simulator.systolic.tokens import Counter, Tokens
from simulator.systolic.transposer import Transposer
from simulator.systolic.unit import Ports, Unit
from simulator.systolic.vector_unit import VectorUnit
from simulator.systolic.weight_fifo import WeightLoader, weight_fifo
from simulator.systolic.weight_shifter import WeightShifter
from simulator.trace import WEIGHT_SHIFTER, Stall, Trace


def build(clock: Clock, machine: SystolicMachine, recorder: Recorder, tokens: Tokens) -> tuple[Unit, ...]:
    """The units in the order of their numbers, connected; the first is the sequencer."""
    depth, count = machine.sequencer.queue_depth, recorder.stream.count
    ports = {
        unit: Ports(clock, recorder, unit, instruction_queue(clock, unit, min(depth, count[unit])), tokens)
        for unit in UNIT_NAMES
        if unit != UnitId.SEQUENCER
    }
    fifo = weight_fifo(clock, machine.weight_fifo.depth_tiles)
    in_place = Counter(clock, Stall.WEIGHTS, WEIGHT_SHIFTER)
    released = Counter(clock, Stall.WEIGHT_RELEASE, UnitId.MATRIX, credits_at_reset=1)
    return (
        Sequencer(clock, recorder, {unit: port.queue for unit, port in ports.items()}, tokens),
        Dma(ports[UnitId.DMA]),
        WeightLoader(ports[UnitId.WEIGHT_LOADER], fifo),
        MatrixUnit(ports[UnitId.MATRIX], machine, in_place, released),
        VectorUnit(ports[UnitId.VECTOR]),
        Transposer(ports[UnitId.TRANSPOSER]),
        WeightShifter(clock, recorder, machine, fifo, released, in_place),
    )


def simulate(machine: SystolicMachine, records: Records) -> Trace:
    """Run a Program to the end of its HALT.

    Raises:
        ProgramError: HALT is missing or ends before another instruction has ended.
        DeadlockError: no unit can make progress; says who waits for what.
    """
    recorder = Recorder(decode_stream(machine, records))
    clock = Clock()
    run(clock, machine, recorder)
    return recorder.trace(clock.now, machine.clock.mhz)


def run(clock: Clock, machine: SystolicMachine, recorder: Recorder) -> None:
    """Let all units run; the recorder has everything then, and the clock is at the end.

    Raises:
        ProgramError, DeadlockError: as ``simulate``.
    """
    tokens = Tokens(clock)
    units = build(clock, machine, recorder, tokens)
    runs = [unit.run() for unit in units]
    processes = [UnitProcess(clock, waits) for waits in runs]
    processes[UnitId.SEQUENCER].callbacks.append(StopSimulation.callback)
    clock.run_all()
    if processes[UnitId.SEQUENCER].is_alive:
        raise DeadlockError(explain(clock, units, tokens, recorder.stream))
    recorder.check_complete(clock.now)
    for unit in units:
        unit.finish(clock.now, recorder.stream.halt, UnitId.SEQUENCER)
    for waits in runs:
        waits.close()  # so that a unit and its process do not refer to each other: no garbage to be found
