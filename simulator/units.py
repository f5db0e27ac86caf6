"""Conversions between cycles, seconds and bytes; exact where exactness is promised."""

from fractions import Fraction


def ceil_div(numerator: int, denominator: int) -> int:
    """Integer ceiling of ``numerator / denominator`` for non-negative integers."""
    return -(-numerator // denominator)


def transfer_cycles(n_bytes: int, bytes_per_cycle: Fraction) -> int:
    """Cycles a port with a rational rate is occupied by ``n_bytes``; the remainder is not carried over."""
    return ceil_div(n_bytes * bytes_per_cycle.denominator, bytes_per_cycle.numerator)


def cycles_to_us(cycles: int, clock_mhz: float) -> float:
    """Microseconds that ``cycles`` take at ``clock_mhz`` (one MHz is one cycle per microsecond)."""
    return cycles / clock_mhz
