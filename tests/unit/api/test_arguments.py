"""Arguments of the Python API that are none: one line names the argument, its value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from simulator import api, fast
from simulator.api.designs import graph_cycles
from simulator.api.gemm import gemm_graph
from simulator.compiler import compile_graph
from simulator.errors import ConfigError
from simulator.machines.arguments import check_machine
from simulator.machines.simt import SimtMachine
from tests.support.machines import small_machine

Form = Callable[..., Any]

CORE = small_machine()
GPU = api.load_machine("h100")
GRAPH = gemm_graph(16, 16, 16, False, False, "bfloat16")
PROGRAM = compile_graph(GRAPH, CORE)
FORMS = (
    fast.gemm_cycles,
    fast.gemm_cycles_where,
    fast.array_gemm_cycles,
    fast.array_gemm_cycles_where,
    fast.scalesim_cycles,
    fast.scalesim_cycles_where,
    api.gemm_cycles,
)
X = np.zeros((4, 4), np.float32)
OF_A_MACHINE: dict[str, Form] = {
    **{f"{form.__module__}.{form.__name__}": lambda it, form=form: form(it, 8, 8, 8) for form in FORMS},
    "cycles": lambda it: fast.cycles(it, PROGRAM.records),
    "simulate": lambda it: fast.simulate(it, PROGRAM.records),
    "Designs.vary": lambda it: fast.Designs.vary(it, {"hbm.latency_cycles": [1]}),
    "gemm_scalesim": lambda it: api.gemm_scalesim(it, 8, 8, 8),
    "time_program": lambda it: api.time_program(it, PROGRAM),
    "build_step": lambda it: api.build_step(lambda x: x + 1, (X,), it, carry=()),
}
OF_MACHINES: dict[str, Form] = {
    "cycles_over": lambda them: fast.cycles_over(them, PROGRAM.records),
    "Designs.of": lambda them: fast.Designs.of(them),
    "graph_cycles": lambda them: graph_cycles(GRAPH, them),
}


def refused(message: str, solve: Form, *arguments: Any, **options: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}") as error:
        solve(*arguments, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", OF_A_MACHINE)
def test_what_is_no_systolic_machine(name: str) -> None:
    solve = OF_A_MACHINE[name]
    for machine, written in ((GPU, "'h100'"), ("tpu_v2", "'tpu_v2'"), (None, "None")):
        refused(f"machine = {written}: a systolic machine is needed", solve, machine)
    assert solve(CORE) is not None


@pytest.mark.parametrize("name", OF_MACHINES)
def test_what_are_no_systolic_machines(name: str) -> None:
    solve = OF_MACHINES[name]
    for machine, written in ((GPU, "'h100'"), ("tpu_v2", "'tpu_v2'"), (None, "None")):
        refused(f"machine 1 = {written}: a systolic machine is needed", solve, [CORE, machine])
        refused(f"machines = {written}: a list of systolic machines is needed", solve, machine)
    refused("machines = 'small': a list", solve, CORE)
    assert solve((CORE, CORE)) is not None


def test_what_is_no_simt_machine() -> None:
    refused("machine = 'small': a SIMT machine is needed", api.simt_step, lambda x: x, (X,), CORE)
    refused("machine = 7: a systolic machine or a SIMT machine is needed", api.gemm, 7, 8, 8, 8)
    check_machine(GPU, SimtMachine)


def test_what_is_no_graph() -> None:
    refused("graph = 'mlp': a Graph is needed", graph_cycles, "mlp", [CORE])


@pytest.mark.parametrize("given", [None, "halt", [1, 2], np.zeros(3), PROGRAM])
def test_what_are_no_records(given: Any) -> None:
    for solve in (fast.cycles, fast.simulate, lambda core, it: fast.cycles_over([core], it)):
        refused("records = ", solve, CORE, given)


SIZES: list[tuple[Any, str]] = [
    *((0, "0"), (-1, "-1"), (2**20 + 1, "1048577"), (2**70, str(2**70)), (True, "True"), (8.0, "8.0")),
    *(("8", "'8'"), (None, "None"), ([1, None], "[1, None]"), ({}, "{}"), (np.bool_(True), "np.True_")),
    (10**5000, "an integer of thousands of digits"),
]


@pytest.mark.parametrize(("size", "written"), SIZES, ids=[written for _, written in SIZES])
def test_sizes(size: Any, written: str) -> None:
    for form in FORMS:
        refused(f"k = {written}: integers from 1 to 1048576 are allowed", form, CORE, 8, size, 8)
    for solve, machine in ((api.gemm, CORE), (api.gemm, GPU), (api.gemm_scalesim, CORE)):
        refused(f"shape: k = {written}; an integer from 1 to 1048576 is allowed", solve, machine, 8, size, 8)


def test_half_a_row() -> None:
    for machine in (CORE, GPU):
        for size in (8.5, np.float32(8), [8], np.array([8]), float("nan")):
            refused("shape: m = ", api.gemm, machine, size, 8, 8)


@pytest.mark.parametrize("machine", [CORE, GPU])
def test_sizes_of_numpy_are_python_integers(machine: Any) -> None:
    one, other = (api.gemm(machine, size, size, size) for size in (8, np.int64(8)))
    assert one == other and type(other.m) is type(other.macs) is int


def test_arrays_of_sizes() -> None:
    for form in FORMS:
        refused("m = []: integers", form, CORE, [], 8, 8)
        refused("n = -3: integers", form, CORE, 8, 8, [2, -3, 2**21])
        refused("n = 2097152: integers", form, CORE, 8, 8, [2, 2**21])
        refused("m = [[1, 2], [3]]: lists of equal length", form, CORE, [[1, 2], [3]], 8, 8)
        refused("shapes m (2,), n (3,): shapes that broadcast together", form, CORE, [1, 2], 8, [1, 2, 3])


@pytest.mark.parametrize("dtype", ["fp4", None, 3, ["bfloat16"], {}])
def test_types(dtype: Any) -> None:
    message = f"dtype = {dtype!r}: bfloat16, int8 is allowed"
    for form in (*FORMS[:4], api.gemm_cycles):
        refused(message, form, CORE, 8, 8, 8, dtype=dtype)
    refused(message, api.gemm_cycles, CORE, 8, 8, 8, dtype=dtype, compat="scalesim")
    for solve, machine in ((api.gemm, CORE), (api.gemm, GPU), (api.gemm_scalesim, CORE)):
        refused(f"dtype = {dtype!r}: {machine.name} has bfloat16", solve, machine, 8, 8, 8, dtype=dtype)


@pytest.mark.parametrize("engine", ["guess", 3, ["fast"], np.array(["fast"])])
def test_engines(engine: Any) -> None:
    allowed = f"engine = {engine!r}: event, fast, rtl is allowed"
    refused(allowed, api.gemm, CORE, 8, 8, 8, engine=engine)
    refused(allowed, api.gemm_scalesim, CORE, 8, 8, 8, engine=engine)
    refused(allowed, api.time_program, CORE, PROGRAM, engine)
    refused(allowed, api.build_step, lambda x: x + 1, (X,), CORE, carry=(), engine=engine)


@pytest.mark.parametrize("engine", ["guess", "event", "fast", "rtl"])
def test_a_simt_machine_takes_no_engine(engine: str) -> None:
    refused(f"engine = {engine!r}: h100 is a SIMT machine", api.gemm, GPU, 8, 8, 8, engine=engine)
    assert api.gemm(GPU, 8, 8, 8).engine == "simt"


@pytest.mark.parametrize("flag", ["transa", "transb"])
@pytest.mark.parametrize("value", ["N", "T", None, 1])
def test_what_is_no_flag(flag: str, value: Any) -> None:
    """The command line's N would be true here."""
    for machine in (CORE, GPU):
        refused(f"{flag} = {value!r}: True or False is allowed", api.gemm, machine, 8, 16, 8, **{flag: value})


def test_another_way_of_counting() -> None:
    for compat in ("other", ["scalesim"]):
        refused(f"compat = {compat!r}: scalesim is allowed", api.gemm_cycles, CORE, 8, 8, 8, compat=compat)
