"""Results as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.bench.harness import Result


def heading(machine: dict[str, Any]) -> str:
    """The machine in one paragraph."""
    return "\n".join(f"{name + ':':9s}{value}" for name, value in machine.items())


def text(results: Sequence[Result], before: dict[str, Any] | None = None) -> str:
    """One line per result under the name of its bench; with ``before`` also how it compares with that."""
    lines, bench, width = [], "", max(len(result.row.case) for result in results)
    earlier = {_key(row): row for row in before["rows"]} if before else {}
    for result in results:
        row = result.row
        if row.bench != bench:
            bench = row.bench
            lines += ["", bench]
        entry = _entry(result)
        line = f"  {row.case:{width}s} {_figure(result)}"
        if old := earlier.get(_key(entry)):
            line += f"  {_value(entry) / _value(old):.2f}x of before"
        lines.append(line + (f"  {row.note}" if row.note else ""))
    return "\n".join(lines)


def _figure(result: Result) -> str:
    row, threads = result.row, "" if result.row.threads == 1 else f", {result.row.threads} threads"
    ours = f"{row.ours.name}{threads} {_time(result.ours * row.ours.count)}"
    memory = "".join(f", {mib:.0f} MiB" for mib in result.mib if mib)
    if result.ratio is None or row.rival is None:
        aim = f" (aim {row.aim_rate:.1e})" if row.aim_rate else ""
        return f"{result.rate:9.3g} {row.unit}/s{aim}  {ours}{memory}"
    assert result.rival is not None and result.spread is not None
    ratio = f"{result.ratio:.3f}x" if result.ratio > 0.01 else f"1/{1 / result.ratio:,.0f}"
    aim = ""
    if row.aim_ratio:
        aim = f" (aim {row.aim_ratio:g}x)" if row.aim_ratio > 0.01 else f" (aim 1/{1 / row.aim_ratio:,.0f})"
    low, high = result.spread
    spread = f" [{low:.2f}..{high:.2f}]" if low > 0.01 else ""
    rival = f"{row.rival.name} {_time(result.rival * row.rival.count)}"
    return f"{ratio:>9s}{aim}{spread}  {ours} : {rival}{memory}"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def as_json(machine: dict[str, Any], results: Sequence[Result]) -> dict[str, Any]:
    """Everything that was found, for a comparison with another run."""
    return {"machine": machine, "rows": [_entry(result) for result in results]}


def _entry(result: Result) -> dict[str, Any]:
    row = result.row
    entry: dict[str, Any] = {
        **{"bench": row.bench, "case": row.case, "unit": row.unit, "threads": row.threads},
        **{"ours": row.ours.name, "ours_s": result.ours, "rate": result.rate, "repeats": result.repeats},
        **{"aim_rate": row.aim_rate, "aim_ratio": row.aim_ratio},
    }
    if row.rival is not None:
        entry |= {"rival": row.rival.name, "rival_s": result.rival, "ratio": result.ratio}
        entry["ratio_spread"] = result.spread
    if any(result.mib):
        entry["mib"] = result.mib
    return entry


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry.get(name) for name in ("bench", "case", "threads", "ours", "rival"))


def _value(entry: dict[str, Any]) -> float:
    """What is compared with another run: the ratio if there is one, which a busy machine changes least."""
    value: float = entry.get("ratio") or entry["ours_s"]
    return value
