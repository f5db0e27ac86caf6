"""Numbers as people read them."""

from __future__ import annotations

import math

_SPACE = "\u00a0"  # a number and its unit stay on one line
_TIMES = ((1e6, "s"), (1e3, "ms"), (1.0, "µs"), (1e-3, "ns"))
_ENERGIES = ((1e12, "J"), (1e9, "mJ"), (1e6, "µJ"), (1e3, "nJ"), (1.0, "pJ"))
_COUNTS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def integer(value: float) -> str:
    """With thousands separators."""
    return f"{value:,.0f}"


def significant(value: float, digits: int = 3) -> str:
    """With so many significant digits, thousands separators, never in exponents."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def optional_percent(fraction: float, decimals: int = 1) -> str:
    """``percent``, or for NaN that it is not known."""
    return percent(fraction, decimals) if math.isfinite(fraction) else "unknown"


def finite(value: float, digits: int = 3) -> str:
    """``significant``, or that the number is not finite."""
    return significant(value, digits) if math.isfinite(value) else "not finite"


def percent(fraction: float, decimals: int = 1) -> str:
    """A fraction of one as per cent; one below a hundredth keeps two significant digits."""
    if not math.isfinite(fraction):
        return str(fraction)
    if decimals and 0 < abs(fraction) < 0.00995:
        return f"{significant(100 * fraction, 2)}{_SPACE}%"
    return f"{100 * fraction:.{decimals}f}{_SPACE}%"


def time(us: float) -> str:
    """Microseconds with the prefix that fits."""
    return _scaled(us, _TIMES)


def energy(pj: float) -> str:
    """Picojoules with the prefix that fits."""
    return _scaled(pj, _ENERGIES)


def rate(per_second: float, unit: str) -> str:
    """Something per second with the prefix that fits."""
    return f"{_scaled(per_second, _COUNTS)}{unit}"


def tick(value: float) -> str:
    """A round number with the prefix that fits, for an axis."""
    factor, unit = _scale(value, _COUNTS)
    return f"{value / factor:g} {unit}".strip()


def time_scale(us: float) -> tuple[float, str]:
    """``(factor, unit)``: microseconds divided by the factor are so many units."""
    return _scale(us, _TIMES)


def energy_scale(pj: float) -> tuple[float, str]:
    """``(factor, unit)``: picojoules divided by the factor are so many units."""
    return _scale(pj, _ENERGIES)


def shorten(text: str, length: int) -> str:
    """Cut to ``length`` characters, the end replaced by an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def plural(count: int, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _scale(value: float, scales: tuple[tuple[float, str], ...]) -> tuple[float, str]:
    return next((pair for pair in scales if abs(value) >= pair[0]), scales[-1])


def _scaled(value: float, scales: tuple[tuple[float, str], ...]) -> str:
    factor, unit = _scale(value, scales)
    return f"{significant(value / factor)}{_SPACE}{unit}"
