"""How fast the engines time Programs: ``python -m tests.bench.bench_timing [--json]``.

All measurements of a table are made in turn, again and again, and the medians are shown: whatever else the
machine does meanwhile meets all of them. Everything here is one thread that computes, so rates are per second
of its processor time, which is elapsed time on a machine that does nothing else; elapsed times are shown too.
Nothing is asserted: a test must not depend on how busy a machine is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from simulator import fast, systolic
from simulator.fast import core
from simulator.fast.core import InstructionSet
from simulator.isa import Flag, Opcode, Records
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from tests.agreement.fast_cases import training_step
from tests.unit.systolic.programs import Assembler

REPEATS = 7
DESIGN_INSTRUCTIONS = 30_000_000  # that one measurement over designs times
MLP, WIDE = (784, 512, 512, 10), (4096,) * 5


class Row(NamedTuple):
    """One measurement: ``count`` things of a kind in a run of ``run``."""

    program: str
    instructions: int
    what: str
    unit: str
    count: float
    run: Callable[[], Any]


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


def rows(chosen: dict[str, tuple[SystolicMachine, Records]], design_instructions: int) -> list[Row]:
    """All measurements."""
    found = []
    native = core.native()
    sets = [] if native is None else [isa for isa in InstructionSet if isa <= native.best]
    for name, (machine, records) in chosen.items():
        n, prepared = len(records), fast.prepare(records)
        count = max(16, design_instructions // n // 16 * 16)
        many = designs(machine, count)

        def add(what: str, unit: str, things: float, run: Callable[..., Any], *arguments: Any) -> None:
            found.append(Row(name, n, what, unit, things, lambda: run(*arguments)))  # noqa: B023

        add("fast, cycles, Program read each time", "instructions/s", n, fast.cycles, machine, records)
        add("fast, cycles", "instructions/s", n, fast.cycles, machine, prepared)
        add("fast, Trace", "instructions/s", n, fast.simulate, machine, records)
        for isa in sets:
            label = f"fast, {count} designs ({isa.name.lower()})"
            add(label, "design-instructions/s", n * count, fast.cycles_over, many, prepared, isa)
        if n < 20_000:
            add("event, Trace", "instructions/s", n, systolic.simulate, machine, records)
    return found


class Taken(NamedTuple):
    """Seconds of one run."""

    processor: float
    elapsed: float


def measure(measurements: list[Row], repeats: int) -> list[list[Taken]]:
    """Every repeat of every row, taken in turn."""
    runs: list[list[Taken]] = [[] for _ in measurements]
    for _ in range(repeats + 1):  # the first warms caches
        for row, taken in zip(measurements, runs, strict=True):
            elapsed, processor = time.perf_counter(), time.process_time()
            row.run()
            taken.append(Taken(time.process_time() - processor, time.perf_counter() - elapsed))
    return [taken[1:] for taken in runs]


def machine_described() -> dict[str, Any]:
    """What it was measured on."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    return {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "threads": 1,
        "fast": fast.backend(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def report(measurements: list[Row], runs: list[list[Taken]]) -> list[dict[str, Any]]:
    """A dictionary per row: medians."""
    found = []
    for row, taken in zip(measurements, runs, strict=True):
        processor = statistics.median(run.processor for run in taken)
        found.append(
            {
                **{
                    "program": row.program,
                    "instructions": row.instructions,
                    "what": row.what,
                    "unit": row.unit,
                },
                "rate": row.count / processor,
                "best": row.count / min(run.processor for run in taken),
                "processor_us": 1e6 * processor,
                "elapsed_us": 1e6 * statistics.median(run.elapsed for run in taken),
            }
        )
    return found


def show(described: dict[str, Any], table: list[dict[str, Any]]) -> None:
    """The table as text."""
    print(", ".join(f"{key} {value}" for key, value in described.items()))
    program = ""
    for line in table:
        if line["program"] != program:
            program = line["program"]
            print(f"\n{program}: {line['instructions']:,} instructions")
        print(
            f"  {line['what']:36s} {line['rate']:8.3g} {line['unit']:21s} best {line['best']:8.3g}"
            f"  {line['processor_us']:9,.0f} us, elapsed {line['elapsed_us']:9,.0f} us"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    measurements = rows(programs(), DESIGN_INSTRUCTIONS)
    table = report(measurements, measure(measurements, options.repeats))
    if options.json:
        json.dump({"machine": machine_described(), "rows": table}, sys.stdout, indent=2)
    else:
        show(machine_described(), table)


if __name__ == "__main__":
    main()
