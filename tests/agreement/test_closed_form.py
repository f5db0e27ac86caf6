"""The closed form of a whole GEMM against its compiled Program in the recurrence: equal in its domain."""

from __future__ import annotations

import random
from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from simulator import fast, systolic
from simulator.api.gemm import gemm_graph
from simulator.compiler import compile_graph
from simulator.errors import CompileError, ConfigError, OutOfDomain
from simulator.fast import closed_form
from simulator.fast.gemm_form import gemm_form
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from tests.unit.systolic.programs import make_machine

POINTS, OF_A_MACHINE = 9600, 8


class Point(NamedTuple):
    machine: SystolicMachine
    m: int
    k: int
    n: int
    dtype: str


def any_machine(rng: random.Random) -> SystolicMachine:
    """Small arrays, so that GEMMs of many tiles are quick; everything that the form depends on at random."""
    rows, cols, lanes = (rng.choice((1, 2, 4, 8, 16, 32)) for _ in range(3))
    room = max(6 * 4 * max(rows, cols, lanes) ** 2, 2 ** rng.choice((15, 18, 20, 22, 26)))
    return make_machine(
        hbm__bytes_per_cycle=Fraction(rng.randint(10, 2000), rng.randint(1, 3)),
        hbm__latency_cycles=rng.choice((0, 10, 50, rng.randint(0, 300))),
        unified_buffer__capacity_bytes=room,
        unified_buffer__read_latency_cycles=rng.choice((1, 2, 3, 4, 20)),
        weight_fifo__depth_tiles=rng.choice((1, 2, 3, 4)),
        matrix_unit__rows=rows,
        matrix_unit__cols=cols,
        matrix_unit__pe_latency_cycles=rng.choice((1, 1, 2, 3)),
        matrix_unit__horizontal_hop_cycles=rng.choice((1, 1, 2)),
        matrix_unit__vertical_hop_cycles=rng.choice((1, 1, 2)),
        accumulators__lines=rng.choice((16, 64, 100, 256, 1024, 4096)),
        accumulators__adder_latency_cycles=rng.choice((1, 2, 4, 30)),
        vector_unit__lanes=lanes,
        vector_unit__alu_latency_cycles=rng.randint(1, 6),
        sequencer__queue_depth=rng.choice((2, 8, 16, 64, 128)),
    )


def any_points(rng: random.Random, count: int) -> list[Point]:
    machine = any_machine(rng)

    def size() -> int:
        return int(2 ** rng.uniform(0, 9))

    return [Point(machine, size(), size(), size(), rng.choice(("bfloat16", "int8"))) for _ in range(count)]


def form(point: Point) -> tuple[int, dict[str, bool]]:
    """The sum, in the domain or not, and what holds."""
    columns = closed_form._columns(*point, {})
    total, limits = gemm_form(SimpleNamespace(**columns))
    return int(total), {name: bool(holds) for name, holds in limits.items()}


def compiled(point: Point) -> int:
    machine, m, k, n, dtype = point
    return fast.cycles(machine, compile_graph(gemm_graph(m, k, n, False, False, dtype), machine).records)


def check(seeds: range) -> int:
    """How many of the points that lie in the domain were compared, and are equal."""
    found = 0
    for seed in seeds:
        points = any_points(random.Random(seed), OF_A_MACHINE)
        for dtype in ("bfloat16", "int8"):
            alike = [point for point in points if point.dtype == dtype]
            if not alike:
                continue
            m, k, n = np.array([point[1:4] for point in alike]).T
            cycles, holds = closed_form.gemm_cycles_where(points[0].machine, m, k, n, dtype=dtype)
            for index in np.flatnonzero(holds).tolist():
                assert cycles[index] == compiled(alike[index]), (seed, alike[index])
                found += 1
    return found


