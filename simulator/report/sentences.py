"""The sentences of the page, each an answer made of the record's numbers."""

from __future__ import annotations

import math

from simulator.metrics import UnitAccount
from simulator.report import formats
from simulator.report.record import RunRecord
from simulator.report.words import REASON_LABELS, UNIT_LABELS
from simulator.trace import Stall


def headline(record: RunRecord) -> str:
    """The answer in one sentence."""
    step = record.step.metrics
    accuracy = f"{formats.optional_percent(record.accuracy)} test accuracy"
    text = ("" if record.passed else "Checks failed: ") + ("Interrupted: " if record.interrupted else "")
    text += (
        f"{accuracy} after {formats.plural(record.steps, 'step')}; "
        f"a step takes {formats.plural(step.cycles, 'cycle')} ({formats.time(step.time_us)}) "
        f"on {record.machine.name} at {formats.percent(step.utilization)} utilization"
    )
    ratio = speedup(record)
    if record.simt is not None and ratio is not None:
        text += f", {_times_as_fast(ratio)} {record.simt.machine}"
    return text + "."


def subtitle(record: RunRecord) -> str:
    """What was run on what."""
    unit = record.machine.matrix_unit
    dataflow = {"ws": "weight", "os": "output", "is": "input"}[unit.dataflow]
    return (
        f"{record.title} on {record.machine.name}: {unit.rows} × {unit.cols} array, {dataflow}-stationary, "
        f"{record.machine.clock.mhz:,.6g}\u00a0MHz; engine {record.step.metrics.engine}"
    )


def answers(record: RunRecord) -> dict[str, str]:
    """A sentence or two under each heading."""
    return {
        "learn": _learn(record),
        "fast": _fast(record),
        "cycles": _cycles(record),
        "traffic": _traffic(record),
        "roofline": _roofline(record),
        "cost": _cost(record),
        "trust": _trust(record),
    }


def speedup(record: RunRecord) -> float | None:
    """Time of a step on the SIMT machine over that on the systolic one."""
    if record.simt is None or not record.step.metrics.time_us:
        return None
    return record.simt.steps[0].time_us / record.step.metrics.time_us


def longest_stall(unit: UnitAccount) -> tuple[str, int] | None:
    """The reason a unit waits for longest, ``finished`` aside, and for how many cycles."""
    waits = {reason: cycles for reason, cycles in unit.stalls.items() if reason != Stall.FINISHED}
    reason = max(waits, key=lambda name: waits[name])
    return (REASON_LABELS[Stall(reason)], waits[reason]) if waits[reason] else None


def _times_as_fast(ratio: float) -> str:
    if ratio >= 1:
        return f"{formats.significant(ratio)} times as fast as"
    return f"{formats.significant(1 / ratio)} times slower than"


def _learn(record: RunRecord) -> str:
    machine, numpy = record.simulated, record.numpy
    text = ""
    if len(machine.loss) > 1:
        losses = (formats.significant(machine.loss[i]) for i in (0, -1))
        accuracies = (formats.optional_percent(machine.accuracy[i]) for i in (0, -1))
        text = (
            f"From epoch {machine.epochs[0]:g} to {machine.epochs[-1]:g} the loss went from "
            f"{' to '.join(losses)}, test accuracy from {' to '.join(accuracies)}. "
        )
    pairs = [
        abs(a - b) for a, b in zip(machine.accuracy, numpy.accuracy, strict=False) if math.isfinite(a - b)
    ]
    if pairs:
        text += (
            f"{numpy.name} ends at {formats.percent(numpy.accuracy[-1])}; the two are at most "
            f"{formats.significant(100 * max(pairs), 2)} percentage points apart at any epoch."
        )
    return text


def _fast(record: RunRecord) -> str:
    ratio = speedup(record)
    total = sum(phase.count * phase.metrics.time_us for phase in record.training)
    text = (
        f"All {formats.plural(record.steps, 'step')} of training take {record.cycles:,} cycles "
        f"({formats.time(total)})"
    )
    text += f"; evaluation takes {record.evaluation_cycles:,} more. " if record.evaluation else ". "
    if record.simt is not None and ratio is not None:
        text += (
            f"One step takes {formats.time(record.step.metrics.time_us)} here and "
            f"{formats.time(record.simt.steps[0].time_us)} on {record.simt.machine}: the simulated core is "
            f"{_times_as_fast(ratio)} the SIMT machine on this network and batch."
        )
    return text


def _cycles(record: RunRecord) -> str:
    metrics = record.step.metrics
    unit = metrics.unit("matrix_unit")
    text = f"The matrix unit works in {formats.percent(unit.busy_fraction)} of a step's cycles"
    stall = longest_stall(unit)
    if stall:
        text += f" and waits longest for {stall[0]} ({formats.percent(stall[1] / metrics.cycles)})"
    busiest = max(metrics.units, key=lambda unit: unit.busy)
    if busiest == unit:
        return f"{text}. No unit works longer."
    share = formats.percent(busiest.busy_fraction)
    return (
        f"{text}. The unit that works longest is the {UNIT_LABELS[busiest.unit]}, in {share} of the cycles."
    )


def _traffic(record: RunRecord) -> str:
    rows = record.step.metrics.traffic
    needed, extra = sum(r.needed_bytes for r in rows), sum(r.extra_bytes for r in rows)
    text = f"A step moves {needed + extra:,} bytes across the chip's edge, "
    if not extra:
        return f"{text}all of which the graph needs; nothing is spilled or fetched twice."
    return f"{text}{needed:,} of which the graph needs; {extra:,} are spills, fills and refetches."


def _roofline(record: RunRecord) -> str:
    line = record.step.metrics.roofline
    parts = []
    for roof in line.roofs:
        if roof.intensity is None:
            parts.append(f"Nothing crosses the {roof.memory}.")
            continue
        side = "above" if roof.intensity >= roof.ridge else "below"
        parts.append(
            f"Per byte over the {roof.memory} it does {formats.significant(roof.intensity)} operations, "
            f"{side} the ridge at {formats.significant(roof.ridge)}; "
            f"that allows {formats.rate(roof.attainable, 'OP/s')}."
        )
    achieved = formats.rate(line.achieved, "OP/s")
    return f"The step does {achieved} of {formats.rate(line.peak, 'OP/s')}. {' '.join(parts)}"


def _cost(record: RunRecord) -> str:
    step, total = record.step.energy, record.energy
    text = (
        f"A step costs {formats.energy(step.energy_pj)} and training {formats.energy(total.energy_pj)} "
        f"(range {formats.energy(total.low_pj)} to {formats.energy(total.high_pj)}), with the published "
        f"numbers of the {step.node_nm} nm node, the one nearest to this machine's {step.process_nm:g} nm."
    )
    simt = record.simt.steps[0].energy if record.simt else None
    if record.simt and simt:
        text += (
            f" By the same table a step costs {formats.energy(simt.energy_pj)} on {record.simt.machine}, "
            "registers and shared memory not counted."
        )
    return text


def _trust(record: RunRecord) -> str:
    failed = sum(not check.passed for check in record.checks)
    bits = sum(check.bits or 0 for check in record.checks)
    verdict = "all passed" if not failed else f"{failed} FAILED"
    return (
        f"{formats.plural(len(record.checks), 'check')}, {verdict}; {bits:,} bits compared over "
        f"{formats.plural(record.steps_checked, 'checked step')}. {record.weights_different:,} of "
        f"{record.weights:,} weights differ from the NumPy emulation. Every cycle of the {len(UNIT_LABELS)} "
        "units is busy or under one stall reason: the report is not written otherwise."
    )
