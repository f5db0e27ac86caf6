"""A Program that goes through compiler, checks and engines in parts has the metrics of the whole one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator import fast, systolic
from simulator.api import timed
from simulator.api.gemm import gemm, gemm_graph
from simulator.api.timed import time_in_parts
from simulator.compiler import compile_graph, compile_parts
from simulator.errors import CheckError, OutOfDomain, ProgramError
from simulator.graph import Graph
from simulator.isa import Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.metrics import measure
from simulator.program import LongProgram, Program
from simulator.validate import Validation, follow
from tests.agreement.fast_cases import library, training_graph
from tests.agreement.test_compiler_native import random_machine
from tests.support.command import call
from tests.support.machines import small_machine
from tests.unit.validate.test_validate_queues import crowd

ENGINES = {"fast": fast.simulate, "event": systolic.simulate}
STEP = ("step", "--machine", "edge_8x8", "--inputs", "40", "--hidden", "30", "--outputs", "4", "--json")


def cases() -> Iterator[tuple[Graph, SystolicMachine]]:
    rng = random.Random(3)
    for number in range(9):
        if number % 3:
            widths = tuple(rng.choice([1, 3, 16, 33]) for _ in range(rng.randint(2, 4)))
            graph = training_graph(widths, rng.choice([1, 13, 33]), rng.choice(["sgd", "adam"]))
        else:
            graph = gemm_graph(*(rng.choice([1, 9, 33, 50]) for _ in range(3)), False, True, "bfloat16")
        yield graph, random_machine(rng)


@pytest.mark.parametrize("engine", ENGINES)
def test_metrics_are_those_of_the_whole(engine: str) -> None:
    for number, (graph, machine) in enumerate(cases()):
        program = compile_graph(graph, machine)
        whole = measure(machine, program, ENGINES[engine](machine, program.records))
        parts = time_in_parts(graph, machine, engine, part=(60, 300, 1000)[number % 3])
        assert parts.metrics == whole
        assert parts.instructions == len(program)


def test_the_command_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for engine in ENGINES:
        whole = call(*STEP, "--engine", engine).json
        with monkeypatch.context() as patch:
            patch.setattr(timed, "LONG", 64)
            patch.setattr(timed, "PART", 100)
            in_parts = call(*STEP, "--engine", engine, terminal=True)
        assert in_parts.json == whole and whole["instructions"] > 3 * 100
        assert "instruction" in in_parts.err  # the progress bar


def test_a_gemm_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = small_machine()
    whole = gemm(machine, 40, 90, 70, engine="fast")
    monkeypatch.setattr(timed, "LONG", 64)
    monkeypatch.setattr(timed, "PART", 65)
    assert gemm(machine, 40, 90, 70, engine="fast") == whole


def with_part(monkeypatch: pytest.MonkeyPatch, number: int, change: Any) -> None:
    """The compiler makes a mistake in one part."""

    def wrong(graph: Graph, machine: SystolicMachine, part: int) -> LongProgram:
        program = compile_parts(graph, machine, part)

        def parts() -> Iterator[Program]:
            for index, each in enumerate(program.parts):
                if index == number:
                    change(each.records)
                yield each

        return replace(program, parts=parts())

    monkeypatch.setattr(timed, "compile_parts", wrong)


def first(records: Any, opcode: Opcode) -> int:
    return int(np.argmax(records["opcode"] == opcode))


def lose_tokens(records: Any) -> None:
    records["wait"] = 0


def shift_operand(records: Any) -> None:
    records["src0"][first(records, Opcode.MATMUL)] += 4096


def end_early(records: Any) -> None:
    records["opcode"][10] = Opcode.HALT


def skip_swap(records: Any) -> None:
    records["flags"][first(records, Opcode.MATMUL)] = 0


FAULTS = {
    lose_tokens: "race: an access that is not known to have ended conflicts with it|a token is left over",
    shift_operand: "reads what nothing has written",
    end_early: "HALT is instruction 10|flags",
    skip_swap: "breaks a rule of weight tiles",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_one_part_is_found(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, machine = training_graph((33, 40, 9), 20, "adam"), small_machine()
    time_in_parts(graph, machine, "fast", part=100)
    with_part(monkeypatch, 2, fault)
    message = f"check program: the compiled train is not valid: .*({FAULTS[fault]})"
    with pytest.raises(CheckError, match=message):
        time_in_parts(graph, machine, "fast", part=100)


def halves(program: Program) -> LongProgram:
    columns = ("records", "operation", "traffic", "macs", "tensor")
    middle = len(program) // 2
    parts = (
        replace(program, **{name: getattr(program, name)[part] for name in columns})
        for part in (slice(0, middle), slice(middle, None))
    )
    placed = program.placements, program.memory_granules
    return LongProgram(len(program), parts, program.operations, *placed, program.name)


@pytest.mark.parametrize(("count", "fits"), [(255, True), (256, False)])
def test_counters_that_may_run_over(count: int, fits: bool) -> None:
    asm = crowd(count, 4)
    program = halves(asm.program())
    validation = Validation(program, asm.machine)
    for part in program.parts:
        validation.next(part)
    if fits:
        validation.end()
        return
    with pytest.raises(ProgramError, match="more than 255 tokens may wait in a counter"):
        validation.end()


def test_a_program_without_its_end() -> None:
    program = halves(crowd(4, 4).program())
    validation = Validation(program, crowd(4, 4).machine)
    validation.next(next(program.parts))
    with pytest.raises(ProgramError, match="a Program ends with its one HALT"):
        validation.end()


def test_what_cannot_be_timed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, machine = gemm_graph(20, 20, 20, False, False, "bfloat16"), small_machine()
    with pytest.raises(OutOfDomain, match="engine 'rtl': a Program this long"):
        time_in_parts(graph, machine, "rtl", part=7)
    with library(None), pytest.raises(OutOfDomain, match="too many for engine 'fast' in python"):
        time_in_parts(graph, machine, "fast", part=7)
    monkeypatch.setattr(follow, "_load", lambda: None)
    with pytest.raises(OutOfDomain, match="checked by the native library alone"):
        time_in_parts(graph, machine, "event", part=7)


HUGE = """
import sys
from simulator.cli.main import main
from tests.bench.peers.memory import peak_mib  # of this process: ru_maxrss would begin with its parent's
try:
    main(sys.argv[1:])
finally:
    print(peak_mib(), file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_million_tiles_in_bounded_memory(engine: str) -> None:
    """4096-wide on an array of 8 x 8: as a whole this takes gigabytes."""
    step = ("step", "--machine", "tpu_v2", "--set", "matrix_unit.rows=8", "--set", "matrix_unit.cols=8")
    net = ("--inputs", "4096", "--hidden", "4096", "--outputs", "4096", "--batch", "512")
    command = [sys.executable, "-c", HUGE, *step, *net, "--optimizer", "sgd", "--engine", engine, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["instructions"] > 2_000_000
    assert result["macs"] == 512 * 4096 * 4096 * 5
    assert float(done.stderr.splitlines()[-1]) < 600


@pytest.mark.slow
def test_eight_wide_layers_in_bounded_memory() -> None:
    """8 x 4096, batch 512, on 128 x 128 with all metrics."""
    net = ("--inputs", "4096", "--hidden", ",".join(["4096"] * 7), "--outputs", "4096", "--batch", "512")
    command = [sys.executable, "-c", HUGE, "step", "--machine", "tpu_v2", *net, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["gemms"] == 23
    assert float(done.stderr.splitlines()[-1]) < 600
