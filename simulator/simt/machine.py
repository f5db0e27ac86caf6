"""The SIMT machine: a graph's kernels timed one by one and wired into a stream."""

from __future__ import annotations

from dataclasses import replace

from simulator.graph import Graph
from simulator.machines.simt import Dtype, SimtMachine
from simulator.simt.alignment import alignment_of
from simulator.simt.fusion import tensor_of
from simulator.simt.gemm import gemm_timer
from simulator.simt.kernels import ITEM_BYTES, GemmKernel, Kernel, StreamKernel, layout
from simulator.simt.lowering import lower
from simulator.simt.main_loop import AlongK
from simulator.simt.memory import COLD, WEIGHT_COPIES, GemmShape, L2Residency, Missing, repeated
from simulator.simt.result import KernelResult, KernelTiming, SimtResult
from simulator.simt.stream import Copy, Costs, Launch, Timeline
from simulator.simt.streaming import StreamShape, stream_timing

_INT8_RESULT_BYTES = 4


def simulate_gemm(
    machine: SimtMachine,
    m: int,
    k: int,
    n: int,
    *,
    transa: bool = False,
    transb: bool = False,
    dtype: Dtype = "bfloat16",
    warm: bool = True,
) -> KernelResult:
    """One GEMM kernel, launch included: ``C[m,n] = A[m,k] @ B[k,n]`` with the fastest tile of the catalogue.

    The result has the operands' type, int32 for int8. ``warm``: what fits L2 is found there, as in a
    benchmark that goes round ``WEIGHT_COPIES`` of B; else everything comes from DRAM.

    Raises:
        ValueError: a dimension below 1.
    """
    if min(m, k, n) < 1:
        raise ValueError(f"m, k, n = {m}, {k}, {n}: at least 1 each is needed")
    item = ITEM_BYTES[dtype]
    shape = GemmShape(m, k, n, item, _INT8_RESULT_BYTES if dtype == "int8" else item)
    missing = repeated(machine, shape, WEIGHT_COPIES) if warm else COLD
    along_k = AlongK(not transa, transb)
    alignment = alignment_of(machine, dtype, shape, along_k)
    timing = gemm_timer(machine, dtype, along_k, alignment=alignment).fastest(shape, missing)
    name = f"gemm_{dtype}_{layout(transa, transb)}"
    label = f"gemm {m}x{k}x{n} {layout(transa, transb)}"
    kernel = GemmKernel(name, label, (), {}, {}, (), m, k, n, transa, transb, dtype)
    return _result(machine, kernel, timing)


def simulate_graph(
    machine: SimtMachine,
    graph: Graph,
    *,
    dtype: Dtype = "bfloat16",
    fused: bool = True,
    host_copies: bool = True,
) -> SimtResult:
    """One step of a graph as a stream of kernels.

    ``dtype`` is what float GEMMs multiply. L2 starts empty and keeps tensors from kernel to kernel.
    ``host_copies``: inputs that are not resident come over the host link, outputs that are not carried go
    back, both beside the kernels.
    """
    kernels = lower(graph, dtype, fused)
    timings = _timings(machine, kernels)
    to_device, to_host = _copies(machine, graph, kernels, dtype) if host_copies else ([], [])
    uploaded = {graph.inputs[copy.path]: copy.path for copy in to_device}
    launches = [
        Launch(timing, tuple(uploaded[tensor] for tensor in kernel.reads if tensor in uploaded))
        for kernel, timing in zip(kernels, timings, strict=True)
    ]
    launch = machine.launch
    costs = Costs(*(machine.to_cycles(us) for us in (launch.host_us, launch.latency_us, launch.device_us)))
    timeline = Timeline(costs, launches, to_device, to_host)
    cycles = timeline.run()
    results = []
    for kernel, timing, span in zip(kernels, timings, timeline.spans, strict=True):
        result = _result(machine, kernel, timing)
        results.append(replace(result, start_cycle=span.start, idle_cycles=span.idle, blocks=span.blocks))
    macs = sum(result.macs for result in results)
    gemm_types = {kernel.dtype for kernel in kernels if isinstance(kernel, GemmKernel)}
    peak = max((machine.peak_macs_per_cycle(gemm_dtype) for gemm_dtype in gemm_types), default=0)
    return SimtResult(
        machine=machine.name,
        dtype=dtype,
        fused=fused,
        cycles=cycles,
        time_us=cycles / machine.clock.sustained_mhz,
        macs=macs,
        utilization=macs / (peak * cycles) if peak and cycles else 0.0,
        kernels=results,
        copies=sorted(timeline.copies, key=lambda copy: copy.start_cycle),
    )


