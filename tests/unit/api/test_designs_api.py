"""One graph on machines of many sizes: the cycles are those of each machine alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

from simulator import fast
from simulator.api import designs
from simulator.api.designs import graph_cycles
from simulator.compiler import compile_graph
from simulator.errors import CompileError
from simulator.machines.systolic import SystolicMachine
from tests.agreement.fast_cases import training_graph
from tests.unit.systolic.programs import make_machine

GRAPH = training_graph((20, 12, 5), 8, "momentum")


def any_machine(rng: random.Random) -> SystolicMachine:
    return make_machine(
        matrix_unit__rows=rng.choice((4, 8)),
        matrix_unit__cols=rng.choice((4, 8)),
        matrix_unit__dataflow=rng.choice(("ws", "os")),
        matrix_unit__pe_latency_cycles=rng.choice((1, 2)),
        unified_buffer__capacity_bytes=rng.choice((2**13, 2**16)),
        hbm__latency_cycles=rng.randint(0, 50),
        hbm__bytes_per_cycle=rng.choice((4, 32)),
        sequencer__queue_depth=rng.choice((1, 8)),
    )


def test_every_machine_has_its_own_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    rng, compiled = random.Random(2), []

    def counted(graph: Any, machine: Any) -> Any:
        compiled.append(machine)
        return compile_graph(graph, machine)

    monkeypatch.setattr(designs, "compile_graph", counted)
    machines = [any_machine(rng) for _ in range(100)]
    found = graph_cycles(GRAPH, machines)
    expected = [fast.cycles(machine, compile_graph(GRAPH, machine).records) for machine in machines]
    assert found.tolist() == expected and len(set(expected)) > 50
    assert 10 < len(compiled) <= 32


def test_the_first_machine_that_fails_is_named() -> None:
    small, odd = make_machine(), make_machine(matrix_unit__rows=6)
    with pytest.raises(CompileError, match=r"^machine 1: matrix_unit.rows = 6"):
        graph_cycles(GRAPH, [small, odd, make_machine(matrix_unit__rows=5)])


def another(value: Any) -> Any:
    """Another value of a field, None for text."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return Fraction(value) + 1 if value[0].isdigit() else None
    return value + 1


def changed(machine: SystolicMachine) -> Iterator[tuple[str, SystolicMachine]]:
    """The machine with one number changed, for every number that the key leaves out."""
    tables = machine.model_dump()
    for table, fields in tables.items():
        for field, value in fields.items() if isinstance(fields, dict) else ():
            other = 1 if field == "weight_buffers" else another(value)
            if other is not None:
                candidate = SystolicMachine.model_validate({**tables, table: {**fields, field: other}})
                if designs._compiled_for(candidate) == designs._compiled_for(machine):
                    yield f"{table}.{field}", candidate


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_nothing_else_steers_the_compiler(dataflow: str) -> None:
    """A field that does and is not in the key would give a machine another one's Program."""
    machine = make_machine(matrix_unit__dataflow=dataflow, unified_buffer__capacity_bytes=2**12)
    expected = compile_graph(GRAPH, machine).records.tobytes()
    names = []
    for name, other in changed(machine):
        assert compile_graph(GRAPH, other).records.tobytes() == expected, name
        names.append(name)
    assert {"hbm.latency_cycles", "matrix_unit.overlap", "sequencer.queue_depth"} <= set(names)
    assert len(names) == len(set(names)) == 15
