"""Two models that need a data sheet alone, to see what the full one is worth.

*Roofline*: a kernel takes as long as its arithmetic at the peak rate, or its bytes at the peak bandwidth.
*Tile and wave*: square tiles of C, one per SM at a time; every wave, full or not, takes as long as one tile
at an SM's peak, the bytes take the peak bandwidth, and a launch takes its time. L2 holds what is shared.
Clocks are boost clocks, nothing is calibrated but the launch.
"""

from __future__ import annotations

from simulator.machines.simt import SimtMachine
from simulator.simt.kernels import ITEM_BYTES
from simulator.simt.timing import GemmProblem
from simulator.units import ceil_div

_SIDES = (256, 128, 64, 32)  # of the square tiles
_BLOCK_ELEMENTS = 1024
_INT8_RESULT_BYTES = 4


def gemm_roofline_us(machine: SimtMachine, problem: GemmProblem) -> float:
    """A GEMM at the peak rate or bandwidth."""
    macs = problem.m * problem.k * problem.n
    compute = macs / machine.peak_macs_per_cycle(problem.dtype) / machine.clock.boost_mhz
    return max(compute, _memory_us(machine, gemm_bytes(problem)))


def gemm_tile_and_wave_us(machine: SimtMachine, problem: GemmProblem) -> float:
    """A GEMM in waves of square tiles; the fastest side counts."""
    sm_macs = machine.peak_macs_per_cycle(problem.dtype) / machine.sm.count
    waves_us = []
    for side in _SIDES:
        tiles = ceil_div(problem.m, side) * ceil_div(problem.n, side)
        waves = ceil_div(tiles, machine.sm.count)
        waves_us.append(waves * side * side * problem.k / sm_macs / machine.clock.boost_mhz)
    return machine.launch.device_us + max(min(waves_us), _memory_us(machine, gemm_bytes(problem)))


def stream_roofline_us(machine: SimtMachine, moved_bytes: int) -> float:
    """An element-by-element kernel at the peak bandwidth."""
    return _memory_us(machine, moved_bytes)


def stream_tile_and_wave_us(machine: SimtMachine, elements: int, moved_bytes: int) -> float:
    """An element-by-element kernel in waves of one block per SM; a wave short of blocks costs a whole one."""
    blocks = ceil_div(elements, _BLOCK_ELEMENTS)
    whole = ceil_div(blocks, machine.sm.count) * machine.sm.count
    return machine.launch.device_us + _memory_us(machine, moved_bytes) * whole / blocks


def gemm_bytes(problem: GemmProblem) -> int:
    """Bytes of both operands and the result, each once."""
    m, k, n = problem.m, problem.k, problem.n
    item = ITEM_BYTES[problem.dtype]
    result = _INT8_RESULT_BYTES if problem.dtype == "int8" else item
    return (m * k + k * n) * item + m * n * result


def _memory_us(machine: SimtMachine, moved_bytes: int) -> float:
    return moved_bytes / (machine.dram.gb_per_s * 1e3)
