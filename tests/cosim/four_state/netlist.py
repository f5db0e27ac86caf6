"""The harness as a netlist with its memories filled: what a four-state simulator is given.

Yosys elaborates the SystemVerilog and optimises nothing, so that no X becomes a convenient value. Registers,
the unified buffer and the accumulators hold X until something writes them.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from simulator.cosim.images import write_images
from simulator.cosim.parameters import parameters_of, run_time_inputs
from simulator.cosim.synth.yosys import read, run
from tests.cosim.support import Case, initial

# Memories that hold something at power-up: file of the harness -> memory.
FILLED = {"program": "program_mem", "hbm": "u_hbm.mem", "host": "u_host.mem"}


def small_parameters(case: Case) -> dict[str, int]:
    """The parameters of the build, with memories no larger than the Program needs."""
    machine, granules = case.machine, case.program.memory_granules
    sizes = {
        "UB_GRANULES": machine.buffer_granules,
        "ACC_LINES": machine.accumulators.lines,
        "QUEUE_DEPTH": machine.sequencer.queue_depth,
        "FIFO_DEPTH": machine.weight_fifo.depth_tiles,
        "MAX_LATENCY": max(machine.hbm.latency_cycles, machine.host_link.latency_cycles) + 1,
        "PROGRAM_LENGTH": len(case.program) + 1,
        "HBM_GRANULES": sum(granules.values()) + 16,
        "HOST_GRANULES": max(granules.values()),
    }
    powers = {name: 1 << (size - 1).bit_length() for name, size in sizes.items()}
    return replace(parameters_of(machine, case.program), **powers).as_dict()


def write_netlist(folder: Path, case: Case, mutant: int = 0) -> Path:
    """``harness.il``: one module whose inputs are ``clk_i`` and ``rst_ni``."""
    path = folder / "harness.il"
    top = read("harness", small_parameters(case))
    run([top, "hierarchy -check -top harness", "proc", "flatten", "bwmuxmap", f"write_rtlil {path}"])
    text = path.read_text()
    constants = run_time_inputs(case.machine, case.program) | {"mutant": mutant}
    connections = []

    def constant(port: re.Match[str]) -> str:
        """An input as a wire with a value."""
        width = int(port["width"] or 1)
        value = constants[port["name"].removeprefix("cfg_").removesuffix("_i")]
        connections.append(f"  connect \\{port['name']} {width}'{value:0{width}b}\n")
        return f"  wire {port['vector'] or ''}\\{port['name']}\n"

    pattern = r"^  wire (?P<vector>width (?P<width>\d+) )?input \d+ \\(?P<name>cfg_\w+)\n"
    text = re.sub(pattern, constant, text, flags=re.MULTILINE)
    write_images(folder, case.machine, case.program, initial(case))
    widths = {"program": len(case.program.encode()) // len(case.program)}
    for name, memory in FILLED.items():
        words = np.fromfile(folder / f"{name}.bin", np.uint8)
        connections.append(_filled(memory, words, widths.get(name, case.machine.line_elements)))
    module, end, rest = text.rpartition("end\n")
    path.write_text(module + "".join(connections) + end + rest)
    return path


def _filled(memory: str, content: np.ndarray, width: int) -> str:
    """The cell that gives a memory's first words their values; ``width`` in bytes."""
    bits = "".join(f"{byte:08b}" for byte in content[::-1])
    return (
        f"  cell $meminit_v2 $fill${memory}\n"
        f'    parameter \\MEMID "\\\\{memory}"\n    parameter \\ABITS 32\n    parameter \\PRIORITY 0\n'
        f"    parameter \\WIDTH {8 * width}\n    parameter \\WORDS {len(content) // width}\n"
        f"    connect \\ADDR 32'{0:032b}\n    connect \\DATA {len(bits)}'{bits}\n"
        f"    connect \\EN {8 * width}'{'1' * 8 * width}\n  end\n"
    )
