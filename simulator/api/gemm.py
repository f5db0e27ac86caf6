"""The time of one matrix multiplication, on a systolic core or on a SIMT machine."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

from simulator.api.engines import ENGINES, time_program
from simulator.api.step import validate_compiled
from simulator.api.timed import Timed, is_long, time_in_parts
from simulator.compiler import compile_graph
from simulator.compiler.array_program import (
    accumulator_lines,
    array_gemm,
    buffer_granules,
    compile_array_gemm,
)
from simulator.energy import simt_energy, systolic_energy
from simulator.errors import ConfigError
from simulator.graph import Graph, Node
from simulator.isa import Opcode
from simulator.machines.arguments import (
    check_choice,
    check_flag,
    check_machine,
    check_systolic,
    checked_size,
    given,
)
from simulator.machines.simt import SimtMachine
from simulator.machines.systolic import SystolicMachine
from simulator.metrics import measure
from simulator.program import Program
from simulator.simt.machine import simulate_gemm
from simulator.timing import array_times
from simulator.trace import Trace

SYSTOLIC_TYPES = ("bfloat16", "int8")
SIMT_TYPES = ("bfloat16", "float16", "float32", "int8")


@dataclass(frozen=True)
class GemmResult:
    """``C[m,n] = A[m,k] B[k,n]``.

    Units: cycles of the machine's clock; ``utilization`` is useful MACs over the peak of all cycles.
    """

    m: int
    k: int
    n: int
    cycles: int
    time_us: float
    utilization: float
    macs: int
    bound: str
    stalls: dict[str, int]
    energy_pj: float
    engine: str
    machine: str
    details: dict[str, Any]

    def summary(self) -> dict[str, Any]:
        """The JSON of ``pulsetrain gemm``."""
        named = vars(self).copy()
        details = named.pop("details")
        return {**named, **details}


def gemm_graph(m: int, k: int, n: int, transa: bool, transb: bool, dtype: str) -> Graph:
    """A graph of one matmul whose operands and result live in the machine's own memory."""
    a_shape, b_shape = ((k, m) if transa else (m, k)), ((n, k) if transb else (k, n))
    nodes = (
        Node("input", (), a_shape, dtype, {"path": "a"}),
        Node("input", (), b_shape, dtype, {"path": "b"}),
        Node(
            "matmul",
            (0, 1),
            (m, n),
            "int32" if dtype == "int8" else "float32",
            {"transpose_a": transa, "transpose_b": transb},
        ),
    )
    return Graph(nodes, {"a": 0, "b": 1}, {"c": 2}, resident=frozenset({"a", "b", "c"}), name="gemm")


def checked_shape(m: Any, k: Any, n: Any) -> tuple[int, int, int]:
    """Raises:
    ConfigError: a dimension is not an integer from 1 to 2^20.
    """
    return checked_size("m", m), checked_size("k", k), checked_size("n", n)


def gemm(
    machine: SystolicMachine | SimtMachine,
    m: int,
    k: int,
    n: int,
    *,
    transa: bool = False,
    transb: bool = False,
    dtype: str = "bfloat16",
    engine: str | None = None,
) -> GemmResult:
    """Time, utilization and energy of one GEMM. ``transa``, ``transb``: the operand is stored transposed.

    On a systolic core operands come from HBM and the result goes back there. An array whose sizes are not
    powers of two is timed alone, its operands laid out as it wants them (no transposes). ``engine`` is
    ``event`` unless it is given; a SIMT machine has one model and takes none.

    Raises:
        ConfigError: an argument that is none, or that the machine does not have.
        CompileError: the GEMM does not fit the machine.
    """
    check_machine(machine, SystolicMachine, SimtMachine)
    m, k, n = checked_shape(m, k, n)
    check_flag("transa", transa)
    check_flag("transb", transb)
    if isinstance(machine, SimtMachine):
        if engine is not None:
            raise ConfigError(f"engine = {given(engine)}: {machine.name} is a SIMT machine and takes none")
        return _simt(machine, m, k, n, transa, transb, dtype)
    engine = "event" if engine is None else engine
    check_choice("engine", engine, ENGINES)
    if dtype not in SYSTOLIC_TYPES:
        raise ConfigError(f"dtype = {given(dtype)}: {machine.name} has {', '.join(SYSTOLIC_TYPES)}")
    if machine.is_power_of_two:
        graph = gemm_graph(m, k, n, transa, transb, dtype)
        if is_long(graph, machine):
            return _result(machine, time_in_parts(graph, machine, engine), m, k, n)
        program = compile_graph(graph, machine)
        validate_compiled(program, machine)
    else:
        if transa or transb:
            raise ConfigError(
                f"transa, transb: the sizes of {machine.name} are not powers of two, so its array is timed "
                "alone, its operands as it wants them; N is allowed"
            )
        program = compile_array_gemm(machine, m, k, n, dtype)
    return _measured(machine, program, time_program(machine, program, engine), m, k, n)


def _measured(machine: SystolicMachine, program: Program, trace: Trace, m: int, k: int, n: int) -> GemmResult:
    return _result(machine, Timed(measure(machine, program, trace), len(program)), m, k, n)


def _result(machine: SystolicMachine, timed: Timed, m: int, k: int, n: int) -> GemmResult:
    metrics = timed.metrics
    energy = systolic_energy(machine, metrics.counters)
    return GemmResult(
        m,
        k,
        n,
        metrics.cycles,
        metrics.time_us,
        metrics.utilization,
        metrics.macs,
        metrics.bound,
        metrics.stalls,
        energy.energy_pj,
        metrics.engine,
        machine.name,
        {"instructions": timed.instructions, "hbm_bytes": metrics.counters.hbm_bytes},
    )


