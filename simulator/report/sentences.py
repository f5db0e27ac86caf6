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
    text = _warning(record) + (
        f"{accuracy} after {formats.plural(record.steps, 'step')}; "
        f"a step takes {formats.plural(step.cycles, 'cycle')} ({formats.time(step.time_us)}) "
        f"on {record.machine.name} at {formats.percent(step.utilization)} utilization"
    )
    ratio = speedup(record)
    if record.simt is not None and ratio is not None:
        text += f", {_times_as_fast(ratio)} {record.simt.machine}"
    return text + "."


def _warning(record: RunRecord) -> str:
    """What a reader has to know before any number."""
    words = []
    if not record.passed:
        words.append("checks failed" if _found_wrong(record) else "not all checked")
    if record.interrupted:
        words.append("interrupted")
    if record.simulated.diverged:
        words.append("the network diverged")
    return f"{', '.join(words).capitalize()}: " if words else ""


def _found_wrong(record: RunRecord) -> bool:
    return bool(record.failed or record.weights_different)


def badge(record: RunRecord) -> tuple[str, str]:
    """``(kind, text)`` of the verdict: ``good``, ``open`` where something was not checked, or ``bad``."""
    made = [check for check in record.checks if check.made]
    passed = f"{sum(check.passed for check in made)} of {len(record.checks)} checks passed"
    text = passed
    if record.weights_different is not None:
        text += f", {record.weights_different:,} of {record.weights:,} weights differ"
    missing = [check.name for check in record.checks if not check.made]
    if record.weights_different is None:
        missing.append("weights")
    if record.interrupted:
        emulated = f"{record.steps_checked:,} of {formats.plural(record.steps, 'step')} emulated"
        text = f"Interrupted; {emulated}; {text}"
        text += "; the last step and the evaluation were not checked to the end"
    if missing:
        text += f". Not checked: {', '.join(missing)}"
    if record.simulated.diverged and record.passed:
        text += "; the network diverged, its bits still match"
    if _found_wrong(record):
        return "bad", text
    return ("good" if record.passed and not record.interrupted else "open"), text


def fairness(record: RunRecord) -> str:
    """What is not alike in the two machines that are compared."""
    if record.simt is None:
        return ""
    gpu, lanes = record.simt.machine, record.machine.vector_unit.lanes
    kernels = (
        f"{gpu} runs the optimizer's update as one fused kernel, the core as"
        if record.simt.fused
        else f"{gpu} launches a kernel for every operation, the core runs them as"
    )
    return (
        f"Not alike: {kernels} separate vector instructions, on {lanes:,} lanes that take at most one "
        "line per cycle; so do the tpu presets, where the chips have more (see the presets' sources)."
    )


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
    if machine.diverged:
        text = _diverged(record)
    elif len(machine.loss) > 1:
        losses = (formats.finite(machine.loss[i]) for i in (0, -1))
        accuracies = (formats.optional_percent(machine.accuracy[i]) for i in (0, -1))
        text = (
            f"From epoch {machine.epochs[0]:g} to {machine.epochs[-1]:g} the loss went from "
            f"{' to '.join(losses)}, test accuracy from {' to '.join(accuracies)}. "
        )
    elif machine.loss:
        text = (
            f"The mean loss of the only epoch is {formats.finite(machine.loss[0])}, test accuracy after it "
            f"{formats.optional_percent(machine.accuracy[0])}. "
        )
    pairs = [
        abs(a - b) for a, b in zip(machine.accuracy, numpy.accuracy, strict=False) if math.isfinite(a - b)
    ]
    if pairs:
        both = min(len(machine.accuracy), len(numpy.accuracy))
        verb = "ends at" if both == len(numpy.accuracy) else "is then at"
        text += (
            f"{numpy.name} {verb} {formats.optional_percent(numpy.accuracy[both - 1])}; the two are at most "
            f"{formats.significant(100 * max(pairs), 2)} percentage points apart at any epoch."
        )
    return text


def _diverged(record: RunRecord) -> str:
    machine, numpy = record.simulated, record.numpy
    since = f"from epoch {machine.diverged_from:g} on" if len(machine.loss) > 1 else "after its only epoch"
    text = f"The network diverged: there is no finite loss {since}. "
    if numpy.diverged:
        text += f"So did {numpy.name}: the training does this, not the machine. "
    elif numpy.loss:
        text += f"{numpy.name} did not. "
    if record.passed:
        text += "The bits still match the emulation. "
    return f"{text}Test accuracy ends at {formats.optional_percent(machine.accuracy[-1])}. "


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
    useful, padding = sum(r.useful_bytes for r in rows), sum(r.padding_bytes for r in rows)
    extra = sum(r.extra_bytes for r in rows)
    text = (
        f"A step moves {useful + padding + extra:,} bytes across the chip's edge: {useful:,} are the "
        f"elements that the graph reads and writes, {padding:,} pad them to whole lines, "
    )
    if not extra:
        return f"{text}none is spilled or fetched twice."
    return f"{text}{extra:,} are spills, fills and refetches."


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
    failed, open_ = len(record.failed), sum(not check.made for check in record.checks)
    bits = sum(check.bits or 0 for check in record.checks)
    parts = [f"{failed} FAILED"] if failed else []
    parts += [f"{open_} not made"] if open_ else []
    verdict = ", ".join(parts) or "all passed"
    compared = "The weights were not compared with"
    if record.weights_different is not None:
        compared = f"{record.weights_different:,} of {record.weights:,} weights differ from"
    return (
        f"{formats.plural(len(record.checks), 'check')}, {verdict}; {bits:,} bits compared, "
        f"{record.steps_checked:,} of {formats.plural(record.steps, 'step')} emulated. {compared} "
        f"the NumPy emulation. Every cycle of the {len(UNIT_LABELS)} "
        "units is busy or under one stall reason: the report is not written otherwise."
    )
