"""The divergence report: which transaction, which cycle, which value, and what was around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from simulator.cosim.bench.checker import Compared
from simulator.cosim.bench.model import Tile
from simulator.numerics.kernels import from_bfloat16

_AROUND = 4  # results shown on either side of the first divergence
_MAP_LINES, _MAP_LANES = 32, 64
_PROBLEMS = 5


def report(
    tile: Tile, before: Sequence[Compared], compared: Sequence[Compared], problems: Iterable[str], seed: int
) -> str:
    """The text for a tile with a divergence; ``before`` are results of earlier tiles."""
    integers = tile.held.dtype == np.int8
    wrong = [one for one in compared if one.wrong]
    arrived = sum(one.offered is not None for one in compared)
    values, cycles = sum(one.wrong_value for one in wrong), sum(one.wrong_cycle for one in wrong)
    lines = [
        f"{tile.name}, seed {seed}: of {len(compared)} results {arrived} came, {values} have a wrong value, "
        f"{cycles} a wrong cycle"
    ]
    told = list(problems)
    lines += [f"  {text}" for text in told[:_PROBLEMS]]
    if len(told) > _PROBLEMS:
        lines.append(f"  and {len(told) - _PROBLEMS} more of this kind")
    missing = [one for one in compared if one.offered is None]
    first = min(wrong, key=lambda one: one.offered or 0) if wrong else missing[0] if missing else None
    if first is not None:
        lines += ["first: " + _sentence(first, integers)]
        lines += _operands(tile, first)
        lines += _neighbourhood([*before, *compared], first, integers)
    if wrong or missing:
        lines += _map(compared)
    return "\n".join(lines)


def show(word: int | None, integers: bool) -> str:
    """A 32-bit word as hexadecimal and as what it means."""
    if word is None:
        return "X"
    bits = np.array(word, np.uint32)
    meaning = str(int(bits.view(np.int32))) if integers else f"{float(bits.view(np.float32)):.9g}"
    return f"0x{word:08x} = {meaning}"


def _sentence(one: Compared, integers: bool) -> str:
    where = f"result {one.number} (line {one.line}, lane {one.lane})"
    if one.offered is None:
        return f"{where} never came, expected {show(one.expected, integers)}"
    parts = []
    if one.wrong_cycle:
        parts.append(f"was offered in cycle {one.offered}, expected {_due(one.due)}{_late(one)}")
    if one.wrong_value:
        value, expected = show(one.word, integers), show(one.expected, integers)
        parts.append(f"in cycle {one.offered} is {value}, expected {expected}{_apart(one, integers)}")
    return f"{where} {'; '.join(parts)}"


def _due(due: int | range | None) -> str:
    if isinstance(due, range):
        return f"{due.start}..{due.stop - 1}"
    return "-" if due is None else str(due)


def _late(one: Compared) -> str:
    if not isinstance(one.due, int) or one.offered is None:
        return ""
    away = one.offered - one.due
    return f" ({abs(away)} {'late' if away > 0 else 'early'})"


def _apart(one: Compared, integers: bool) -> str:
    """The distance of two words: in units in the last place for floats; and the bits that differ."""
    if one.word is None:
        return ""
    differ = f"bits 0x{one.word ^ one.expected:08x}"
    if integers:
        away = (one.word - one.expected + 2**31) % 2**32 - 2**31
        return f" (off by {away:+d}, {differ})"
    if max(one.word & 0x7FFFFFFF, one.expected & 0x7FFFFFFF) >= 0x7F800000:
        return f" ({differ})"
    ranks = [-(word & 0x7FFFFFFF) if word >> 31 else word for word in (one.word, one.expected)]
    return f" (off by {ranks[0] - ranks[1]:+d} ulp, {differ})"


def _operands(tile: Tile, one: Compared) -> list[str]:
    streamed = tile.streamed[:, one.line] if tile.dataflow == "os" else tile.streamed[one.line]
    rows = []
    for name, values in (("streamed", streamed), ("held", tile.held[:, one.lane])):
        if values.dtype == np.int8:
            shown = [str(value) for value in values.tolist()]
        else:
            floats = from_bfloat16(np.ascontiguousarray(values)).tolist()
            shown = [f"{value:.4g} ({word:04x})" for value, word in zip(floats, values.tolist(), strict=True)]
        rows.append(f"  {name + ':':<9} [{', '.join(shown)}]")
    return rows


def _neighbourhood(every: Sequence[Compared], first: Compared, integers: bool) -> list[str]:
    at = next(i for i, one in enumerate(every) if one is first)
    width = 12 + (11 if integers else 16)
    lines = [f"  tile result line lane   cycle  expected   {'value':<{width}} expected"]
    for one in every[max(0, at - _AROUND) : at + _AROUND + 1]:
        mark = ">" if one is first else "!" if one.wrong else " "
        cycle = "-" if one.offered is None else str(one.offered)
        value = "never came" if one.offered is None else show(one.word, integers)
        place = f"{one.tile:>4} {one.number:>6} {one.line:>4} {one.lane:>4}"
        words = f"{value:<{width}} {show(one.expected, integers)}"
        lines.append(f"{mark} {place} {cycle:>7} {_due(one.due):>9}   {words}")
    return lines


def _map(compared: Sequence[Compared]) -> list[str]:
    lines, lanes = (1 + max(getattr(one, axis) for one in compared) for axis in ("line", "lane"))
    grid = [[" "] * min(lanes, _MAP_LANES) for _ in range(min(lines, _MAP_LINES))]
    for one in compared:
        if one.line < len(grid) and one.lane < len(grid[0]):
            sign = "?" if one.offered is None else "V" if one.wrong_value else "C" if one.wrong_cycle else "."
            grid[one.line][one.lane] = sign
    cut = "" if (len(grid), len(grid[0])) == (lines, lanes) else f", the first {len(grid)} x {len(grid[0])}"
    head = f"  lines x lanes of the tile{cut}: . equal, V value, C cycle, ? never came"
    return [head, *("    " + "".join(row) for row in grid)]
