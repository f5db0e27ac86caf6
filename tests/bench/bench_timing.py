"""Timing engines: instructions, tiles and designs per second."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from simulator import fast, systolic
from simulator.api.designs import graph_cycles
from simulator.compiler import geometry_of
from simulator.fast import core
from simulator.fast.core import InstructionSet
from simulator.isa import Flag, Opcode, Records
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from tests.agreement.fast_cases import training_graph, training_step
from tests.bench.harness import Row, Side
from tests.unit.systolic.programs import Assembler

BENCH = "cycles: one thread, rates per second of processor time"
COMPILED_OFTEN = 256  # designs of the grid for each that is compiled for itself
DESIGN_INSTRUCTIONS = 30_000_000  # that one measurement over designs times
# Tiles per second: 8 us each where there is nothing else, and the large step within a second.
EVENT_AIMS = {"tiles alone, 128x128": 1 / 8e-6, "4 x 4096 x512, 128x128": 9216.0}
MLP, WIDE = (784, 512, 512, 10), (4096,) * 5


def _tiles(machine: SystolicMachine, tiles: int) -> Records:
    """WLOAD and MATMUL alone, as many rows as the array has."""
    program = Assembler()
    for _ in range(tiles):
        program.add(Opcode.WLOAD)
        flags = Flag.SWAP | Flag.RELEASE
        program.add(Opcode.MATMUL, flags=flags, rows=machine.matrix_unit.rows)
    return program.finish()


def _core(name: str, *overrides: str) -> SystolicMachine:
    machine = load_machine(name, overrides)
    assert isinstance(machine, SystolicMachine)
    return machine


def programs() -> dict[str, tuple[SystolicMachine, Records]]:
    """Training steps from hundreds to tens of thousands of instructions, and bare tiles."""
    large = _core("tpu_v2")
    sides = [f"{field}=16" for field in ("matrix_unit.rows", "matrix_unit.cols", "vector_unit.lanes")]
    small, edge = _core("tpu_v2", *sides), _core("edge_8x8")
    return {
        "784-512-512-10 x128, 128x128": (large, training_step(large, MLP, 128, "adam")),
        "784-512-512-10 x128, 16x16": (small, training_step(small, MLP, 128, "sgd")),
        "784-512-512-10 x128, 8x8": (edge, training_step(edge, MLP, 128, "sgd")),
        "4 x 4096 x512, 128x128": (large, training_step(large, WIDE, 512, "sgd")),
        "tiles alone, 128x128": (large, _tiles(large, 5000)),
    }


def designs(machine: SystolicMachine, count: int) -> fast.Designs:
    """Machines of 16 structures with latencies and bandwidths at random."""
    rng = np.random.default_rng(0)
    return fast.Designs.vary(
        machine,
        {
            "hbm.latency_cycles": rng.integers(50, 500, count),
            "hbm.bytes_per_cycle": np.stack(
                [rng.integers(100, 900, count), rng.integers(1, 8, count)], axis=1
            ),
            "host_link.latency_cycles": rng.integers(100, 1000, count),
            "host_link.bytes_per_cycle": rng.integers(5, 50, count),
            "unified_buffer.read_latency_cycles": rng.integers(1, 6, count),
            "matrix_unit.pe_latency_cycles": rng.integers(1, 4, count),
            "accumulators.adder_latency_cycles": rng.integers(1, 8, count),
            "vector_unit.alu_latency_cycles": rng.integers(1, 8, count),
            "weight_fifo.depth_tiles": rng.choice([1, 2, 4, 8], count),
            "sequencer.queue_depth": rng.choice([8, 16, 32, 64], count),
        },
    )


def rows(quick: bool) -> list[Row]:
    """All measurements; ``quick``: of one small Program."""
    if quick:
        machine = _core("edge_8x8")
        records = training_step(machine, (16, 8), 4, "sgd")
        return [*_rows("16-8", machine, records, 10_000), *_compiled("16-8", (16, 8), 4, 2)]
    found = [row for name, pair in programs().items() for row in _rows(name, *pair, DESIGN_INSTRUCTIONS)]
    return [*found, *_compiled("784-512-512-10 x128", MLP, 128, 32)]


def _rows(name: str, machine: SystolicMachine, records: Records, design_instructions: int) -> list[Row]:
    n, prepared = len(records), fast.prepare(records)
    count = max(16, design_instructions // n // 16 * 16)
    many = designs(machine, count)
    tiles = int((records["opcode"] == Opcode.WLOAD).sum())
    found: list[Row] = []

    def add(side: str, run: Callable[[], Any], things: float, unit: str, aim: float | None = None) -> None:
        case = f"{name}: {n:,} instructions, {tiles:,} tiles"
        found.append(Row(BENCH, case, Side(side, run, things), unit=unit, aim_rate=aim))

    add("fast, Program read each time", lambda: fast.cycles(machine, records), n, "instructions")
    add("fast", lambda: fast.cycles(machine, prepared), n, "instructions", 4e7)
    add("fast, Trace", lambda: fast.simulate(machine, records), n, "instructions")
    native = core.native()
    for isa in [] if native is None else [isa for isa in InstructionSet if isa <= native.best]:
        aim = 1e9 if native and isa == native.best else None
        label = f"fast, {count:,} designs, {isa.name.lower()}"
        add(label, lambda isa=isa: fast.cycles_over(many, prepared, isa), n * count, "instructions", aim)
    add("event, Trace", lambda: systolic.simulate(machine, records), tiles, "tiles", EVENT_AIMS.get(name))
    return found


def _compiled(name: str, widths: tuple[int, ...], batch: int, count: int) -> list[Row]:
    """Designs that differ in what a Program is made for: in geometry too, in a grid of it, all in a grid."""
    graph, rng, core = training_graph(widths, batch, "sgd"), np.random.default_rng(1), _core("tpu_v2")

    def changed(table: str, **fields: Any) -> dict[str, Any]:
        return {table: getattr(core, table).model_copy(update=fields)}

    def any_core(sides: tuple[int, int], room: int, lines: int, rate: Fraction) -> SystolicMachine:
        rows, cols = (2 ** rng.integers(*sides, 2)).tolist()
        tables = {
            **changed("matrix_unit", rows=rows, cols=cols),
            **changed("unified_buffer", capacity_bytes=room),
            **changed("accumulators", lines=lines),
            **changed("hbm", latency_cycles=int(rng.integers(50, 500)), bytes_per_cycle=rate),
            **changed("weight_fifo", depth_tiles=int(rng.choice([1, 2, 4, 8]))),
        }
        return core.model_copy(update=tables)

    def any_rate() -> Fraction:
        return Fraction(int(rng.integers(100, 2000)), int(rng.integers(1, 7)))

    def row(cores: list[SystolicMachine], kinds: str, aim: float | None = None) -> Row:
        label = f"fast, {len(cores):,} designs of {kinds}"
        side = Side(label, lambda: graph_cycles(graph, cores), len(cores))
        return Row(BENCH, f"{name}, rows, cols and all else vary", side, unit="designs", aim_rate=aim)

    apart: dict[Any, SystolicMachine] = {}
    while len(apart) < count:
        room, lines = 2 ** int(rng.integers(23, 26)), 2 ** int(rng.integers(10, 14))
        found = any_core((5, 10), room, lines, any_rate())
        apart.setdefault(geometry_of(found), found)
    often = COMPILED_OFTEN * count
    varied = [
        any_core((6, 9), int(rng.integers(8 << 20, 32 << 20)), int(rng.integers(1024, 8192)), any_rate())
        for _ in range(often)
    ]
    rate, lines = core.hbm.bytes_per_cycle, core.accumulators.lines
    grid = [any_core((6, 9), 2 ** int(rng.integers(23, 26)), lines, rate) for _ in range(often)]
    geometries = len({geometry_of(of) for of in varied})
    shapes = {(of.matrix_unit.rows, of.matrix_unit.cols, of.unified_buffer.capacity_bytes) for of in grid}
    return [
        row(list(apart.values()), f"{count} geometries"),
        row(varied, f"{geometries} geometries, no two of them alike", 20_000),
        row(grid, f"{len(shapes)} Programs", 20_000),
    ]