def _timings(machine: SimtMachine, kernels: list[Kernel]) -> list[KernelTiming]:
    """Each kernel with what L2 holds when it runs."""
    cache = L2Residency(machine.l2.capacity_bytes)
    timings = []
    for kernel in kernels:
        missed = sum(n_bytes for tensor, n_bytes in kernel.reads.items() if not cache.holds(tensor))
        if isinstance(kernel, GemmKernel):
            out_bytes = max(1, sum(kernel.writes.values()) // (kernel.m * kernel.n))
            shape = GemmShape(kernel.m, kernel.k, kernel.n, ITEM_BYTES[kernel.dtype], out_bytes)
            along_k = AlongK(not kernel.transa, kernel.transb)
            alignment = alignment_of(machine, kernel.dtype, shape, along_k)
            timer = gemm_timer(machine, kernel.dtype, along_k, alignment=alignment)
            missing = Missing(float(not cache.holds(kernel.a)), float(not cache.holds(kernel.b)))
            timings.append(timer.fastest(shape, missing))
        else:
            assert isinstance(kernel, StreamKernel)
            timings.append(stream_timing(machine, _stream_shape(kernel, missed)))
        for tensor, n_bytes in (*kernel.reads.items(), *kernel.writes.items()):
            cache.touch(tensor, n_bytes)
    return timings


def _stream_shape(kernel: StreamKernel, missed: int) -> StreamShape:
    return StreamShape(
        elements=kernel.elements,
        read_bytes=sum(kernel.reads.values()),
        dram_read_bytes=missed,
        write_bytes=sum(kernel.writes.values()),
        instructions=kernel.instructions,
        special=kernel.special,
        accesses=len(kernel.reads) + len(kernel.writes),
        results=kernel.results,
    )


def _copies(
    machine: SimtMachine, graph: Graph, kernels: list[Kernel], dtype: Dtype
) -> tuple[list[Copy], list[Copy]]:
    """Inputs from the host that a kernel reads, in order of use, and outputs that go back to it."""
    first_use: dict[int, int] = {}
    made_by: dict[int, int] = {}
    for position, kernel in enumerate(kernels):
        for tensor in kernel.reads:
            first_use.setdefault(tensor, position)
        for tensor in kernel.nodes:
            made_by[tensor] = position
    paths = [path for path, node in graph.inputs.items() if path not in graph.resident and node in first_use]
    paths.sort(key=lambda path: first_use[graph.inputs[path]])
    to_device = [_copy(machine, graph, path, graph.inputs[path]) for path in paths]
    to_host = []
    for path, node in graph.outputs.items():
        tensor = tensor_of(graph, node, dtype != "float32")
        if path not in graph.carried and tensor in made_by:
            to_host.append(_copy(machine, graph, path, node, made_by[tensor]))
    return to_device, to_host


def _copy(machine: SimtMachine, graph: Graph, path: str, node: int, after: int = -1) -> Copy:
    n_bytes = graph.nodes[node].size * ITEM_BYTES[graph.nodes[node].dtype]
    link = machine.host_link
    return Copy(path, n_bytes, machine.to_cycles(link.latency_us + n_bytes / (link.gb_per_s * 1e3)), after)


def _result(machine: SimtMachine, kernel: Kernel, timing: KernelTiming) -> KernelResult:
    launch_cycles = machine.to_cycles(machine.launch.device_us)
    cycles = timing.cycles + launch_cycles
    gemm = kernel if isinstance(kernel, GemmKernel) else None
    stream = kernel if isinstance(kernel, StreamKernel) else None
    peak = machine.peak_macs_per_cycle(gemm.dtype) if gemm else 1
    return KernelResult(
        name=kernel.name,
        label=kernel.label,
        m=gemm.m if gemm else 0,
        n=gemm.n if gemm else 0,
        k=gemm.k if gemm else 0,
        dtype=gemm.dtype if gemm else "float32",
        tile=timing.tile,
        splits=timing.splits,
        blocks=timing.blocks,
        waves=sum(wave.repeats for wave in timing.waves),
        occupancy=timing.occupancy,
        bytes_dram=timing.dram_bytes,
        bytes_l2=timing.l2_bytes,
        macs=gemm.macs if gemm else 0,
        operations=stream.elements * len(stream.nodes) if stream else 0,
        cycles=cycles,
        time_us=cycles / machine.clock.sustained_mhz,
        launch_us=launch_cycles / machine.clock.sustained_mhz,
        bound=timing.bound(launch_cycles),
        utilization=gemm.macs / (peak * cycles) if gemm else 0.0,
        nodes=kernel.nodes,
    )
