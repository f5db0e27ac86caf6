"""One graph on machines of many sizes: the cycles are those of each machine alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from simulator import fast
from simulator.api import designs
from simulator.api.designs import graph_cycles
from simulator.capture import capture
from simulator.compiler import compile_graph, core, geometry_of, numbers_of, variants
from simulator.compiler.compile import lower_graph
from simulator.errors import CompileError
from simulator.graph import Graph
from simulator.machines.columns import MachineColumns
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from tests.agreement.fast_cases import training_graph
from tests.unit.systolic.programs import make_machine

GRAPH = training_graph((20, 12, 5), 8, "momentum")


def any_machine(rng: random.Random) -> SystolicMachine:
    """One of few array shapes; nearly everything else is the machine's own."""
    return make_machine(
        matrix_unit__rows=rng.choice((4, 8)),
        matrix_unit__cols=rng.choice((4, 8)),
        matrix_unit__dataflow=rng.choice(("ws", "os", "is")),
        matrix_unit__pe_latency_cycles=rng.choice((1, 2)),
        matrix_unit__weight_buffers=rng.choice((1, 2)),
        unified_buffer__capacity_bytes=rng.choice((2**12, 2**13, 2**16)) + rng.randint(0, 2**10),
        accumulators__lines=rng.randint(16, 1024),
        vector_unit__lanes=rng.choice((4, 8)),
        vector_unit__sqrt_cycles=rng.randint(1, 9),
        hbm__latency_cycles=rng.randint(0, 50),
        hbm__bytes_per_cycle=f"{rng.randint(1, 99)}/{rng.randint(1, 3)}",
        sequencer__queue_depth=rng.choice((1, 8)),
    )


def alone(machine: SystolicMachine) -> int:
    return fast.cycles(machine, compile_graph(GRAPH, machine).records)


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Machines that a graph is lowered for."""
    found: list[Any] = []
    real = variants.lower_graph

    def counted(graph: Any, machine: Any) -> Any:
        found.append(machine)
        return real(graph, machine)

    monkeypatch.setattr(variants, "lower_graph", counted)
    return found


def test_every_machine_has_its_own_cycles(lowered: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(2)
    machines = [any_machine(rng) for _ in range(300)]
    programs = [compile_graph(GRAPH, machine) for machine in machines]
    of_each = zip(machines, programs, strict=True)
    expected = [fast.cycles(machine, program.records) for machine, program in of_each]
    assert len(set(expected)) > 250
    assert len({program.records.tobytes() for program in programs}) > 200
    paths = {placement.path for program in programs for placement in program.placements}
    assert "spill.0" in paths

    def never(*_: Any) -> Any:
        raise AssertionError("compiled alone")

    with monkeypatch.context() as patch:
        patch.setattr(designs, "compile_graph", never)
        assert graph_cycles(GRAPH, machines).tolist() == expected
    assert len(lowered) == 3 < len({geometry_of(machine) for machine in machines})  # once for a dataflow


def test_one_geometry_and_many_rates() -> None:
    """The order of instructions, which the memory's rate decides, is found for some rates and shared."""
    rng = random.Random(3)
    graph = training_graph((40, 33, 20), 24, "sgd")
    rates = [f"{rng.randint(1, 400)}/{rng.randint(1, 40)}" for _ in range(120)]
    machines = [make_machine(vector_unit__lanes=16, hbm__bytes_per_cycle=rate) for rate in rates]
    assert len({geometry_of(machine) for machine in machines}) == 1
    programs = [compile_graph(graph, machine) for machine in machines]
    orders = {program.operation.tobytes() for program in programs}
    assert 10 < len(orders) < 60
    of_each = zip(machines, programs, strict=True)
    expected = [fast.cycles(machine, program.records) for machine, program in of_each]
    assert graph_cycles(graph, machines).tolist() == expected


def test_what_is_lowered_for_a_geometry(lowered: list[Any]) -> None:
    """A slice of columns copies lines where it begins with one, and is transposed where it does not."""
    x = np.zeros((12, 40), np.float32)
    graph = capture(lambda x: x[:, 8:20] + 1, (x,), carry=()).graph
    machines = [make_machine(vector_unit__lanes=lanes) for lanes in (4, 8, 16, 16)]
    machines.append(make_machine(matrix_unit__rows=6))
    assert not lower_graph(graph, machines[0]).steps.is_general
    assert lower_graph(GRAPH, machines[0]).steps.is_general
    expected = [fast.cycles(machine, compile_graph(graph, machine).records) for machine in machines[:-1]]
    assert len(set(expected)) > 1
    assert graph_cycles(graph, machines[:-1]).tolist() == expected
    assert len(lowered) == 1 + len({geometry_of(machine) for machine in machines[:-1]})
    with pytest.raises(CompileError, match=r"^machine 4: .*needs powers of two"):
        graph_cycles(graph, machines)


def test_one_block_over_both_links() -> None:
    """What is both the next step's parameter and a result is stored to the memory and to the host."""

    def twice(w: Any, x: Any) -> Any:
        new = w - x
        return new, new

    w = np.zeros((30, 20), np.float32)
    graph = capture(twice, (w, w + 1), carry=(0,)).graph
    machines = [make_machine(host_link__bytes_per_cycle=2, hbm__bytes_per_cycle=64 + n) for n in range(4)]
    assert graph_cycles(graph, machines).tolist() == [
        fast.cycles(machine, compile_graph(graph, machine).records) for machine in machines
    ]


