"""The report of a wrong value: the instruction that was first, its element, both values, what is around."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import numpy as np
import pytest

from simulator.api.cosim import against_models
from simulator.cosim.divergence import bit_report
from simulator.cosim.locate import STROBE_TO_MEMORY, until_cycle
from simulator.cosim.run import run_program_rtl
from simulator.cosim.writes import NOBODY, last_writers, target_of
from simulator.isa import Opcode
from simulator.systolic import simulate
from tests.cosim.directed import panels_with_gaps
from tests.cosim.random_pairs import random_case
from tests.cosim.support import Case, final, initial, step_case
from tests.support.machines import small_machine

FIRST = re.compile(
    r"wrong from cycle (\d+) on: .*; first in time: (\d+) (\w+).* of (\w+), (?:panel (\d+), )?row (\d+), "
    r"element (\d+) \((.+), byte \d+\): (0x\w+) \(.+\) in RTL, (0x\w+) \(.+\) in the model"
)
CASES = {"4x4": lambda: random_case(1, "4x4"), "os": lambda: random_case(1, "os"), "gaps": panels_with_gaps}


def prefix(case: Case, count: int) -> Case:
    """The first instructions of a Program."""
    names = ("records", "operation", "traffic", "macs", "tensor")
    return case._replace(
        program=replace(case.program, **{name: getattr(case.program, name)[:count] for name in names})
    )


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_an_instruction_changes_bytes_of_its_target_alone(dataflow: str) -> None:
    """The interpreter, instruction by instruction, is what the targets are held to."""
    machine = small_machine(rows=4, cols=2, lanes=2, dataflow=dataflow)
    touched: set[tuple[Opcode, str]] = set()
    for case in (step_case(machine, (5, 3), 3, "sgd"), panels_with_gaps()):
        after = initial(case).named()
        for index in range(len(case.program)):
            before, after = after, final(prefix(case, index + 1), None).named()
            target = target_of(case.program, case.machine, index)
            changed = {name: np.flatnonzero(before[name] != after[name]) for name in after}
            if target is None:
                assert not any(len(found) for found in changed.values())
                continue
            elements = target.elements()
            first_bytes = elements[elements >= 0]
            own = (first_bytes[:, None] + np.arange(1 << target.item)).ravel()
            for name, found in changed.items():
                assert set(found) <= (set(own) if name == target.memory else set())
            opcode = Opcode(int(case.program.records["opcode"][index]))
            ends = {"first": own[: 1 << target.item], "last": own[-(1 << target.item) :]}
            for end, places in ends.items():
                if np.isin(places, changed[target.memory]).any():
                    touched.add((opcode, end))
    writing = {Opcode.LOAD, Opcode.STORE, Opcode.TRANSPOSE, Opcode.VEC}
    writing.add(Opcode.DRAIN if dataflow == "os" else Opcode.MATMUL)
    assert touched == {(opcode, end) for opcode in writing for end in ("first", "last")}


@pytest.mark.parametrize("name", CASES)
def test_nothing_differs_in_the_middle_of_an_honest_run(name: str) -> None:
    case = CASES[name]()
    model = simulate(case.machine, case.program.records)
    for cycle in random.Random(name).sample(range(model.cycles), 8):
        run = run_program_rtl(
            case.machine, case.program, initial(case), max_cycles=cycle + STROBE_TO_MEMORY, need_halt=False
        )
        done, events = until_cycle(case.program, model, cycle)
        expected = final(case._replace(program=done), events)
        found = bit_report(case.machine, case.program, model, run.memories, expected, cycle)
        assert found == ("", NOBODY), cycle


def located(case: Case, mutant: int) -> tuple[str, re.Match[str]]:
    """The report on a seeded fault, and its first line taken apart."""
    arguments = case.machine, case.program, None, case.inputs, case.scalars
    comparison, _ = against_models(*arguments, mutant=mutant)
    assert comparison.bit_mismatches and not comparison.cycle_mismatches
    found = FIRST.match(comparison.report)
    assert found, comparison.report
    return comparison.report, found


def test_the_first_wrong_element_is_named() -> None:
    """A LOAD that ignores the stride between its panels is right in its first panel."""
    case = panels_with_gaps()
    report, found = located(case, 26)
    cycle, index, opcode, unit, panel, row, element, memory, rtl, model = found.groups()
    end = simulate(case.machine, case.program.records).events["end"][0]
    assert (index, opcode, unit, panel, row, element) == ("0", "LOAD", "dma", "1", "0", "0")
    assert (int(cycle), memory) == (end, "unified buffer") and rtl != model
    lines = report.splitlines()
    assert sum(line.startswith("> panel 1, row 0, element 0") for line in lines) == 1
    assert sum(line.startswith("! panel 1, row 0, element") for line in lines) == 3
    assert sum(line.startswith("> 0 LOAD") for line in lines) == 1
    assert any(line.startswith("  1 STORE") for line in lines)


@pytest.mark.parametrize(
    ("build", "seed", "mutant", "opcode"),
    [("4x4", 0, 18, "MATMUL"), ("4x4", 0, 20, "MATMUL"), ("os", 1, 2, "DRAIN")],
    ids=["array rows exchanged", "accumulate dropped", "fma rounds ties up"],
)
def test_a_fault_of_the_array_is_found_in_the_array(build: str, seed: int, mutant: int, opcode: str) -> None:
    """Though at the end of the run its results have been overwritten, and what was made of them is wrong."""
    case = random_case(seed, build)
    report, found = located(case, mutant)
    cycle, index, shown, unit, *_, memory, rtl, model = found.groups()
    assert (shown, unit, memory) == (opcode, "matrix_unit", "accumulators")
    events = simulate(case.machine, case.program.records).events
    assert int(events["end"][int(index)]) == int(cycle)
    if mutant == 20:
        assert case.program.records["flags"][int(index)] & 8
    if mutant == 2:  # one unit in the last place
        assert abs(int(rtl, 16) - int(model, 16)) == 1
    assert report.count("\n>") == 2


def test_bytes_that_nobody_writes_are_said() -> None:
    case = panels_with_gaps()
    model, expected = simulate(case.machine, case.program.records), final(case, None)
    sizes = {name: len(data) for name, data in expected.named().items()}
    writers = last_writers(case.program, case.machine, model, sizes)["unified buffer"]
    place = int(np.flatnonzero(writers == NOBODY)[0])
    expected.buffer[place] ^= 1
    report, index = bit_report(case.machine, case.program, model, final(case, None), expected)
    assert index == NOBODY and f"unified buffer, byte {place}: 0x" in report
