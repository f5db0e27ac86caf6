"""Every row of the table in docs/timing.md, measured on the RTL: one instruction alone, start to end."""

from __future__ import annotations

import pytest

from simulator.cosim.run import run_program_rtl
from simulator.isa import Flag, Function, Opcode, UnitId
from simulator.timing import instruction_times
from tests.cosim.random_pairs import BUILDS, QUICK
from tests.cosim.raw_programs import program_of
from tests.cosim.support import VECTOR, Case, initial
from tests.support.machines import small_machine
from tests.unit.systolic.programs import Assembler


def measured(build: str, *instructions: dict[str, int]) -> tuple[list[int], list[int]]:
    """Distances of the starts of instructions one after the other, in the RTL and by ``timing``.

    The last one's latency is checked here.
    """
    fields = {**VECTOR, **BUILDS[build]}
    # At most as many lines per cycle as the random pairs' builds move.
    machine = small_machine(**fields, hbm={"bytes_per_cycle": "15/2"})
    program = Assembler()
    for instruction in instructions:
        fields = dict(instruction)
        program.add(Opcode(fields.pop("opcode")), flags=Flag(fields.pop("flags", 0)), **fields)
    case = Case(machine, program_of(program.finish()), {}, [])
    events = run_program_rtl(machine, case.program, initial(case), max_cycles=100_000).trace.events
    times = instruction_times(machine, case.program.records)
    last = len(instructions) - 1
    assert events["end"][last] - events["start"][last] == times.latency[last]
    gaps = (events["start"][1 : last + 1] - events["start"][:last]).tolist()
    return gaps, times.occupancy[:last].tolist()


@pytest.mark.parametrize("build", QUICK)
@pytest.mark.parametrize("flags", (Flag.NONE, Flag.HOST))
@pytest.mark.parametrize("opcode", (Opcode.LOAD, Opcode.STORE))
def test_transfers(build: str, opcode: Opcode, flags: Flag) -> None:
    for item, rows, panels in ((0, 1, 1), (1, 5, 2), (2, 3, 3)):
        one = {"opcode": opcode, "flags": flags, "item": item, "rows": rows, "panels": panels}
        gaps, occupancy = measured(build, one, one, one)
        assert gaps == occupancy


@pytest.mark.parametrize("build", QUICK)
def test_array(build: str) -> None:
    if BUILDS[build].get("dataflow") == "os":
        matmul = {"opcode": Opcode.MATMUL, "item": 1, "rows": 7}
        gaps, occupancy = measured(build, matmul, matmul)
        assert gaps == occupancy
        measured(build, matmul, {"opcode": Opcode.DRAIN, "rows": 1})
        return
    wload = {"opcode": Opcode.WLOAD, "item": 1}
    matmul = {"opcode": Opcode.MATMUL, "item": 1, "rows": 9}
    first = {**matmul, "flags": Flag.SWAP | Flag.RELEASE}
    gaps, occupancy = measured(build, wload, first, matmul, matmul)
    assert gaps[1:] == occupancy[1:]


@pytest.mark.parametrize("build", QUICK)
def test_transpose(build: str) -> None:
    for rows, tail in ((1, 1), (4, 2), (3, 4)):
        one = {"opcode": Opcode.TRANSPOSE, "rows": rows, "tail": tail, "item": 2, "dst": 64}
        gaps, occupancy = measured(build, one, one)
        assert gaps == occupancy


@pytest.mark.parametrize("build", QUICK)
def test_vector(build: str) -> None:
    for function in Function:
        one = {"opcode": Opcode.VEC, "function": function, "rows": 3, "panels": 2, "dst": 1024, "item": 2}
        gaps, occupancy = measured(build, one, one)
        assert gaps == occupancy, function.name


def test_halt() -> None:
    program = Assembler()
    program.add(Opcode.LOAD)
    case = Case(small_machine(rows=4, cols=4, lanes=4, **VECTOR), program_of(program.finish()), {}, [])
    events = run_program_rtl(case.machine, case.program, initial(case)).trace.events
    assert events["unit"][-1] == UnitId.SEQUENCER
    assert events["start"][-1] == events["end"][0] and events["end"][-1] == events["start"][-1] + 1
