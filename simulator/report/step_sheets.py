"""The tables of the page about one training step."""

from __future__ import annotations

from pathlib import PurePath

from simulator.energy import Energy
from simulator.report import formats
from simulator.report.record import RunRecord
from simulator.report.sentences import longest_stall
from simulator.report.sheet import Sheet, left_out, longest
from simulator.report.words import UNIT_LABELS, UNIT_ORDER

SHOWN_OPERATIONS = 24
SHOWN_TENSORS = 16


def units(record: RunRecord) -> Sheet:
    """Busy and waiting cycles of every unit."""
    rows = []
    for name in UNIT_ORDER:
        unit = record.step.metrics.unit(name)
        stall = longest_stall(unit)
        rows.append(
            (
                UNIT_LABELS[name], f"{unit.busy:,}", formats.percent(unit.busy_fraction),
                f"{unit.cycles - unit.busy:,}", stall[0] if stall else "", f"{stall[1]:,}" if stall else "",
                f"{unit.stalls['finished']:,}",
            )
        )  # fmt: skip
    columns = (
        "Unit", "Busy (cycles)", "Busy", "Waiting (cycles)", "Longest reason", "of it (cycles)",
        "Finished (cycles)",
    )  # fmt: skip
    return Sheet(columns, (False, True, True, True, False, True, True), tuple(rows))


def operations(record: RunRecord) -> Sheet:
    """The operations with the longest spans."""
    table = record.step.metrics.operations
    rows = []
    for i in longest([row.span for row in table], SHOWN_OPERATIONS):
        row = table[i]
        where = row.source.rsplit(":", 2)
        source = f"{PurePath(where[0]).name}:{where[1]}" if len(where) == 3 and where[1] != "0" else ""
        rows.append(
            (
                f"{i + 1}", row.label, source, f"{row.start:,}", f"{row.end:,}",
                f"{row.busy['matrix_unit']:,}", f"{row.busy['vector_unit']:,}", f"{row.busy['dma']:,}",
                f"{row.macs:,}" if row.macs else "", formats.percent(row.utilization) if row.macs else "",
                f"{row.hbm_bytes + row.host_bytes:,}", row.bound,
            )
        )  # fmt: skip
    columns = (
        "#", "Operation", "Source", "Start (cycle)", "End (cycle)", "Matrix unit (cycles)",
        "Vector unit (cycles)", "DMA (cycles)", "MACs", "Utiliza\u00adtion", "Moved (bytes)", "Bound",
    )  # fmt: skip
    numeric = (True, False, False, *(True,) * 8, False)
    note = left_out(SHOWN_OPERATIONS, len(table), "operations", "operations.csv")
    return Sheet(columns, numeric, tuple(rows), note, wide=1)


def traffic(record: RunRecord) -> Sheet:
    """The tensors that move most, and the sum of all."""
    table = record.step.metrics.traffic
    names = ("refetch", "spill", "fill")
    rows = [
        (
            table[i].tensor, f"{table[i].useful_bytes:,}", f"{table[i].padding_bytes:,}",
            *(f"{table[i].by_reason[name]:,}" for name in names), f"{table[i].hbm_bytes:,}",
            f"{table[i].host_bytes:,}", f"{table[i].total_bytes:,}",
        )
        for i in longest([row.total_bytes for row in table], SHOWN_TENSORS)
    ]  # fmt: skip
    rows.append(
        (
            f"all {len(table):,} tensors",
            f"{sum(row.useful_bytes for row in table):,}", f"{sum(row.padding_bytes for row in table):,}",
            *(f"{sum(row.by_reason[name] for row in table):,}" for name in names),
            f"{sum(row.hbm_bytes for row in table):,}", f"{sum(row.host_bytes for row in table):,}",
            f"{sum(row.total_bytes for row in table):,}",
        )
    )  # fmt: skip
    columns = (
        "Tensor", "Useful (bytes)", "Padding (bytes)", "Refetch (bytes)", "Spill (bytes)", "Fill (bytes)",
        "over HBM (bytes)", "over host link (bytes)", "Total (bytes)",
    )  # fmt: skip
    note = (
        "Useful bytes are the elements that the graph reads and writes. Padding fills up their lines of "
        f"{record.machine.line_elements:,} elements, which are moved whole. Refetches, spills and fills, "
        "whole lines too, come of small buffers. "
    )
    note += left_out(SHOWN_TENSORS, len(table), "tensors", "traffic.csv", "largest")
    return Sheet(columns, (False, *(True,) * 8), tuple(rows), note)


def energy(energy: Energy) -> Sheet:
    """Energy by component."""
    rows: list[tuple[str, ...]] = [
        (
            part.name, formats.significant(part.low_pj / 1e6), formats.significant(part.mid_pj / 1e6),
            formats.significant(part.high_pj / 1e6), ("at least: " if part.lower_bound else "") + part.basis,
        )
        for part in energy.components
    ]  # fmt: skip
    total = tuple(formats.significant(pj / 1e6) for pj in (energy.low_pj, energy.energy_pj, energy.high_pj))
    rows.append(("total", *total, ""))
    return Sheet(
        ("Component", "Low (µJ)", "Mid (µJ)", "High (µJ)", "Operations or 64-bit accesses × energy each"),
        (False, True, True, True, False), tuple(rows), wide=4,
    )  # fmt: skip


def sources(energy: Energy) -> Sheet:
    """The energy table's entries that were used."""
    rows = tuple(
        (
            entry.operation, f"{entry.process_nm}",
            f"{entry.low_pj:g}" + (f" to {entry.high_pj:g}" if entry.high_pj != entry.low_pj else ""),
            entry.source, entry.status,
        )
        for entry in energy.entries
    )  # fmt: skip
    columns = ("Entry", "Node (nm)", "Energy (pJ)", "Source", "Status")
    return Sheet(columns, (False, True, True, False, False), rows, wide=3)
