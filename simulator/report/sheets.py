"""The tables of the page, as text; the CSV files hold the same and all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from simulator.report import formats, step_sheets
from simulator.report.record import Json, RunRecord
from simulator.report.sentences import speedup
from simulator.report.sheet import Sheet, left_out, longest

SHOWN_KERNELS = 16
SHOWN_EPOCHS = 50


@dataclass(frozen=True)
class Tile:
    """One big number."""

    label: str
    value: str
    note: str
    bad: bool = False


@dataclass(frozen=True)
class CheckRow:
    """A check as the page shows it."""

    name: str
    compared: str
    values: str
    bits: str
    differences: str
    detail: str
    made: bool
    passed: bool


def tiles(record: RunRecord) -> list[Tile]:
    """The numbers to take away."""
    step = record.step.metrics
    ratio = speedup(record)
    return [
        Tile(
            "Test accuracy", formats.optional_percent(record.accuracy),
            "diverged: no finite loss" if record.simulated.diverged
            else f"loss {formats.significant(record.loss)}" if record.loss == record.loss else "no loss",
            bad=record.simulated.diverged,
        ),
        Tile("Cycles per step", formats.integer(step.cycles), formats.time(step.time_us)),
        Tile("Utilization", formats.percent(step.utilization), "of peak MACs"),
        *(
            [Tile(f"Against {record.simt.machine}", f"{formats.significant(ratio)} ×", "steps per second")]
            if record.simt is not None and ratio is not None
            else []
        ),
        Tile("Energy per step", formats.energy(record.step.energy.energy_pj), "without leakage"),
        Tile(
            "Weights different",
            "not checked" if record.weights_different is None else f"{record.weights_different:,}",
            f"of {record.weights:,}", bad=bool(record.weights_different),
        ),
    ]  # fmt: skip


def tables(record: RunRecord) -> dict[str, Sheet]:
    """Every table by the name the template uses."""
    return {
        "epochs": _epochs(record),
        "compare": _compare(record),
        "phases": _phases(record),
        "kernels": _kernels(record),
        "units": step_sheets.units(record),
        "operations": step_sheets.operations(record),
        "traffic": step_sheets.traffic(record),
        "energy": step_sheets.energy(record.step.energy),
        "sources": step_sheets.sources(record.step.energy),
        "versions": Sheet(("Program", "Version"), (False, False), tuple(record.versions.items())),
    }


def checks(record: RunRecord) -> list[CheckRow]:
    """The checks, in the order in which they ran."""
    return [
        CheckRow(
            check.name,
            check.compared,
            f"{check.values:,}",
            f"{check.bits:,}" if check.bits is not None else "within bound",
            f"{check.differences:,}",
            check.detail,
            check.made,
            check.passed,
        )
        for check in record.checks
    ]


def flat(configuration: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, str]]:
    """``(dotted name, value)`` of every option."""
    for key, value in configuration.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield f"{prefix}{key}", text


def _epochs(record: RunRecord) -> Sheet:
    a, b = record.simulated, record.numpy
    other = dict(zip(b.epochs, zip(b.loss, b.accuracy, strict=True), strict=True))
    rows = []
    for epoch, loss, accuracy in list(zip(a.epochs, a.loss, a.accuracy, strict=True))[-SHOWN_EPOCHS:]:
        theirs = other.get(epoch)
        rows.append(
            (
                f"{epoch:g}", formats.finite(loss, 5), formats.finite(theirs[0], 5) if theirs else "",
                formats.optional_percent(accuracy, 2),
                formats.optional_percent(theirs[1], 2) if theirs else "",
            )
        )  # fmt: skip
    columns = ("Epoch", f"Loss, {a.name}", f"Loss, {b.name}", f"Accuracy, {a.name}", f"Accuracy, {b.name}")
    return Sheet(
        columns, (True,) * 5, tuple(rows), f"The last {SHOWN_EPOCHS} epochs." * (len(a.epochs) > SHOWN_EPOCHS)
    )


def _compare(record: RunRecord) -> Sheet:
    step, simt = record.step, record.simt
    rows = [
        ("time per step (µs)", formats.significant(step.metrics.time_us, 4)),
        ("cycles per step", formats.integer(step.metrics.cycles)),
        ("clock (MHz)", f"{step.metrics.clock_mhz:,.6g}"),
        ("utilization, one step", formats.percent(step.metrics.utilization)),
        ("time of all steps (µs)", formats.significant(record.cycles / step.metrics.clock_mhz, 4)),
        ("energy per step (µJ)", formats.significant(step.energy.energy_pj / 1e6)),
    ]
    columns: tuple[str, ...] = ("One training step", record.machine.name)
    if simt is not None:
        first = simt.steps[0]
        theirs = (
            formats.significant(first.time_us, 4),
            formats.integer(first.cycles),
            f"{simt.clock_mhz:,.6g}",
            formats.percent(first.utilization),
            formats.significant(record.simt_time_us or 0.0, 4),
            formats.significant(first.energy.energy_pj / 1e6) if first.energy else "not counted",
        )
        columns = (*columns, simt.machine)
        both = tuple((*row, other) for row, other in zip(rows, theirs, strict=True))
        return Sheet(columns, (False, True, True), both, simt.description)
    return Sheet(columns, (False, True), tuple(rows), "No SIMT machine was asked for.")


def _phases(record: RunRecord) -> Sheet:
    columns = (
        "Program", "Runs", "Instructions", "Cycles per run", "Time per run (µs)", "Cycles, all runs",
        "Utilization",
    )  # fmt: skip
    rows = tuple(
        (
            phase.name, f"{phase.count:,}", f"{len(phase.program):,}", f"{phase.metrics.cycles:,}",
            formats.significant(phase.metrics.time_us, 4), f"{phase.metrics.cycles * phase.count:,}",
            formats.percent(phase.metrics.utilization),
        )
        for phase in record.phases
    )  # fmt: skip
    return Sheet(columns, (False, *(True,) * 6), rows)


def _kernels(record: RunRecord) -> Sheet:
    kernels = record.simt.steps[0].kernels if record.simt else ()
    total = sum(kernel.time_us for kernel in kernels) or 1.0
    rows = tuple(
        (
            kernels[i].name, kernels[i].label, formats.significant(kernels[i].time_us),
            formats.percent(kernels[i].time_us / total), kernels[i].bound,
        )
        for i in longest([kernel.time_us for kernel in kernels], SHOWN_KERNELS)
    )  # fmt: skip
    note = left_out(SHOWN_KERNELS, len(kernels), "kernels", "results.json")
    return Sheet(
        ("Kernel", "Work", "Time (µs)", "Share", "Bound"), (False, False, True, True, False), rows, note
    )