def _simt(machine: SimtMachine, m: int, k: int, n: int, transa: bool, transb: bool, dtype: str) -> GemmResult:
    if dtype not in SIMT_TYPES:
        raise ConfigError(f"dtype = {given(dtype)}: {machine.name} has {', '.join(SIMT_TYPES)}")
    kernel = simulate_gemm(machine, m, k, n, transa=transa, transb=transb, dtype=cast(Any, dtype))
    energy = simt_energy(
        machine.technology.process_nm,
        {dtype: m * k * n},
        dram_bytes=kernel.bytes_dram,
        l2_bytes=kernel.bytes_l2,
        l2_capacity_bytes=machine.l2.capacity_bytes,
    )
    return GemmResult(
        m,
        k,
        n,
        kernel.cycles,
        kernel.time_us,
        kernel.utilization,
        m * k * n,
        kernel.bound,
        {},
        energy.energy_pj,
        "simt",
        machine.name,
        {
            "tile": kernel.tile,
            "splits": kernel.splits,
            "blocks": kernel.blocks,
            "waves": kernel.waves,
            "occupancy": kernel.occupancy,
            "l2_bytes": kernel.bytes_l2,
            "dram_bytes": kernel.bytes_dram,
        },
    )


# -- SCALE-Sim's counting rule
# --------------------------------------------------------------------------------------


def scalesim_machine(machine: SystolicMachine, m: int, k: int, n: int) -> SystolicMachine:
    """The array of ``machine`` as SCALE-Sim sees it: one weight buffer, no overlap, memories that never
    make it wait.

    Rows, columns, dataflow and all latencies of the array stay as they are.
    """
    mapping = array_gemm(machine, m, k, n)
    lines = max(machine.accumulators.lines, accumulator_lines(machine, mapping))
    capacity = max(machine.unified_buffer.capacity_bytes, 4 * machine.line_elements * (lines + 8))
    capacity += buffer_granules(machine, mapping, 1) * machine.line_elements
    endless = Fraction(2**30)
    return machine.model_copy(
        update={
            "matrix_unit": machine.matrix_unit.model_copy(update={"weight_buffers": 1, "overlap": False}),
            "hbm": machine.hbm.model_copy(
                update={"bytes_per_cycle": endless, "latency_cycles": 0, "capacity_bytes": 2**40 - 1}
            ),
            "unified_buffer": machine.unified_buffer.model_copy(update={"capacity_bytes": capacity}),
            "accumulators": machine.accumulators.model_copy(update={"lines": lines}),
            "weight_fifo": machine.weight_fifo.model_copy(update={"depth_tiles": 64}),
            "sequencer": machine.sequencer.model_copy(update={"queue_depth": 4096}),
        }
    )


def gemm_scalesim(
    machine: SystolicMachine, m: int, k: int, n: int, *, dtype: str = "bfloat16", engine: str = "event"
) -> GemmResult:
    """The cycles that SCALE-Sim 3 reports for this GEMM, from a real Program and its Trace.

    Counted from the first weight (os: operand) entering the array to the last result at its edge, as the
    index of the last cycle, which is one less than their number. Output-stationary leaves the shift-out of
    the results out.

    Raises:
        ConfigError: an argument is none that is allowed.
        CompileError: the sizes are too large for one Program.

    Source: SCALE-Sim v3, compute simulation without memory stalls.
    """
    check_systolic(machine)
    m, k, n = checked_shape(m, k, n)
    check_choice("engine", engine, ENGINES)
    if dtype not in SYSTOLIC_TYPES:
        raise ConfigError(f"dtype = {given(dtype)}: {machine.name} has {', '.join(SYSTOLIC_TYPES)}")
    ideal = scalesim_machine(machine, m, k, n)
    program = compile_array_gemm(ideal, m, k, n, dtype)
    if ideal.is_power_of_two:  # sub-lines of other sizes are not defined
        validate_compiled(program, ideal)
    trace = time_program(ideal, program, engine)
    result = _measured(ideal, program, trace, m, k, n)
    cycles = array_cycles(ideal, program, trace) - 1
    unit = machine.matrix_unit
    utilization = result.macs / (unit.rows * unit.cols * (cycles + 1))
    details = {**result.details, "folds": array_gemm(machine, m, k, n).folds, "compat": "scalesim"}
    return GemmResult(
        m,
        k,
        n,
        cycles,
        cycles / machine.clock.mhz,
        utilization,
        result.macs,
        "compute",
        result.stalls,
        result.energy_pj,
        engine,
        machine.name,
        details,
    )


def array_cycles(machine: SystolicMachine, program: Program, trace: Trace) -> int:
    """Cycles from the first operand in to the last result at the array's edge, shift-outs left out."""
    array = array_times(machine)
    matmuls = program.records["opcode"] == Opcode.MATMUL
    events = trace.events[matmuls]
    if machine.matrix_unit.dataflow != "os":
        rows = int(program.records["rows"][matmuls][-1])
        last_result = int(events["start"][-1]) + array.operand + rows - 1 + array.result
        return last_result - int(trace.shifts["start"][0])
    # A chain of MATMULs up to a DRAIN is one fold: from its first operands in to its last sum.
    opcodes = program.records["opcode"]
    drains = trace.events[opcodes == Opcode.DRAIN]
    total, first = 0, None
    folds = iter(drains["start"])
    upto = int(next(folds))
    end = 0
    for event in events:
        if int(event["start"]) >= upto:
            assert first is not None
            total, first, upto = total + end - first, None, int(next(folds))
        if first is None:
            first = int(event["start"]) + array.operand
        end = int(event["end"])
    assert first is not None
    return total + end - first
