"""The roofline: what the array could do, what a memory lets it do, what it did.

Source: S. Williams, A. Waterman, D. Patterson, "Roofline: An Insightful Visual Performance Model for
Multicore Architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from simulator.machines.systolic import SystolicMachine

OPERATIONS_PER_MAC = 2  # a multiplication and an addition


@dataclass(frozen=True)
class Roof:
    """One memory's roof and the point below it.

    Units: ``intensity`` and ``ridge`` in operations per byte, rates in operations (bytes) per second.
    """

    memory: str
    bytes_per_second: float
    bytes_moved: int
    intensity: float | None  # None: no byte moved
    ridge: float  # from here on the array, not the memory, is the limit
    attainable: float  # the lower of the two roofs at this intensity


@dataclass(frozen=True)
class Roofline:
    """A point per memory, all at the same height.

    Units: operations per second; a multiply-accumulate is two operations.
    """

    peak: float
    achieved: float
    roofs: tuple[Roof, ...]  # HBM first


def roofline(machine: SystolicMachine, macs: int, cycles: int, hbm_bytes: int, host_bytes: int) -> Roofline:
    """The roofline of ``macs`` useful multiply-accumulates done in ``cycles``."""
    clock_hz = machine.clock.mhz * 1e6
    peak = OPERATIONS_PER_MAC * machine.matrix_unit.rows * machine.matrix_unit.cols * clock_hz
    operations = OPERATIONS_PER_MAC * macs
    return Roofline(
        peak=peak,
        achieved=operations / cycles * clock_hz if cycles else 0.0,
        roofs=(
            _roof("HBM", machine.hbm.bytes_per_cycle, clock_hz, peak, operations, hbm_bytes),
            _roof("host link", machine.host_link.bytes_per_cycle, clock_hz, peak, operations, host_bytes),
        ),
    )


def _roof(memory: str, rate: Fraction, clock_hz: float, peak: float, operations: int, n_bytes: int) -> Roof:
    bandwidth = float(rate) * clock_hz
    intensity = operations / n_bytes if n_bytes else None
    return Roof(
        memory=memory,
        bytes_per_second=bandwidth,
        bytes_moved=n_bytes,
        intensity=intensity,
        ridge=peak / bandwidth,
        attainable=peak if intensity is None else min(peak, intensity * bandwidth),
    )
