"""Element-by-element and reduction kernels: bytes, instructions and latencies of a grid of thread blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.errors import OutOfDomain
from simulator.machines.simt import WARP_THREADS, SimtMachine
from simulator.simt.gemm import waves_of
from simulator.simt.occupancy import Occupancy, occupancy
from simulator.simt.result import Bound, KernelTiming, Wave
from simulator.units import ceil_div

BLOCK_THREADS = 128  # as PyTorch launches its element-by-element kernels
THREAD_ELEMENTS = 4  # one 16-byte access of float32
BLOCK_ELEMENTS = BLOCK_THREADS * THREAD_ELEMENTS
REDUCE_BLOCK_ELEMENTS = 16 * BLOCK_ELEMENTS  # of a reduction; longer sums take a second pass
_REGISTERS = 32
_PARTIAL_BYTES = 4
# A loop over more than this share of L2 evicts what it comes back to: sets fill unevenly. Past the second
# share nothing is found. Seen on A100: 30 and 33 MB of 40 MiB.
_L2_KEEPS, _L2_LOSES = 0.7, 0.8

# Instructions per element of the float32 pipe and of the special-function unit. Sources: one each for IEEE
# add, multiply, compare, select and convert; the others count the instructions of CUDA's math library for
# float32 (pulsetrain's estimate).
INSTRUCTIONS: Mapping[str, tuple[int, int]] = {
    "divide": (8, 1),
    "power": (50, 2),
    "sqrt": (7, 1),
    "exp": (6, 1),
    "log": (12, 0),
    "tanh": (12, 2),
}
_ONE_INSTRUCTION = (1, 0)


@dataclass(frozen=True)
class StreamShape:
    """A kernel over ``elements`` elements.

    ``special`` and ``instructions`` are per element, summed over the fused operations.
    ``dram_read_bytes`` is what L2 does not hold; ``accesses`` counts the tensors read and written;
    ``results`` is 0 unless it is a reduction; ``written_back`` is the share of the written bytes that leave
    L2 for DRAM.
    """

    elements: int
    read_bytes: int
    dram_read_bytes: int
    write_bytes: int
    instructions: int
    special: int
    accesses: int
    results: int = 0
    written_back: float = 1.0


def instructions_of(op: str) -> tuple[int, int]:
    """Float32-pipe and special-function instructions of one element of a graph operation."""
    return INSTRUCTIONS.get(op, _ONE_INSTRUCTION)


def missed_share(machine: SimtMachine, loop_bytes: int) -> float:
    """The share of a kernel's bytes that L2 does not have when the kernel is repeated on the same tensors.

    Units: ``loop_bytes`` is all that one repetition reads and writes.
    """
    filled = loop_bytes / machine.l2.capacity_bytes
    return min(1.0, max(0.0, (filled - _L2_KEEPS) / (_L2_LOSES - _L2_KEEPS)))


def stream_timing(machine: SimtMachine, shape: StreamShape) -> KernelTiming:
    """A kernel whose every block reads, computes and writes its own elements once."""
    sm, l2 = machine.sm, machine.l2
    resident = stream_occupancy(machine)
    per_block = REDUCE_BLOCK_ELEMENTS if shape.results else BLOCK_ELEMENTS
    blocks = max(1, ceil_div(shape.elements, per_block))
    # 16-byte accesses are one instruction for four elements; each costs an address calculation.
    memory_instructions = 2 * shape.accesses / THREAD_ELEMENTS
    issue = (shape.instructions + shape.special + memory_instructions) / WARP_THREADS / sm.issue_per_cycle
    lanes = shape.instructions / sm.fp32_fma_per_cycle
    special = shape.special / sm.special_per_cycle
    element_cycles = max(issue, lanes, special)
    cold = machine.dram.latency_cycles if shape.dram_read_bytes else l2.latency_cycles
    # A block's own chain: its loads, then each of its instructions in turn.
    chain = cold + shape.instructions * sm.fma_latency_cycles
    if shape.results:
        steps = per_block // BLOCK_ELEMENTS - 1 + int(math.log2(BLOCK_THREADS))
        chain += steps * sm.shared_memory_latency_cycles
    dram_bytes = shape.dram_read_bytes + round(shape.write_bytes * shape.written_back)
    l2_bytes = shape.read_bytes + shape.write_bytes
    parts: dict[Bound, float] = {}
    waves = []
    for count, repeats in waves_of(blocks, sm.count * resident.blocks):
        share = count / blocks
        per_sm = ceil_div(count, sm.count)
        rate = min(l2.bytes_per_cycle, min(count, sm.count) * l2.bytes_per_cycle_per_sm)
        costs: dict[Bound, float] = {
            "compute": per_sm * min(per_block, shape.elements) * element_cycles,
            "l2": share * l2_bytes / rate,
            "dram": share * dram_bytes / machine.dram_bytes_per_cycle,
            "latency": float(chain),
        }
        bound = max(costs, key=lambda name: costs[name])
        parts[bound] = parts.get(bound, 0.0) + repeats * costs[bound]
        waves.append(Wave(count, per_sm, math.ceil(costs[bound]), repeats))
    # The first loads; where latency bounds every wave, the chain has them.
    ends: dict[Bound, float] = {"latency": 0.0 if parts.keys() == {"latency"} else float(cold)}
    # The last resident blocks compute when no more loads are under way, on average from half of them on.
    last = min(resident.blocks, ceil_div(blocks, sm.count)) * min(per_block, shape.elements)
    computing = shape.results or not parts.keys().isdisjoint({"compute", "latency"})
    rest = 0.0 if computing else last * element_cycles / 2
    second: dict[Bound, float] = {}
    if shape.results and shape.elements > shape.results * per_block:
        second, moved = _second_pass(machine, shape, per_block)
        l2_bytes += moved
    for bound, cycles in (*ends.items(), ("compute", rest), *second.items()):
        parts[bound] = parts.get(bound, 0.0) + cycles
    return KernelTiming(
        fill_cycles=int(ends["latency"]),
        waves=tuple(waves),
        drain_cycles=math.ceil(rest) + math.ceil(sum(second.values())),
        parts=parts,
        occupancy=resident.fraction,
        tile=str(per_block),
        splits=1,
        dram_bytes=dram_bytes,
        l2_bytes=l2_bytes,
        needed_blocks=blocks,
    )


def _second_pass(machine: SimtMachine, shape: StreamShape, per_block: int) -> tuple[dict[Bound, float], int]:
    """The kernel that reduces the first one's partial results, and the bytes that it moves within L2."""
    partial = shape.results * ceil_div(shape.elements, shape.results * per_block) * _PARTIAL_BYTES
    blocks = ceil_div(shape.results, BLOCK_THREADS)
    rate = min(machine.l2.bytes_per_cycle, min(blocks, machine.sm.count) * machine.l2.bytes_per_cycle_per_sm)
    parts: dict[Bound, float] = {
        "launch": float(machine.to_cycles(machine.launch.device_us)),
        "latency": float(machine.l2.latency_cycles),
        "l2": partial / rate,
    }
    return parts, 2 * partial


def stream_occupancy(machine: SimtMachine) -> Occupancy:
    """Residents of an SM for these kernels' blocks.

    Raises:
        OutOfDomain: not even one fits.
    """
    resident = occupancy(machine, BLOCK_THREADS, _REGISTERS, 0)
    if not resident.blocks:
        raise OutOfDomain(f"{machine.name}: an SM has no room for a thread block of {BLOCK_THREADS} threads")
    return resident
