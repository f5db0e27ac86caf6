"""The timeline of one step as Chrome/Perfetto trace JSON: a track per unit, work and waiting as slices.

One microsecond of the viewer is one cycle of the core, so that times stay whole numbers. Slices of a track
never overlap.

Source: "Trace Event Format", Google (complete events ``X``, metadata events ``M``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.isa import Function, Opcode, UnitId
from simulator.metrics import Spans, busy_spans, stall_records
from simulator.report.record import Phase
from simulator.report.words import UNIT_LABELS, UNIT_ORDER
from simulator.trace import REASONS, TRACE_UNITS, WEIGHT_SHIFTER

MAX_SLICES = 60_000
_PROCESS = 1


@dataclass(frozen=True)
class Timeline:
    """The file and what it leaves out.

    Units: cycles.
    """

    data: bytes
    slices: int
    left_out: int
    until: int  # slices that start before this cycle are all there, the others are not


def timeline(phase: Phase, max_slices: int = MAX_SLICES) -> Timeline:
    """The trace of one execution; if it has more slices than allowed, its beginning up to a stated cycle."""
    units = [TRACE_UNITS.index(name) for name in UNIT_ORDER]
    busy = {unit: busy_spans(phase.trace, unit) for unit in units}
    waits = {unit: stall_records(phase.trace, unit) for unit in units}
    starts = np.sort(
        np.concatenate([*(b.start for b in busy.values()), *(w["start"] for w in waits.values())])
    )
    until = int(starts[max_slices]) if len(starts) > max_slices else phase.metrics.cycles
    events: list[dict[str, Any]] = [_metadata("process_name", 0, f"{phase.metrics.machine}: {phase.name}")]
    slices = 0
    for order, unit in enumerate(units):
        events.append(_metadata("thread_name", unit + 1, UNIT_LABELS[TRACE_UNITS[unit]]))
        events.append(
            {
                "ph": "M", "pid": _PROCESS, "tid": unit + 1, "name": "thread_sort_index",
                "args": {"sort_index": order},
            }
        )  # fmt: skip
        mine = [
            *_busy_slices(phase, unit, busy[unit], until),
            *_stall_slices(phase, unit, waits[unit][waits[unit]["start"] < until]),
        ]
        slices += len(mine)
        events += sorted(mine, key=lambda event: int(event["ts"]))
    left_out = len(starts) - slices
    other = {
        "clock": "1 us in the viewer is 1 cycle",
        "clock_mhz": phase.metrics.clock_mhz,
        "cycles": phase.metrics.cycles,
        "slices": slices,
        "slices_left_out": left_out,
        "note": _note(phase, until, left_out),
    }
    header = json.dumps({"displayTimeUnit": "ns", "otherData": other})
    lines = ",\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    return Timeline(f'{header[:-1]}, "traceEvents": [\n{lines}\n]}}\n'.encode(), slices, left_out, until)


def _note(phase: Phase, until: int, left_out: int) -> str:
    if not left_out:
        return "complete"
    cycles = phase.metrics.cycles
    return f"{left_out:,} slices are left out: those that start in cycle {until:,} of {cycles:,} or later"


def _metadata(name: str, track: int, value: str) -> dict[str, Any]:
    return {"ph": "M", "pid": _PROCESS, "tid": track, "name": name, "args": {"name": value}}


def _busy_slices(phase: Phase, unit: int, spans: Spans, until: int) -> list[dict[str, Any]]:
    program, slices = phase.program, []
    ends = dict(
        zip(phase.trace.events["instruction"].tolist(), phase.trace.events["end"].tolist(), strict=True)
    )
    for start, end, index in zip(
        spans.start.tolist(), spans.end.tolist(), spans.instruction.tolist(), strict=True
    ):
        if start >= until:
            break
        args: dict[str, Any] = {"instruction": index, "opcode": instruction_name(phase, index)}
        operation = int(program.operation[index])
        label = str(args["opcode"])
        if operation >= 0:
            label = program.operations[operation].label
            args["source"] = str(program.operations[operation].where)
        if unit == WEIGHT_SHIFTER:
            args["opcode"] = "weight tile"
        elif unit == UnitId.SEQUENCER and Opcode(int(program.records["opcode"][index])) is not Opcode.HALT:
            args["to"] = f"dispatch of {args['opcode']}"
        else:
            args["last_write"] = ends[index]
        slices.append(_slice(unit, label, "busy", start, end, args))
    return slices


def _stall_slices(phase: Phase, unit: int, records: Any) -> list[dict[str, Any]]:
    slices = []
    for record in records:
        reason = REASONS[int(record["reason"])]
        cause, waiting = int(record["cause"]), int(record["instruction"])
        args: dict[str, Any] = {"reason": str(reason), "cause_unit": TRACE_UNITS[int(record["cause_unit"])]}
        if waiting >= 0:
            args["waiting"] = f"{instruction_name(phase, waiting)} (instruction {waiting})"
        if cause >= 0:
            args["cause"] = f"{instruction_name(phase, cause)} (instruction {cause})"
            operation = int(phase.program.operation[cause])
            if operation >= 0:
                args["cause_operation"] = phase.program.operations[operation].label
        start, end = int(record["start"]), int(record["end"])
        slices.append(_slice(unit, f"stall: {reason}", "stall", start, end, args))
    return slices


def _slice(unit: int, name: str, category: str, start: int, end: int, args: dict[str, Any]) -> dict[str, Any]:
    return {
        "ph": "X", "pid": _PROCESS, "tid": unit + 1, "ts": start, "dur": end - start, "name": name,
        "cat": category, "args": args,
    }  # fmt: skip


def instruction_name(phase: Phase, index: int) -> str:
    """The opcode, for VEC with its function."""
    record = phase.program.records[index]
    opcode = Opcode(int(record["opcode"]))
    return f"VEC {Function(int(record['function'])).name}" if opcode is Opcode.VEC else opcode.name
