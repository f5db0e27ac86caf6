"""Graphs on the SIMT machine: the stream of kernels, copies, sums, fused against unfused."""

from __future__ import annotations

import pytest

from simulator.errors import OutOfDomain
from simulator.graph import Graph
from simulator.simt.machine import simulate_gemm, simulate_graph
from simulator.simt.result import KernelTiming, Wave
from simulator.simt.stream import Copy, Costs, Launch, Timeline
from simulator.simt.streaming import BLOCK_ELEMENTS, StreamShape, stream_timing

PRESETS = ["p100", "v100", "a100_40", "h100", "h200"]


def fixed(cycles: int) -> KernelTiming:
    return KernelTiming(0, (Wave(1, 1, cycles),), 0, {"compute": float(cycles)}, 1.0, "", 1, 0, 0, 1)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("fused", [True, False])
def test_totals_add_up(load, training_step: Graph, name: str, fused: bool) -> None:
    result = simulate_graph(load(name), training_step, fused=fused)
    assert result.macs == 32 * 64 * 128 * 2 + 32 * 128 * 10 * 3
    assert result.macs == sum(kernel.macs for kernel in result.kernels)
    assert 0 < result.utilization < 1
    end = 0
    for kernel in result.kernels:  # one after another: every cycle of the device is a kernel's or idle
        assert kernel.start_cycle == end + kernel.idle_cycles
        assert kernel.idle_cycles >= 0
        assert kernel.blocks >= 1
        end = kernel.end_cycle
    assert result.cycles == max(end, *(copy.end_cycle for copy in result.copies))
    assert sum(result.cycles_by_bound.values()) == sum(kernel.cycles for kernel in result.kernels)


def test_bytes_are_at_least_the_graphs_own(load, training_step: Graph) -> None:
    """Every input that is read and every output crosses DRAM at least once."""
    result = simulate_graph(load("h100"), training_step)
    nodes = training_step.nodes
    used = {t for node in nodes for t in node.inputs}
    inputs = sum(4 * nodes[node].size for node in training_step.inputs.values() if node in used)
    outputs = sum(4 * nodes[node].size for node in training_step.outputs.values())
    assert result.bytes_dram >= inputs + outputs
    assert result.bytes_l2 >= result.bytes_dram


@pytest.mark.parametrize("name", PRESETS)
def test_fusion_saves_launches_bytes_and_time(load, training_step: Graph, name: str) -> None:
    fused, unfused = (simulate_graph(load(name), training_step, fused=fused) for fused in (True, False))
    assert len(fused.kernels) < len(unfused.kernels)
    assert fused.bytes_l2 < unfused.bytes_l2
    assert fused.cycles < unfused.cycles


def test_small_step_is_bound_by_launches(load, training_step: Graph) -> None:
    result = simulate_graph(load("h100"), training_step)
    assert {kernel.bound for kernel in result.kernels} == {"launch"}


def test_inputs_come_over_the_host_link_and_the_loss_goes_back(load, training_step: Graph) -> None:
    result = simulate_graph(load("v100"), training_step)
    assert {(copy.path, copy.to_device, copy.n_bytes) for copy in result.copies} == {
        ("x", True, 32 * 64 * 4),
        ("y", True, 32 * 10 * 4),
        ("loss", False, 4),
    }
    x = next(copy for copy in result.copies if copy.path == "x")
    reader = next(kernel for kernel in result.kernels if "32x64" in kernel.label)
    assert reader.start_cycle >= x.end_cycle
    loss = next(copy for copy in result.copies if copy.path == "loss")
    assert loss.start_cycle >= next(k for k in result.kernels if k.name == "reduction").end_cycle
    assert simulate_graph(load("v100"), training_step, host_copies=False).copies == []


def test_same_graph_same_numbers(load, training_step: Graph) -> None:
    assert simulate_graph(load("a100_40"), training_step) == simulate_graph(load("a100_40"), training_step)


def test_operands_stay_in_l2_from_kernel_to_kernel(load, training_step: Graph) -> None:
    large = simulate_graph(load("a100_40"), training_step)
    small = simulate_graph(load("a100_40", "l2.capacity_bytes=1024"), training_step)
    assert large.bytes_dram < small.bytes_dram


def test_graph_without_kernels_takes_no_time(load, builder) -> None:
    builder.output("o", builder.input("x", 4), "x")
    result = simulate_graph(load("v100"), builder.graph())
    assert (result.cycles, result.utilization, result.kernels) == (0, 0.0, [])


