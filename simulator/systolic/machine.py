"""Wires the units of the systolic core together and runs a Program on them."""

from __future__ import annotations

from simpy.core import StopSimulation

from simulator.errors import DeadlockError
from simulator.isa import UNIT_NAMES, Records, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.systolic.clock import Clock
from simulator.systolic.deadlock import explain
from simulator.systolic.dma import Dma
from simulator.systolic.matrix_unit import MatrixUnit
from simulator.systolic.queues import InstructionQueue
from simulator.systolic.recorder import Recorder
from simulator.systolic.sequencer import Sequencer
from simulator.systolic.stream import decode_stream
from simulator.systolic.tokens import Counter
from simulator.systolic.transposer import Transposer
from simulator.systolic.unit import Completions, Unit
from simulator.systolic.vector_unit import VectorUnit
from simulator.systolic.weight_fifo import WeightLoader, weight_fifo
from simulator.systolic.weight_shifter import WeightShifter
from simulator.trace import WEIGHT_SHIFTER, Stall, Trace


def build(clock: Clock, machine: SystolicMachine, recorder: Recorder) -> tuple[Unit, ...]:
    """The units in the order of their numbers, connected; the first is the sequencer."""
    depth = machine.sequencer.queue_depth
    if recorder.stream.halt >= 0:
        depth = min(depth, recorder.stream.halt + 1)
    queues: dict[int, InstructionQueue] = {
        unit: InstructionQueue(clock, UnitId.SEQUENCER, unit, depth)
        for unit in UNIT_NAMES
        if unit != UnitId.SEQUENCER
    }
    # tokens[consumer][producer]
    units = tuple(UnitId)
    tokens = [[Counter(clock, Stall.TOKEN, producer) for producer in units] for _ in units]
    completions = [Completions(clock, recorder, [tokens[to][unit] for to in units]) for unit in units]
    fifo = weight_fifo(clock, machine.weight_fifo.depth_tiles)
    in_place = Counter(clock, Stall.WEIGHTS, WEIGHT_SHIFTER)
    released = Counter(clock, Stall.WEIGHT_RELEASE, UnitId.MATRIX, credits_at_reset=1)

    def ports(unit: UnitId) -> tuple[Clock, Recorder, InstructionQueue, list[Counter], Completions]:
        return clock, recorder, queues[unit], tokens[unit], completions[unit]

    return (
        Sequencer(clock, recorder, queues, tokens[UnitId.SEQUENCER], completions[UnitId.SEQUENCER]),
        Dma(*ports(UnitId.DMA)),
        WeightLoader(*ports(UnitId.WEIGHT_LOADER), fifo),
        MatrixUnit(*ports(UnitId.MATRIX), machine, in_place, released),
        VectorUnit(*ports(UnitId.VECTOR)),
        Transposer(*ports(UnitId.TRANSPOSER)),
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
    units = build(clock, machine, recorder)
    processes = [clock.process(unit.run()) for unit in units]
    processes[UnitId.SEQUENCER].callbacks.append(StopSimulation.callback)
    clock.run_all()
    if processes[UnitId.SEQUENCER].is_alive:
        raise DeadlockError(explain(clock.now, units, recorder.stream))
    recorder.check_complete(clock.now)
    for unit in units:
        unit.finish(clock.now, recorder.stream.halt, UnitId.SEQUENCER)
