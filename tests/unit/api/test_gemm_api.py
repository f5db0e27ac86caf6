"""``gemm``: what it counts, what a transpose costs, what a machine refuses."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.api import gemm, gemm_scalesim, load_machine
from simulator.api.gemm import SIMT_TYPES, SYSTOLIC_TYPES, scalesim_machine
from simulator.errors import CompileError, ConfigError
from simulator.machines.systolic import SystolicMachine
from tests.support.machines import small_machine


def edge(**changes: Any) -> SystolicMachine:
    return small_machine(**changes)


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
@pytest.mark.parametrize("dtype", SYSTOLIC_TYPES)
def test_account(dataflow: str, dtype: str) -> None:
    machine = edge(dataflow=dataflow)
    result = gemm(machine, 20, 30, 10, dtype=dtype)
    assert result.macs == 20 * 30 * 10
    assert result.utilization == pytest.approx(result.macs / (64 * result.cycles))
    assert result.time_us == pytest.approx(result.cycles / machine.clock.mhz)
    assert result.engine == "event" and result.machine == "small"
    assert sum(result.stalls.values()) < result.cycles
    item = 1 if dtype == "int8" else 2
    panels = {"a": 4 * 20, "b": 2 * 30}  # panels of 8 columns, lines of 8 elements
    assert result.details["hbm_bytes"] == sum(panels.values()) * 8 * item + 2 * 20 * 8 * 4


def test_transposes_cost() -> None:
    """What a dataflow does not want stored that way has to be turned round."""
    free = {"ws": ("N", "N"), "os": ("T", "N"), "is": ("T", "T")}
    for dataflow in free:
        cycles = {
            (a, b): gemm(edge(dataflow=dataflow), 64, 64, 64, transa=a == "T", transb=b == "T").cycles
            for a in "NT"
            for b in "NT"
        }
        assert min(cycles, key=lambda key: cycles[key]) == free[dataflow]
        assert len(set(cycles.values())) > 1


def test_any_array_size() -> None:
    machine = edge(rows=5, cols=7, lanes=3)
    result = gemm(machine, 11, 12, 13)
    assert result.macs == 11 * 12 * 13 and 0 < result.utilization < 1
    with pytest.raises(CompileError, match=r"unified_buffer\.capacity_bytes"):
        gemm(machine, 1000, 1000, 1000)


@pytest.mark.parametrize("shape", [(0, 1, 1), (1, -1, 1), (1, 1, (1 << 20) + 1)])
def test_sizes(shape: tuple[int, int, int]) -> None:
    for solve in (gemm, gemm_scalesim):
        with pytest.raises(ConfigError, match=r"shape: [mkn] = .*an integer from 1 to 1048576"):
            solve(edge(), *shape)


def test_types() -> None:
    for name, types in (("tpu_v2", SYSTOLIC_TYPES), ("h100", SIMT_TYPES)):
        machine = load_machine(name)
        for dtype in types:
            assert gemm(machine, 16, 16, 16, dtype=dtype).cycles > 0
        with pytest.raises(ConfigError, match=r"dtype = 'fp4': .* has bfloat16"):
            gemm(machine, 16, 16, 16, dtype="fp4")
    with pytest.raises(ConfigError, match="dtype = 'float32'"):
        gemm_scalesim(edge(), 8, 8, 8, dtype="float32")


def test_wider_types_are_never_faster() -> None:
    machine = load_machine("tpu_v2")
    cycles = [gemm(machine, 512, 512, 512, dtype=dtype).cycles for dtype in ("int8", "bfloat16")]
    assert cycles == sorted(cycles)


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_scalesim_runs_on_the_machine_described(dataflow: str) -> None:
    """Memories and buffers are endless, the array is the machine's own."""
    machine = edge(dataflow=dataflow, weight_buffers=2, overlap=True, pe_latency_cycles=3)
    ideal = scalesim_machine(machine, 40, 50, 60)
    unit = ideal.matrix_unit
    assert (unit.weight_buffers, unit.overlap, unit.pe_latency_cycles) == (1, False, 3)
    assert (unit.rows, unit.cols, unit.dataflow) == (8, 8, dataflow)
    result = gemm_scalesim(machine, 40, 50, 60)
    assert result.cycles > gemm_scalesim(edge(dataflow=dataflow), 40, 50, 60).cycles
    assert result.macs == 40 * 50 * 60 and result.details["compat"] == "scalesim"
    assert result.utilization == pytest.approx(result.macs / (64 * (result.cycles + 1)))


def test_scalesim_does_not_see_the_memory() -> None:
    hbm, buffer = {"bytes_per_cycle": 1, "latency_cycles": 500}, {"capacity_bytes": 2048}
    slow = edge(hbm=hbm, unified_buffer=buffer, queue_depth=1, depth_tiles=1, lines=2)
    assert gemm_scalesim(slow, 30, 30, 30).cycles == gemm_scalesim(edge(), 30, 30, 30).cycles
