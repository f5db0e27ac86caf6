"""A machine with more of something is not slower, but for what is known and bounded."""

from __future__ import annotations

import random
from itertools import product

import pytest

from simulator.machines.simt import Dtype, SimtMachine
from simulator.simt.gemm import gemm_timer
from simulator.simt.main_loop import AlongK
from simulator.simt.memory import COLD, GemmShape, Missing

ON_LANES = [(name, "float32") for name in ("gtx_1080_ti", "p100", "v100", "a100_80", "h100")]
ON_TENSOR_CORES = [("v100", "float16"), ("a100_80", "bfloat16"), ("h100", "bfloat16"), ("h100", "int8")]
ITEM = {"float32": (4, 4), "float16": (2, 2), "bfloat16": (2, 2), "int8": (1, 4)}
ROUNDING = 1 + 1e-12
VOLTA_BELIEF = 0.9  # other tiles than its favourites are taken only if they are faster by so much
NN = AlongK(True, False)


def shapes(dtype: Dtype) -> list[GemmShape]:
    """From 1 to 8192 along each side, small ones as often as large ones."""
    rng = random.Random(7)
    sizes = [[round(2 ** rng.uniform(0, 13)) for _ in range(3)] for _ in range(100)]
    return [GemmShape(m, k, n, *ITEM[dtype]) for m, k, n in sizes]


def with_more(load, name: str, part: str, factor: float, *others: str) -> SimtMachine:
    machine = load(name)
    value = {
        "dram.gb_per_s": machine.dram.gb_per_s,
        "l2.bytes_per_cycle": machine.l2.bytes_per_cycle,
        "sm.count": machine.sm.count,
    }[part]
    scaled = factor * value if isinstance(value, float) else round(factor * value)
    return load(name, f"{part}={scaled}", *others)


def slower(before: SimtMachine, after: SimtMachine, dtype: Dtype) -> tuple[float, float, float]:
    """The largest ratio of times, after to before: any one kernel, the fastest one, the one chosen."""
    timers = [gemm_timer(machine, dtype, NN) for machine in (before, after)]
    kernel = fastest = chosen = 0.0
    for shape, missing in product(shapes(dtype), (COLD, Missing(0.0, 0.0, 0.0))):
        old, new = (timer.estimate(shape, missing) for timer in timers)
        kernel = max(kernel, float((new.total / old.total).max()))
        fastest = max(fastest, float(new.total.min() / old.total.min()))
        picked = [estimate.total[0, timer.chosen(shape, estimate)[0]]
                  for timer, estimate in zip(timers, (old, new), strict=True)]  # fmt: skip
        chosen = max(chosen, float(picked[1] / picked[0]))
    return kernel, fastest, chosen


@pytest.mark.parametrize(("name", "dtype"), [*ON_LANES, *ON_TENSOR_CORES])
@pytest.mark.parametrize("part", ["dram.gb_per_s", "l2.bytes_per_cycle"])
def test_twice_the_bandwidth_slows_no_kernel(load, name: str, dtype: Dtype, part: str) -> None:
    """The kernel chosen may be another one: on Volta a favourite that is slower by what it is favoured."""
    kernel, fastest, chosen = slower(load(name), with_more(load, name, part, 2), dtype)
    assert kernel <= ROUNDING and fastest <= ROUNDING
    assert chosen <= (1 / VOLTA_BELIEF if (name, dtype) == ("v100", "float32") else 1) * ROUNDING


@pytest.mark.parametrize(("name", "dtype"), ON_LANES)
@pytest.mark.parametrize("factor", [1.25, 2])
def test_more_sms_slow_no_kernel_on_the_lanes(load, name: str, dtype: Dtype, factor: float) -> None:
    """Ampere's library counts rounds of blocks over the SMs, whatever k is, and not time: what it chooses may
    be slower than before, while the fastest is not.
    """
    kernel, fastest, chosen = slower(load(name), with_more(load, name, "sm.count", factor), dtype)
    assert kernel <= ROUNDING and fastest <= ROUNDING
    if name != "a100_80":
        assert chosen <= (1 / VOLTA_BELIEF if name == "v100" else 1) * ROUNDING


@pytest.mark.parametrize(("name", "dtype"), ON_TENSOR_CORES)
@pytest.mark.parametrize("factor", [1.25, 2])
def test_more_sms_slow_tensor_cores_by_their_share_of_dram_at_most(
    load, name: str, dtype: Dtype, factor: float
) -> None:
    """DRAM's rate counts by the share of SMs that ask for it: as many blocks on more SMs are a smaller share.

    Without that nothing is slower.
    """
    for others in ((), ("effective.tensor_uneven_dram=0.0",)):
        before, after = load(name, *others), with_more(load, name, "sm.count", factor, *others)
        limit = (after.sm.count / before.sm.count) ** before.effective.tensor_uneven_dram
        assert max(slower(before, after, dtype)) <= limit * ROUNDING
