"""The compiled and the Python back end of the compiler make the same Programs, whole and in parts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from simulator.api.gemm import gemm_graph
from simulator.capture import capture
from simulator.compiler import backend, compile_graph, compile_parts, core
from simulator.compiler.cut import cut
from simulator.compiler.expand import expand
from simulator.compiler.lower import Lowerer
from simulator.errors import CompileError
from simulator.graph import Graph
from simulator.isa import Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from tests.agreement.fast_cases import training_graph
from tests.agreement.test_compiler_values import CASES, machine_named
from tests.support.machines import small_machine

COLUMNS = ("records", "operation", "traffic", "macs", "tensor")
TABLES = ("operations", "tensors", "placements", "memory_granules", "name")


def in_python(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(core, "_load", lambda: None)


def differences(one: Program, other: Program) -> list[str]:
    columns = [name for name in COLUMNS if getattr(one, name).tobytes() != getattr(other, name).tobytes()]
    tables = [name for name in TABLES if getattr(one, name) != getattr(other, name)]
    constants = one.constants.keys() == other.constants.keys() and all(
        np.array_equal(value, other.constants[path]) for path, value in one.constants.items()
    )
    return columns + tables + ([] if constants else ["constants"])


def random_machine(rng: random.Random) -> SystolicMachine:
    rows, cols, lanes = (2 ** rng.randint(1, 5) for _ in range(3))
    line = max(rows, cols, lanes)
    return small_machine(
        rows=rows,
        cols=cols,
        lanes=lanes,
        dataflow=rng.choice(["ws", "os", "is"]),
        lines=rng.choice([max(2, 2 * rows), 8 * rows, 1024]),
        hbm={"latency_cycles": 20, "bytes_per_cycle": rng.choice(["1/3", "33/2", "100"])},
        unified_buffer={"capacity_bytes": 4 * line * line * rng.choice([6, 7, 9, 13, 50, 1000])},
    )


def random_cases() -> Iterator[tuple[Graph, SystolicMachine]]:
    rng = random.Random(5)
    for number in range(32):
        if number % 4:
            widths = tuple(rng.choice([1, 3, 16, 33]) for _ in range(rng.randint(2, 4)))
            optimizer = rng.choice(["sgd", "momentum", "adam", "rmsprop_momentum"])
            graph = training_graph(widths, rng.choice([1, 2, 13, 33]), optimizer)
        else:
            shape = [rng.choice([1, 9, 33, 50]) for _ in range(3)]
            types = rng.choice(["bfloat16", "int8"])
            graph = gemm_graph(*shape, rng.random() < 0.5, rng.random() < 0.5, types)
        yield graph, random_machine(rng)


def planned_cases() -> Iterator[tuple[Graph, SystolicMachine]]:
    for case in CASES:
        function, arguments = CASES[case]
        graph = capture(function, arguments, carry=()).graph
        for machine in ("tiny buffer", "one column", "input-stationary"):
            yield graph, machine_named(machine)


@pytest.mark.parametrize("cases", [random_cases, planned_cases])
def test_programs_are_the_same(cases: Any) -> None:
    assert core.native() is not None, "the native library is needed here"
    spilled = 0
    for graph, machine in cases():
        compiled = compile_graph(graph, machine)
        with pytest.MonkeyPatch.context() as patch:
            in_python(patch)
            assert not differences(compiled, compile_graph(graph, machine))
        spilled += any(placement.path.startswith("spill.") for placement in compiled.placements)
    assert spilled > 2


def test_operand_rows_that_are_cut_elsewhere_than_the_result() -> None:
    """Rows 0 to 20 of the operand, in blocks of 8, serve rows 0 to 20, 21 to 41 and 42 to 62 of the sum."""
    x, y = np.zeros((3, 21, 8), np.float32), np.zeros((21, 8), np.float32)
    graph = capture(lambda x, y: x + y, (x, y), carry=()).graph
    machine = small_machine(unified_buffer={"capacity_bytes": 2**12})
    compiled = compile_graph(graph, machine)
    assert (compiled.records["rows"][compiled.records["opcode"] == Opcode.VEC] < 4).any()
    with pytest.MonkeyPatch.context() as patch:
        in_python(patch)
        assert not differences(compiled, compile_graph(graph, machine))


def test_what_is_too_long_to_be_expanded_at_once() -> None:
    """FEW_INSTRUCTIONS of native/lowered.h."""
    graph = training_graph((64, 96, 64), 32, "sgd")
    machine = small_machine(rows=2, cols=2, lanes=2)
    compiled = compile_graph(graph, machine)
    assert len(compiled) > 1.1 * 2**14
    with pytest.MonkeyPatch.context() as patch:
        in_python(patch)
        assert not differences(compiled, compile_graph(graph, machine))


@pytest.mark.parametrize("native", [True, False])
def test_parts_are_the_whole(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not native:
        in_python(monkeypatch)
    graph = training_graph((33, 40, 9), 20, "adam")
    machine = small_machine(unified_buffer={"capacity_bytes": 2**13})
    whole = compile_graph(graph, machine)
    for part in (13, 100, len(whole), 10**6):
        long = compile_parts(graph, machine, part)
        parts = list(long.parts)
        assert len(long) == len(whole) and (len(parts) > 1) == (part < len(whole))
        for name in COLUMNS:
            joined = np.concatenate([getattr(each, name) for each in parts])
            assert joined.tobytes() == getattr(whole, name).tobytes()
        for name in TABLES:
            assert all(getattr(each, name) == getattr(whole, name) for each in parts)


def test_what_does_not_fit_is_refused_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of transposes needs all rows of its operand at once."""
    x = np.zeros((4, 60, 8), np.float32)
    graph = capture(lambda x: x.transpose(0, 2, 1), (x,), carry=()).graph
    machine = small_machine(unified_buffer={"capacity_bytes": 2**12})
    messages = []
    for native in (True, False):
        if not native:
            in_python(monkeypatch)
        with pytest.raises(CompileError) as error:
            compile_graph(graph, machine)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
    assert messages[0].startswith("unified_buffer.capacity_bytes = 4096: an operand block of 7680 bytes does")


def test_loops_stand_for_what_they_count() -> None:
    """An entry has as many instructions as it says, on every dataflow."""
    for dataflow in ("ws", "os", "is"):
        steps = Lowerer(training_graph((33, 40, 9), 20, "adam"), small_machine(dataflow=dataflow)).run()
        low = cut(steps, steps.geometry, 8, 8)
        assert len(expand(low)) == low.entries()[:, 1].sum() > 2 * len(low.entries())


def test_too_many_for_python(monkeypatch: pytest.MonkeyPatch) -> None:
    in_python(monkeypatch)
    monkeypatch.setattr(backend, "MOST_IN_PYTHON", 100)
    with pytest.raises(CompileError, match="at most 100 can be compiled without the native library"):
        compile_graph(gemm_graph(100, 100, 100, False, False, "bfloat16"), small_machine())


@pytest.mark.parametrize(
    ("shape", "what"), [((2**20, 2**20, 2**20), "tiles"), ((2**20, 1, 2**14), "accumulator tiles")]
)
def test_too_many_tiles(shape: tuple[int, int, int], what: str) -> None:
    with pytest.raises(CompileError, match=f"takes .*{what} on an array of 8 x 8; at most"):
        compile_graph(gemm_graph(*shape, False, False, "bfloat16"), small_machine(lines=2**14))