def test_equal_in_its_domain() -> None:
    assert check(range(POINTS // OF_A_MACHINE)) > POINTS // 8


@pytest.mark.slow
def test_equal_in_its_domain_at_length() -> None:
    assert check(range(10_000, 13_000)) > 4000


@cache
def outside() -> dict[str, list[Point]]:
    """Points that break one limit alone."""
    found: dict[str, list[Point]] = {}
    for seed in range(20_000, 20_500):
        for point in any_points(random.Random(seed), OF_A_MACHINE):
            broken = [name for name, holds in form(point)[1].items() if not holds]
            if len(broken) == 1:
                found.setdefault(broken[0], []).append(point)
    return found


@pytest.mark.parametrize(
    "reason",
    [
        "operands and result do not fit",
        "the sequencer cannot run ahead",
        "weights come later",
        "the vector unit is behind",
        "the accumulators are not free",
        "memory is behind",
    ],
)
def test_outside_it_is_refused_and_would_be_wrong(reason: str) -> None:
    """Every limit is needed: where it alone is broken the sum is not the cycles, at some points at least."""
    (points,) = (points for name, points in outside().items() if name.startswith(reason))
    wrong = 0
    for point in points:
        machine, m, k, n, dtype = point
        with pytest.raises(OutOfDomain, match=f"^GEMM {m} x {k} x {n} .*: no closed form, as {reason}"):
            closed_form.gemm_cycles(machine, m, k, n, dtype=dtype)
        try:
            cycles = compiled(point)
        except CompileError:
            continue
        assert form(point)[0] <= cycles  # nothing is faster than the array
        wrong += form(point)[0] != cycles
        if wrong == 5:
            return
    assert wrong


@pytest.mark.parametrize("name", ["tpu_v2", "tpu_v3", "tpu_v4"])
def test_cores_that_were_built(name: str) -> None:
    """GEMMs of common layers by both engines, with memory that keeps up."""
    machine: Any = load_machine(name, ["hbm.bytes_per_cycle=1500"])
    shapes = [(128, 784, 512), (512, 512, 512), (1024, 1024, 1024), (1000, 300, 700), (128, 512, 10)]
    m, k, n = np.array(shapes).T
    cycles, holds = closed_form.gemm_cycles_where(machine, m, k, n)
    assert holds[[1, 3]].all()
    for index in np.flatnonzero(holds).tolist():
        graph = gemm_graph(*shapes[index], False, False, "bfloat16")
        records = compile_graph(graph, machine).records
        assert cycles[index] == fast.cycles(machine, records) == systolic.simulate(machine, records).cycles
    assert (cycles[~holds] == 0).all()


def test_fields_vary_and_shapes_broadcast() -> None:
    machine: Any = load_machine("tpu_v2")
    rows, cols = np.array([32, 64, 128]), np.array([[64], [128]])
    fields = {"matrix_unit.rows": rows, "matrix_unit.cols": cols, "hbm.bytes_per_cycle": 700}
    found = closed_form.gemm_cycles(machine, 600, 500, 640, fields=fields)
    assert found.shape == (2, 3) and found.dtype == np.int64
    for i, j in np.ndindex(2, 3):
        tables = machine.model_dump()
        tables["matrix_unit"] |= {"rows": int(rows[j]), "cols": int(cols[i, 0])}
        tables["hbm"]["bytes_per_cycle"] = 700
        one = SystolicMachine.model_validate(tables)
        assert found[i, j] == closed_form.gemm_cycles(one, 600, 500, 640)
        assert found[i, j] == compiled(Point(one, 600, 500, 640, "bfloat16"))
    many = np.full(2 * closed_form.AT_A_TIME + 5, 600)
    again = closed_form.gemm_cycles(machine, many, 500, 640, fields={"hbm.bytes_per_cycle": 700})
    assert (again == found[1, 2]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"m": 0}, "m = 0: integers from 1 to 1048576"),
        ({"n": 2**21}, "n = 2097152: integers from 1 to 1048576"),
        ({"k": 2.5}, "k = 2.5: integers"),
        ({"dtype": "float32"}, "dtype = 'float32': bfloat16, int8 is allowed"),
        ({"fields": {"clock.mhz": [1.0]}}, "clock.mhz: not among the fields"),
        ({"fields": {"matrix_unit.rows": [0]}}, r"matrix_unit\.rows = 0"),
        ({"fields": {"hbm.latency_cycles": ["x"]}}, r"hbm.latency_cycles = \['x'\]: a list of numbers"),
        ({"fields": {"hbm.latency_cycles": []}}, r"hbm.latency_cycles = \[\]: a list of numbers"),
        ({"fields": {"hbm.bytes_per_cycle": [2.5]}}, r"hbm.bytes_per_cycle = \[2.5\]: whole bytes"),
        ({"fields": [1]}, r"fields = \[1\]: numbers by field"),
        ({"m": [1, 2], "fields": {"hbm.latency_cycles": [1, 2, 3]}}, r"m \(2,\), hbm.latency_cycles \(3,\):"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        closed_form.gemm_cycles(make_machine(), **{"m": 8, "k": 8, "n": 8, **arguments})


@pytest.mark.parametrize("setting", [{"dataflow": "os"}, {"weight_buffers": 1}, {"overlap": False}])
def test_arrays_without_a_form(setting: dict[str, Any]) -> None:
    machine = make_machine(**{f"matrix_unit__{name}": value for name, value in setting.items()})
    with pytest.raises(OutOfDomain, match="a closed form exists for weight-stationary arrays"):
        closed_form.gemm_cycles(machine, 8, 8, 8)