def test_machines_of_one_program_are_timed_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[SystolicMachine] = []

    def counted(graph: Graph, machine: SystolicMachine) -> Program:
        compiled.append(machine)
        return compile_graph(graph, machine)

    monkeypatch.setattr(designs, "compile_graph", counted)
    many = 2 * designs.SIDE_BY_SIDE + 1
    machines = [make_machine(hbm__latency_cycles=n % 20, hbm__bytes_per_cycle=4 + n % 2) for n in range(many)]
    machines += [make_machine(unified_buffer__capacity_bytes=2**16, hbm__latency_cycles=n) for n in range(3)]
    assert graph_cycles(GRAPH, machines).tolist() == [alone(machine) for machine in machines]
    assert compiled == machines[:2]


def test_the_same_without_the_native_library(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(4)
    machines = [any_machine(rng) for _ in range(6)]
    expected = graph_cycles(GRAPH, machines).tolist()
    monkeypatch.setattr(designs.core, "_load", lambda: (None, "none here"))
    monkeypatch.setattr(core, "_load", lambda: None)
    assert graph_cycles(GRAPH, machines).tolist() == expected


INFEASIBLE: dict[str, dict[str, Any]] = {
    "no power of two": {"matrix_unit__rows": 6},
    "no memory": {"hbm__capacity_bytes": 2**8},
    "no accumulators": {"matrix_unit__dataflow": "os", "accumulators__lines": 2},
}


@pytest.mark.parametrize("case", INFEASIBLE)
@pytest.mark.parametrize("shared", [1, 2 * designs.SIDE_BY_SIDE])
def test_the_first_machine_that_fails_is_named(case: str, shared: int) -> None:
    wrong = make_machine(**INFEASIBLE[case])
    with pytest.raises(CompileError) as expected:
        compile_graph(GRAPH, wrong)
    later = make_machine(matrix_unit__rows=5)
    with pytest.raises(CompileError) as found:
        graph_cycles(GRAPH, [make_machine(), *[wrong] * shared, make_machine(), later])
    assert str(found.value) == f"machine 1: {expected.value}"


def test_a_block_that_does_not_fit() -> None:
    """A batch of transposes needs all rows of its operand at once."""
    x = np.zeros((4, 60, 8), np.float32)
    graph = capture(lambda x: x.transpose(0, 2, 1), (x,), carry=()).graph
    large, small = (make_machine(unified_buffer__capacity_bytes=room) for room in (2**16, 2**11))
    with pytest.raises(CompileError) as expected:
        compile_graph(graph, small)
    assert "does not fit beside" in str(expected.value)
    for shared in (1, 2 * designs.SIDE_BY_SIDE):
        with pytest.raises(CompileError) as found:
            graph_cycles(graph, [large, *[small] * shared])
        assert str(found.value) == f"machine 1: {expected.value}"
    assert graph_cycles(graph, [large]).tolist() == [fast.cycles(large, compile_graph(graph, large).records)]


def test_a_graph_that_cannot_be_lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.compiler.tiles.MAX_TILES", 3)
    large, small = make_machine(matrix_unit__rows=64, matrix_unit__cols=64), make_machine()
    assert graph_cycles(GRAPH, [large]).tolist() == [alone(large)]
    with pytest.raises(CompileError, match=r"^machine 1: .*at most 3 can be compiled"):
        graph_cycles(GRAPH, [large, small])


def another(value: Any) -> Any:
    """Another value of a field, None for text."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return Fraction(value) + 1 if value[0].isdigit() else None
    return value + 1


def changed(machine: SystolicMachine) -> Iterator[tuple[str, SystolicMachine]]:
    """The machine with one number changed, for every number that it may share a Program in spite of."""
    tables = machine.model_dump()
    for table, fields in tables.items():
        for field, value in fields.items() if isinstance(fields, dict) else ():
            other = 1 if field == "weight_buffers" else another(value)
            if other is not None:
                candidate = SystolicMachine.model_validate({**tables, table: {**fields, field: other}})
                if share_a_program(machine, candidate):
                    yield f"{table}.{field}", candidate


def share_a_program(*machines: SystolicMachine) -> bool:
    try:
        geometries = {geometry_of(machine) for machine in machines}
    except CompileError:
        return False
    return len(geometries) == 1 and len(np.unique(numbers_of(MachineColumns(machines)), axis=0)) == 1


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_nothing_else_steers_the_compiler(dataflow: str) -> None:
    """A field that does and is not looked at would give a machine another one's Program."""
    machine = make_machine(matrix_unit__dataflow=dataflow, unified_buffer__capacity_bytes=2**12)
    expected = compile_graph(GRAPH, machine).records.tobytes()
    names = []
    for name, other in changed(machine):
        assert compile_graph(GRAPH, other).records.tobytes() == expected, name
        names.append(name)
    assert {"hbm.latency_cycles", "matrix_unit.overlap", "sequencer.queue_depth"} <= set(names)
    assert not {"vector_unit.sqrt_cycles", "hbm.bytes_per_cycle", "matrix_unit.rows"} & set(names)
    assert len(names) == len(set(names)) == 15