def test_int8_graph_counts_its_own_peak(load, builder) -> None:
    a, b = builder.input("a", 512, 512, dtype="int8"), builder.input("b", 512, 512, dtype="int8")
    c = builder.add("matmul", a, b, shape=(512, 512), dtype="int32", transpose_a=False, transpose_b=False)
    builder.output("c", c)
    result = simulate_graph(load("a100_40"), builder.graph(), dtype="float32", host_copies=False)
    assert result.utilization == result.macs / (108 * 2048 * result.cycles)


def test_device_waits_for_the_host_and_the_host_runs_ahead() -> None:
    """Launches take the host 10 cycles each and arrive 3 later; kernels take 2 + 4 or 2 + 100."""
    costs = Costs(host=10, latency=3, device=2)
    timeline = Timeline(
        costs, [Launch(fixed(4)), Launch(fixed(100)), Launch(fixed(4)), Launch(fixed(4))], [], []
    )
    assert timeline.run() == 137
    assert [(s.start, s.end, s.idle) for s in timeline.spans] == [
        (13, 19, 13),
        (23, 125, 4),
        (125, 131, 0),
        (131, 137, 0),
    ]


def test_copies_run_beside_kernels_and_in_order() -> None:
    costs = Costs(host=0, latency=0, device=0)
    launches = [Launch(fixed(50)), Launch(fixed(5), ("b",))]
    timeline = Timeline(costs, launches, [Copy("a", 1, 30), Copy("b", 1, 40)], [Copy("c", 1, 9, after=0)])
    assert timeline.run() == 75
    assert [(s.start, s.end) for s in timeline.spans] == [(0, 50), (70, 75)]
    assert {(c.path, c.start_cycle, c.end_cycle) for c in timeline.copies} == {
        ("a", 0, 30),
        ("b", 30, 70),
        ("c", 50, 59),
    }


def test_host_runs_ahead_by_no_more_than_the_queue() -> None:
    timeline = Timeline(Costs(0, 0, 1), [Launch(fixed(1))] * 3000, [], [])
    assert timeline.run() == 6000


def test_large_elementwise_kernel_runs_at_dram_speed(load) -> None:
    gpu, n = load("a100_40"), 10**8
    timing = stream_timing(gpu, StreamShape(n, 8 * n, 8 * n, 4 * n, 1, 0, 3))
    assert timing.bound(0) == "dram"
    assert timing.cycles == pytest.approx(12 * n / gpu.dram_bytes_per_cycle, rel=0.01)
    assert timing.blocks == -(-n // BLOCK_ELEMENTS)


def test_small_elementwise_kernel_is_a_chain_of_latencies(load) -> None:
    gpu = load("v100")
    timing = stream_timing(gpu, StreamShape(10, 40, 40, 40, 3, 0, 2))
    assert timing.bound(0) == "latency"
    assert timing.cycles == gpu.dram.latency_cycles + 3 * gpu.sm.fma_latency_cycles


def test_many_instructions_bind_an_elementwise_kernel(load) -> None:
    n = 10**7
    assert stream_timing(load("p100"), StreamShape(n, 4 * n, 4 * n, 4 * n, 200, 0, 2)).bound(0) == "compute"


def test_long_sum_takes_a_second_pass(load) -> None:
    gpu, n = load("v100"), 10**7
    one = stream_timing(gpu, StreamShape(n, 4 * n, 4 * n, 4 * 10**4, 1, 0, 2, results=10**4))
    two = stream_timing(gpu, StreamShape(n, 4 * n, 4 * n, 4, 1, 0, 2, results=1))
    assert one.drain_cycles == 0
    assert two.drain_cycles >= gpu.to_cycles(gpu.launch.device_us)


def test_machine_without_room_is_refused(load) -> None:
    tiny = load("v100", "sm.shared_memory_bytes=1024", "sm.shared_memory_per_block_bytes=1024")
    with pytest.raises(OutOfDomain, match="no room for any thread-block tile"):
        simulate_gemm(tiny, 8, 8, 8)
    narrow = load("v100", "sm.max_threads=96")
    with pytest.raises(OutOfDomain, match="no room for a thread block of 128 threads"):
        stream_timing(narrow, StreamShape(10, 40, 40, 40, 1, 0, 2))
