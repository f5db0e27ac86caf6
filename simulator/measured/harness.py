"""What a measurement's own method adds to the kernel's time.

Under CUDA graphs, and in loops of many launches, kernels follow one another and nothing is added. An *eager*
measurement records an event, calls the framework once and records another event on an idle GPU:

* the kernel starts when the host has got as far as launching it: ``lag_us`` after the first event;
* the second event is recorded when the host has returned from the call: never before ``floor_us``.

These are times of a host computer and of a framework's call, not of the GPU: no machine description has them.
Those of element-by-element kernels are ``fit``'s; of the GEMMs the floor is too, and the lag is the one of
least error with known kernels.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.measured.rows import Elementwise, Gemm, Row


@dataclass(frozen=True)
class Harness:
    """The host's part of an eager measurement.

    Units: ``lag_us`` from the first event to the kernel's launch, ``floor_us`` from the first event to the
    second where the kernel takes no time.
    """

    lag_us: float
    floor_us: float

    def time_us(self, kernel_us: float) -> float:
        """What the measurement reads for a kernel."""
        return max(self.floor_us, self.lag_us + kernel_us)


NONE = Harness(0.0, 0.0)
_SHORTEST = 5  # one in so many measurements shows the floor
_WELL_ABOVE = 2.0
WRAPPED = ("addu", "mulu", "divu", "powu", "relu")  # a Python function or a number to convert comes before

# By the machine that stands for the GPU: each set has measured one host per GPU.
_ELEMENTWISE: Mapping[str, tuple[Harness, Harness]] = {  # plain operations, wrapped ones
    "v100_pcie": (Harness(13.7, 32.5), Harness(18.3, 38.8)),
    "a100_40_pcie": (Harness(13.7, 26.4), Harness(15.5, 31.5)),
}
_GEMM: Mapping[str, Harness] = {
    "v100_pcie": Harness(36.0, 66.0),
    "a100_40_pcie": Harness(11.0, 55.5),
}


def harness_of(row: Row, machine: str) -> Harness:
    """What the measurement of a row adds; ``machine`` is the name of the one that stands for its GPU.

    A host that is not in the tables is taken as the mean of those that are.
    """
    if not row.eager:
        return NONE
    if isinstance(row, Elementwise):
        wrapped = row.op in WRAPPED
        pair = _ELEMENTWISE.get(machine)
        return pair[wrapped] if pair else _mean([pair[wrapped] for pair in _ELEMENTWISE.values()])
    known = _GEMM.get(machine) if isinstance(row, Gemm) else None
    return known or _mean(list(_GEMM.values()))


def fit(measured_us: Sequence[float], kernel_us: Sequence[float]) -> Harness:
    """The host's part, from eager measurements and the times of their kernels.

    The floor is the median of the measurements whose kernels are shortest, the lag the median of what is
    left of those that last well above it.

    Raises:
        ValueError: fewer than two measurements of either kind.
    """
    pairs = sorted(zip(kernel_us, measured_us, strict=True))
    shortest = [measured for _, measured in pairs[: len(pairs) // _SHORTEST]]
    if len(shortest) < 2:
        raise ValueError(f"{len(pairs)} measurements: too few to tell the host's part")
    floor = statistics.median(shortest)
    left = [measured - kernel for kernel, measured in pairs if measured > _WELL_ABOVE * floor]
    if len(left) < 2:
        limit = f"{_WELL_ABOVE:g} x {floor:.1f} us"
        raise ValueError(f"{len(left)} measurements above {limit}: too few to tell the lag")
    return Harness(statistics.median(left), floor)


def _mean(harnesses: list[Harness]) -> Harness:
    count = len(harnesses)
    return Harness(sum(h.lag_us for h in harnesses) / count, sum(h.floor_us for h in harnesses) / count)
