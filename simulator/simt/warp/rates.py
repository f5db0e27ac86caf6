"""Intervals and latencies of a machine's pipes, from its description."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.machines.simt import WARP_THREADS, SimtMachine
from simulator.simt.tiles import Pipe
from simulator.simt.warp.state import Core
from simulator.units import ceil_div

# Lanes for 32-bit integers per sub-core: half a warp since Volta, before that those of float32.
# Source: NVIDIA CUDA C++ Programming Guide, throughput of native arithmetic instructions, 32-bit integer add.
_INTEGER_LANES = 16
# From an mma or the end of a wgmma to its use; Sun et al., Dissecting Tensor Cores via Microbenchmarks, 2022:
# mma.m16n8k16 on A100 33 cycles; taken for Volta and Hopper, too. Recalled, unverified.
_TENSOR_LATENCY = 33
# Zhang et al., A Study of Single and Multi-device Synchronization Methods in Nvidia GPUs, 2020: a block
# synchronises in 22 cycles on V100. Recalled, unverified.
_BARRIER_LATENCY = 22
# What a sub-core's tensor core takes of wgmma's first operand per cycle: 64 rows of 32 bytes of k, a quarter
# each, in 32 cycles, as measured on H100 whatever the number of columns.
_ROW_OPERAND_BYTES = 16
# Eight accesses of 16 bytes per lane for each of four sub-cores. Not published; fewer keep tensor cores
# waiting behind copies.
_SHARED_QUEUE = 128


@dataclass(frozen=True)
class Rates:
    """Units: cycles; ``macs_per_cycle`` of the SM on the pipe that multiplies."""

    sub_cores: int
    macs_per_cycle: int
    integer_interval: int
    integer_latency: int
    fma_interval: int
    fma_latency: int
    tensor_latency: int
    shared_latency: int
    unified_l1: bool  # L1 is part of shared memory
    asynchronous_copies: bool  # from global to shared memory, not through registers

    def tensor_interval(self, macs: int) -> int:
        """Of one warp's instruction on its sub-core's tensor core."""
        return ceil_div(macs * self.sub_cores, self.macs_per_cycle)

    def wgmma_interval(self, macs: int, row_bytes: int) -> int:
        """Of one warp's part of an instruction whose rows are ``row_bytes`` of shared memory."""
        return max(self.tensor_interval(macs), ceil_div(row_bytes, _ROW_OPERAND_BYTES))

    def copy_wavefronts(self, data: int, lines: int) -> int:
        """What a warp's load or copy from global memory takes of shared memory, for ``data`` wavefronts.

        Where the L1 cache is a part of it, each line is looked up in a wavefront of its own; before Volta
        loads went past it.
        """
        return max(data, lines) if self.unified_l1 else 0


def rates_of(machine: SimtMachine, pipe: Pipe, item_bytes: int) -> Rates:
    """The rates that a main loop on this pipe runs into; ``item_bytes`` of an operand."""
    sm, tensor = machine.sm, machine.tensor_core
    lanes = sm.fp32_fma_per_cycle
    macs = lanes
    if pipe == "dp4a":
        macs, lanes = sm.int8_macs_per_cycle, sm.int8_macs_per_cycle // 4
    elif pipe != "fma":
        macs = tensor.int8_macs_per_cycle if item_bytes == 1 else tensor.fp16_macs_per_cycle
    fma_interval = ceil_div(WARP_THREADS * sm.sub_cores, lanes)
    pascal = machine.generation == "pascal"
    return Rates(
        sub_cores=sm.sub_cores,
        macs_per_cycle=macs,
        integer_interval=fma_interval if pascal else WARP_THREADS // _INTEGER_LANES,
        integer_latency=sm.fma_latency_cycles,
        fma_interval=fma_interval,
        fma_latency=sm.fma_latency_cycles,
        tensor_latency=_TENSOR_LATENCY,
        shared_latency=sm.shared_memory_latency_cycles,
        asynchronous_copies=machine.generation in ("ampere", "hopper"),
        unified_l1=machine.generation != "pascal",
    )


def core_of(machine: SimtMachine, memory_latency: int, port_bytes: int) -> Core:
    """The SM.

    Units: ``memory_latency`` in cycles from a load to its use, ``port_bytes`` per cycle to and from L2.
    """
    return Core(
        sub_cores=machine.sm.sub_cores,
        slots=machine.sm.issue_per_cycle // machine.sm.sub_cores,
        port_bytes=port_bytes,
        memory_latency=memory_latency,
        shared_queue=_SHARED_QUEUE,
        barrier_latency=_BARRIER_LATENCY,
    )
