"""Kernel times in microseconds: the one door through which measurements are compared with the model."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.machines.simt import Dtype, SimtMachine
from simulator.simt.alignment import alignment_of
from simulator.simt.gemm import gemm_timer
from simulator.simt.ingredients import ALL, Ingredients
from simulator.simt.kernels import ITEM_BYTES
from simulator.simt.main_loop import AlongK
from simulator.simt.memory import WEIGHT_COPIES, GemmShape, repeated
from simulator.simt.result import KernelTiming
from simulator.simt.streaming import StreamShape, instructions_of, missed_share, stream_timing


@dataclass(frozen=True)
class GemmProblem:
    """``C[m,n] = A[m,k] @ B[k,n]``, row-major; ``transa``: A is stored (k, m); ``transb``: B is stored
    (n, k).
    """

    m: int
    k: int
    n: int
    transa: bool = False
    transb: bool = False
    dtype: Dtype = "bfloat16"

    @property
    def shape(self) -> GemmShape:
        """Sizes, and bytes of an element: results are of the operands' type, of int8 they are int32."""
        item = ITEM_BYTES[self.dtype]
        return GemmShape(self.m, self.k, self.n, item, 4 if self.dtype == "int8" else item)

    @property
    def along_k(self) -> AlongK:
        """Which operands lie along k in memory."""
        return AlongK(not self.transa, self.transb)


@dataclass(frozen=True)
class KnownKernel:
    """The kernel that a library ran, where a measurement names it.

    ``tile`` as libraries write it, rows of C in memory order first: ``128x64``, ``32x32_sliced1x4``;
    ``splits`` of k.
    """

    tile: str
    splits: int = 1


@dataclass(frozen=True)
class KernelTime:
    """A kernel's time from the end of the one before it, and what the time consists of.

    Units: ``time_us`` includes the launch unless the ingredient is off.
    """

    time_us: float
    launch_us: float
    timing: KernelTiming


def gemm_time(
    machine: SimtMachine,
    problem: GemmProblem,
    *,
    kernel: KnownKernel | None = None,
    weight_copies: int = WEIGHT_COPIES,
    ingredients: Ingredients | None = None,
) -> KernelTime:
    """One GEMM of a benchmark that repeats it: what fits L2 from one repetition to the next is found there.

    ``kernel``: the tile and the splits that ran (None: the model picks). ``weight_copies``: the benchmark
    goes round this many copies of B and C.

    Raises:
        ValueError: a dimension below 1, or the generation's catalogue does not have the tile.
    """
    if min(problem.m, problem.k, problem.n) < 1:
        raise ValueError(f"m, k, n = {problem.m}, {problem.k}, {problem.n}: at least 1 each is needed")
    shape, along_k, on = problem.shape, problem.along_k, ingredients or ALL
    alignment = alignment_of(machine, problem.dtype, shape, along_k)
    timer = gemm_timer(machine, problem.dtype, along_k, on, alignment)
    missing = repeated(machine, shape, weight_copies)
    if kernel is None:
        timing = timer.fastest(shape, missing)
    else:
        timing = timer.known(shape, missing, kernel.tile, kernel.splits)
    launch = machine.launch.device_us if on.launch else 0.0
    return KernelTime(timing.cycles / machine.clock.sustained_mhz + launch, launch, timing)


def elementwise_time(
    machine: SimtMachine,
    op: str,
    elements: int,
    *,
    inputs: int = 1,
    item_bytes: int = 4,
    ingredients: Ingredients | None = None,
) -> KernelTime:
    """One elementwise kernel ``out = op(in...)`` of a benchmark that repeats it; ``inputs`` tensors are
    read, one is written.

    ``op`` is an operation of the graph (``add``, ``multiply``, ``divide``, ``tanh``, ...) or ``relu``,
    ``power``.

    Raises:
        ValueError: fewer than one element.
    """
    fma, special = instructions_of(op)
    moved = elements * item_bytes
    missed = missed_share(machine, (inputs + 1) * moved)
    from_dram = round(missed * inputs * moved)
    shape = StreamShape(
        elements, inputs * moved, from_dram, moved, fma, special, inputs + 1, written_back=missed
    )
    timing = stream_timing(machine, shape)
    launch = machine.launch.device_us if (ingredients or ALL).launch else 0.0
    return KernelTime(timing.cycles / machine.clock.sustained_mhz + launch, launch, timing)
