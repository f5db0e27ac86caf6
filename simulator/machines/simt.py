"""The description of a SIMT machine (a GPU): one table per unit, every field with its unit and meaning.

Rates of the SM are per SM and cycle of ``clock.sustained_mhz``. Fields that no vendor publishes and that
stand for how a real part behaves are *effective* constants: their descriptions say so, and their limits are
narrow.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulator.machines.fields import Count, Flag, Megahertz, Technology, Text, Unit

Generation = Literal["pascal", "volta", "ampere", "hopper"]
Dtype = Literal["float32", "bfloat16", "float16", "int8"]

Positive = Annotated[int, Field(strict=True, ge=1, le=2**20)]
Rate0 = Annotated[int, Field(strict=True, ge=0, le=2**20)]  # 0: the pipe does not exist
Cycles = Annotated[int, Field(strict=True, ge=1, le=10_000)]
Bandwidth = Annotated[float, Field(strict=True, gt=0, le=1_000_000, allow_inf_nan=False)]
Microseconds = Annotated[float, Field(strict=True, ge=0, le=20, allow_inf_nan=False)]

WARP_THREADS = 32


class SimtClock(Unit):
    """Clocks of the SMs."""

    base_mhz: Annotated[Megahertz, Field(description="clock that is always reached")]
    boost_mhz: Annotated[Megahertz, Field(description="highest clock that the vendor states")]
    sustained_mhz: Annotated[
        Megahertz, Field(description="effective: clock that cycles are counted in; base to boost")
    ]


class Sm(Unit):
    """One streaming multiprocessor, and how many there are."""

    count: Annotated[Positive, Field(description="streaming multiprocessors (SMs) in use")]
    sub_cores: Annotated[Positive, Field(description="processing blocks of an SM, a warp scheduler in each")]
    issue_per_cycle: Annotated[Positive, Field(description="warp instructions issued per SM and cycle")]
    max_warps: Annotated[Positive, Field(description="resident warps per SM")]
    max_blocks: Annotated[Positive, Field(description="resident thread blocks per SM")]
    max_threads: Annotated[Positive, Field(description="resident threads per SM")]
    register_file_bytes: Annotated[Count, Field(description="register file of an SM")]
    registers_per_thread_limit: Annotated[Positive, Field(description="32-bit registers of a thread at most")]
    register_allocation_unit: Annotated[
        Positive, Field(description="a warp's registers are allocated in multiples of this")
    ]
    warp_allocation_unit: Annotated[
        Positive, Field(description="a block needs registers for its warps, rounded up to this")
    ]
    shared_memory_bytes: Annotated[Count, Field(description="shared memory of an SM, at its largest setting")]
    shared_memory_per_block_bytes: Annotated[Count, Field(description="shared memory that a block can have")]
    shared_memory_reserved_bytes: Annotated[
        Rate0, Field(description="shared memory that the system takes of every block")
    ]
    shared_memory_unit_bytes: Annotated[
        Positive, Field(description="a block's shared memory is allocated in multiples of this")
    ]
    shared_memory_bytes_per_cycle: Annotated[Positive, Field(description="bandwidth, reads and writes")]
    shared_memory_latency_cycles: Annotated[Cycles, Field(description="from a load to its use")]
    fma_latency_cycles: Annotated[Cycles, Field(description="from a fused multiply-add to its use")]
    fp32_fma_per_cycle: Annotated[Positive, Field(description="float32 multiply-adds per SM and cycle")]
    int8_macs_per_cycle: Annotated[
        Rate0, Field(description="int8 multiply-adds of the dot-product instruction (0: there is none)")
    ]
    special_per_cycle: Annotated[
        Positive, Field(description="reciprocal, root, exp2, log2: results per SM and cycle")
    ]


class TensorCore(Unit):
    """The tensor cores of one SM together."""

    fp16_macs_per_cycle: Annotated[Rate0, Field(description="dense multiply-adds per SM and cycle (0: none)")]
    bf16_macs_per_cycle: Annotated[Rate0, Field(description="dense multiply-adds per SM and cycle (0: none)")]
    int8_macs_per_cycle: Annotated[Rate0, Field(description="dense multiply-adds per SM and cycle (0: none)")]
    from_shared_memory: Annotated[
        Flag, Field(description="true: asynchronous, operands come from shared memory, not registers")
    ]


class L2(Unit):
    """The cache that all SMs share."""

    capacity_bytes: Annotated[Count, Field(description="size")]
    bytes_per_cycle: Annotated[Positive, Field(description="bandwidth to all SMs together")]
    bytes_per_cycle_per_sm: Annotated[Positive, Field(description="bandwidth to one SM")]
    latency_cycles: Annotated[Cycles, Field(description="from a load to its use, hit in L2")]


class Dram(Unit):
    """The off-chip memory."""

    gb_per_s: Annotated[Bandwidth, Field(description="peak bandwidth")]
    achieved_fraction: Annotated[
        float,
        Field(
            strict=True,
            ge=0.5,
            le=1,
            allow_inf_nan=False,
            description="effective: reachable share of the peak",
        ),
    ]
    capacity_bytes: Annotated[Count, Field(description="size")]
    latency_cycles: Annotated[Cycles, Field(description="from a load to its use, miss in L2")]


class Launch(Unit):
    """What a kernel costs before and after its work."""

    device_us: Annotated[
        Microseconds, Field(description="effective: an empty kernel between two others, on the device")
    ]
    host_us: Annotated[
        Microseconds, Field(description="effective: the host's time for one launch (0: CUDA graphs)")
    ]
    latency_us: Annotated[
        Microseconds, Field(description="effective: from the host's launch to the device's start")
    ]


def _effective(least: float, most: float, meaning: str) -> Any:
    """An effective constant within its limits."""
    return Field(strict=True, ge=least, le=most, allow_inf_nan=False, description=f"effective: {meaning}")


class Effective(Unit):
    """How parts of a generation behave beside their published numbers.

    Calibrated once per generation by ``python -m simulator.simt.calibrate``; what stands here is taken where
    nothing has been calibrated.
    """

    fma_fraction: Annotated[
        float, _effective(0.5, 1, "share of the float32 pipe's peak rate that lasts in a main loop")
    ] = 0.9
    tensor_fraction: Annotated[
        float, _effective(0.5, 1, "share of the tensor cores' peak rate that lasts in a main loop")
    ] = 0.9
    tensor_loaded_fraction: Annotated[
        float, _effective(0.7, 1, "tensor cores: share of it that the power limit leaves after milliseconds")
    ] = 0.9
    l2_fraction: Annotated[float, _effective(0.3, 1, "share of L2's bandwidth that GEMMs reach")] = 0.8
    l2_kept_fraction: Annotated[
        float, _effective(0.3, 1, "share of L2 that a kernel finds again what it has read in")
    ] = 0.5
    l2_left_fraction: Annotated[
        float, _effective(0.05, 1, "share of L2 that holds, when a kernel starts, what others have used")
    ] = 0.5
    tensor_store_bytes_per_cycle: Annotated[
        float, _effective(4, 64, "tensor cores: rate at which an SM stores a block's results")
    ] = 12.0
    tensor_tile_store: Annotated[
        float, _effective(0, 1, "tensor cores: share of its way out that a tile's part outside C takes, too")
    ] = 0.3
    tensor_uneven_dram: Annotated[
        float, _effective(0, 1, "tensor cores: DRAM slows down by rounds over full rounds, to this power")
    ] = 0.2
    block_cycles: Annotated[
        float, _effective(0, 2000, "cycles of a block before and after its main loop")
    ] = 300.0
    fma_overlap: Annotated[
        float, _effective(1, 16, "float32 pipe: main loop, L2 and DRAM overlap as a norm of this exponent")
    ] = 3.0
    tensor_overlap: Annotated[
        float, _effective(1, 16, "tensor cores: main loop, L2 and DRAM overlap as a norm of this exponent")
    ] = 4.0
    split_us: Annotated[
        float, _effective(0, 5, "start of the kernel that adds the parts of a cut k")
    ] = 2.5
    fma_split_serial_us: Annotated[
        float, _effective(0, 10, "float32 pipe: what each part of a cut k adds, as they are summed in turn")
    ] = 1.0
    fma_sector_fraction: Annotated[
        float,
        _effective(0.25, 1, "float32 pipe: used share of DRAM's bytes where a k-tile takes a sector per row"),
    ] = 0.5
    fma_drift: Annotated[
        float, _effective(0, 0.2, "float32 pipe: share of a main loop that blocks drift apart in a wave")
    ] = 0.02
    fma_page_cost: Annotated[
        float, _effective(0, 1, "float32 pipe: what a main loop takes longer whose rows all miss the TLB")
    ] = 0.3
    dram_ramp_us: Annotated[
        float, _effective(0, 3, "from a kernel's start until DRAM delivers at its rate")
    ] = 0.6


class SimtHostLink(Unit):
    """The link that brings batches and results between the host and the device."""

    gb_per_s: Annotated[Bandwidth, Field(description="bandwidth of one direction")]
    latency_us: Annotated[Microseconds, Field(description="effective: start of a copy to its first byte")]


class SimtMachine(Unit):
    """One GPU with its memory."""

    kind: Literal["simt"]
    name: Text
    description: str = ""
    generation: Generation  # whose library's thread-block tiles are used
    technology: Technology
    clock: SimtClock
    sm: Sm
    tensor_core: TensorCore
    l2: L2
    dram: Dram
    launch: Launch
    host_link: SimtHostLink
    effective: Effective = Field(default_factory=Effective)
    sources: dict[str, str] = Field(default_factory=dict)  # "unit.field" -> where the number comes from

    def __hash__(self) -> int:
        """Machines that compute alike hash alike; sources are no part of it."""
        units = (self.clock, self.sm, self.tensor_core, self.l2, self.dram, self.launch, self.effective)
        return hash((self.name, *units))

    @property
    def dram_bytes_per_cycle(self) -> float:
        """Bytes that the memory delivers per cycle of the sustained clock."""
        return self.dram.gb_per_s * self.dram.achieved_fraction * 1e3 / self.clock.sustained_mhz

    @property
    def registers(self) -> int:
        """32-bit registers of an SM."""
        return self.sm.register_file_bytes // 4

    def to_cycles(self, time_us: float) -> int:
        """Whole cycles of the sustained clock that a time takes."""
        return math.ceil(time_us * self.clock.sustained_mhz)

    def tensor_macs_per_cycle(self, dtype: Dtype) -> int:
        """Dense multiply-adds per SM and cycle on the tensor cores, 0 where they cannot."""
        unit = self.tensor_core
        return {
            "float32": 0,
            "bfloat16": unit.bf16_macs_per_cycle,
            "float16": unit.fp16_macs_per_cycle,
            "int8": unit.int8_macs_per_cycle,
        }[dtype]

    def peak_macs_per_cycle(self, dtype: Dtype) -> int:
        """Multiply-adds per cycle of the whole machine on the pipe that a GEMM of this type uses.

        Tensor cores where they take the type, else the dot-product instruction (int8), else the float32 pipe:
        16-bit operands are converted when they are loaded.
        """
        tensor = self.tensor_macs_per_cycle(dtype)
        dot = self.sm.int8_macs_per_cycle if dtype == "int8" else 0
        return self.sm.count * (tensor or dot or self.sm.fp32_fma_per_cycle)

    @model_validator(mode="after")
    def _consistent(self) -> SimtMachine:
        """Limits that name one another."""
        clock, sm = self.clock, self.sm
        checks = (
            ("clock.base_mhz", clock.base_mhz, "clock.boost_mhz", clock.boost_mhz),
            ("clock.sustained_mhz", clock.sustained_mhz, "clock.boost_mhz", clock.boost_mhz),
            (
                "sm.shared_memory_per_block_bytes",
                sm.shared_memory_per_block_bytes,
                "sm.shared_memory_bytes",
                sm.shared_memory_bytes,
            ),
            ("sm.sub_cores", sm.sub_cores, "sm.issue_per_cycle", sm.issue_per_cycle),
            ("sm.max_threads", sm.max_threads, "32 x sm.max_warps", WARP_THREADS * sm.max_warps),
        )
        for field, value, other, limit in checks:
            if value > limit:
                raise ValueError(f"{field} = {value:g}: at most {other} = {limit:g} is allowed")
        tensor = max(self.tensor_macs_per_cycle(dtype) for dtype in ("bfloat16", "float16", "int8"))
        if self.generation == "pascal" and tensor:
            raise ValueError(
                'generation = "pascal": tensor cores came with "volta"; 0 MACs per cycle are allowed'
            )
        if sm.register_file_bytes < 4 * sm.sub_cores * sm.registers_per_thread_limit * WARP_THREADS:
            raise ValueError(
                f"sm.register_file_bytes = {sm.register_file_bytes}: too small for one warp per sub-core of "
                f"{sm.registers_per_thread_limit} registers per thread"
            )
        return self
