"""Seeded faults: the C sources with one rule broken; comparing with the SimPy engine has to find each.

The product has no hook for this: a copy of the sources is changed and compiled.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from simulator import fast, systolic
from simulator.fast import core
from tests.agreement.fast_cases import Outcome, difference, library, run
from tests.agreement.test_event_agreement import case
from tests.unit.systolic.programs import Assembler, make_machine

SOURCES = Path(core.__file__).with_name("native")
CASES = [(make_machine(), Assembler().finish()), *map(case, range(60))]  # the first is HALT alone

# What stands in the sources, and what is put in its place.
CYCLES = {
    "a queue slot is refilled at once": ("MOST(s->ready[l], slot[l] + 1)", "MOST(s->ready[l], slot[l])"),
    "issue in the cycle of dispatch": ("MOST(slot[l] + 1, unit->free[l])", "MOST(slot[l], unit->free[l])"),
    "HALT in the cycle of its dispatch": ("start[l] = s->ready[l] + 1", "start[l] = s->ready[l]"),
    "two instructions retire in one cycle": ("unit->end[l] + 1)", "unit->end[l])"),
    "memories do not wait for each other": ("^ x.flags) & HOST", "^ x.flags) & 0"),
    "the adder is waited for until the end": ("start[l] + s->adder[l]", "end[l]"),
    "DRAIN does not wait for the array": ("s->results[l] = end[l]", "s->results[l] = 0"),
    "every release comes with the swap": ("x.flags & s->is->releasing", "x.flags & SWAP"),
    "a tile has a line less": ("first[l] + (TIME)s->is->lines", "first[l] + (TIME)s->is->lines - 1"),
    "a tile is shifted before it is whole": ("EACH slot[l] = end[l];", "EACH slot[l] = start[l];"),
    "a release takes no time": ("released[l] = start[l] + release[l]", "released[l] = start[l]"),
    "os waits for an adder too": ("x.flags & ADD && s->is->adds", "x.flags & ADD"),
    "kinds forget the rows": ("r->rows & of[4]", "0"),
    "the host link is as fast as memory": ("host ? HOST_NUMERATOR : HBM_NUMERATOR", "HBM_NUMERATOR"),
    "a STORE takes the memory's latency": ("k->opcode == STORE ? READ : host", "host"),
    "weights are not waited for": ("LARGER(0, ahead)", "0"),
    "registers are free at once": ("LARGER(0, late)", "0"),
    "iterative functions are pipelined": ("* OF(iterative)[l] + 1", "+ OF(ALU)[l]"),
    "reductions are pipelined": ("rows * row + m->beats[l]", "rows * m->beats[l]"),
}
# One machine is timed with integers, many side by side with doubles.
ONE = {"transfers are rounded down": ("(x + y - 1) / y", "x / y")}
MANY = {"doubles are rounded to the nearest": ("rounded * y < x ? rounded + 1 : rounded", "rounded")}
ACCOUNT = {
    "of two waits in one cycle the later is charged": ("met[0] > start[0]", "met[0] >= start[0]"),
    "an empty queue is charged to an old wait": ("held->until > free)", "held->until >= 0)"),
    "the wrong tile is swapped in": ("shifts[tile].matmul = matmul", "shifts[0].matmul = matmul"),
    "no unit is ever finished": ("if (idle < cycles)", "if (idle < 0)"),
}
FAULTS = {"none": ("", ""), **CYCLES, **ONE, **MANY, **ACCOUNT}


@cache
def expected() -> list[Outcome]:
    return [run(systolic.simulate, *pair) for pair in CASES]


@pytest.fixture(scope="module")
def compiler() -> str:
    for name in ("cc", "gcc", "clang"):
        if path := shutil.which(name):
            return path
    pytest.fail("no C compiler: the faults are compiled into copies of the fast engine")


def compile_with(old: str, new: str, compiler: str, directory: Path) -> Path:
    """The library of the sources with one change."""
    places = 0
    for source in SOURCES.iterdir():
        text = source.read_text()
        if old:
            places += text.count(old)
            text = text.replace(old, new)
        (directory / source.name).write_text(text)
    assert places == bool(old), f"{old!r} stands in {places} places"
    target = directory / "changed.so"
    sources = sorted(map(str, directory.glob("*.c")))
    command = [compiler, "-std=gnu11", "-fPIC", "-shared", "-o", str(target), *sources]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_rule_is_seen(name: str, compiler: str, tmp_path: Path) -> None:
    traces = cycles = many = 0
    with library(core.Native(compile_with(*FAULTS[name], compiler, tmp_path))):
        for (machine, records), outcome in zip(CASES, expected(), strict=True):
            traces += bool(difference(outcome, run(fast.simulate, machine, records)))
            if not isinstance(outcome, Exception):
                cycles += fast.cycles(machine, records) != outcome.cycles
                many += fast.cycles_over([machine], records)[0] != outcome.cycles
    assert (traces > 0) == (name in {**CYCLES, **ONE, **ACCOUNT})
    assert (cycles > 0) == (name in {**CYCLES, **ONE})
    assert (many > 0) == (name in {**CYCLES, **MANY})
