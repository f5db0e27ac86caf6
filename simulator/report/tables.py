"""The CSV files: operations, units and traffic of every phase, exact integers."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from simulator.program import Traffic
from simulator.report.record import RunRecord
from simulator.trace import REASONS, TRACE_UNITS

_TRAFFIC = [reason.name.lower() for reason in Traffic if reason is not Traffic.NONE]

OPERATION_COLUMNS = (
    "program", "number", "name", "label", "source", "instructions", "start_cycle", "end_cycle", "span_cycles",
    *(f"{unit}_busy_cycles" for unit in TRACE_UNITS),
    *(f"matrix_unit_{reason}_cycles" for reason in REASONS),
    *(f"vector_unit_{reason}_cycles" for reason in REASONS),
    "macs", "utilization", "hbm_bytes", "host_bytes", "bound",
)  # fmt: skip
UNIT_COLUMNS = (
    "program", "executions", "unit", "cycles", "busy_cycles", *(f"{reason}_cycles" for reason in REASONS),
)  # fmt: skip
TRAFFIC_COLUMNS = (
    "program", "tensor", *(f"{reason}_bytes" for reason in _TRAFFIC),
    "useful_bytes", "padding_bytes", "needed_bytes", "extra_bytes", "hbm_bytes", "host_bytes", "total_bytes",
)  # fmt: skip


def operations_csv(record: RunRecord) -> bytes:
    """A row per operation and phase, of one execution."""
    return _csv(
        OPERATION_COLUMNS,
        (
            (
                phase.name, number, row.name, row.label, row.source, row.instructions,
                row.start, row.end, row.span,
                *(row.busy[unit] for unit in TRACE_UNITS),
                *(row.stalls["matrix_unit"].get(str(reason), 0) for reason in REASONS),
                *(row.stalls["vector_unit"].get(str(reason), 0) for reason in REASONS),
                row.macs, row.utilization, row.hbm_bytes, row.host_bytes, row.bound,
            )
            for phase in record.phases
            for number, row in enumerate(phase.metrics.operations, start=1)
        ),
    )  # fmt: skip


def units_csv(record: RunRecord) -> bytes:
    """A row per unit and phase, of one execution: busy and stall cycles add up to ``cycles``."""
    return _csv(
        UNIT_COLUMNS,
        (
            (
                phase.name,
                phase.count,
                u.unit,
                u.cycles,
                u.busy,
                *(u.stalls[str(reason)] for reason in REASONS),
            )
            for phase in record.phases
            for u in phase.metrics.units
        ),
    )


def traffic_csv(record: RunRecord) -> bytes:
    """A row per tensor and phase, of one execution."""
    return _csv(
        TRAFFIC_COLUMNS,
        (
            (
                phase.name, row.tensor, *(row.by_reason[reason] for reason in _TRAFFIC),
                row.useful_bytes, row.padding_bytes, row.needed_bytes, row.extra_bytes,
                row.hbm_bytes, row.host_bytes, row.total_bytes,
            )
            for phase in record.phases
            for row in phase.metrics.traffic
        ),
    )  # fmt: skip


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue().encode()
