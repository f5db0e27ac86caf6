"""results.json: the numbers of a run, the same bytes for the same run but for ``created``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from simulator.energy import systolic_area
from simulator.report.record import Curve, Json, Phase, RunRecord

PAGE = "report.html"


def results(record: RunRecord) -> dict[str, Json]:
    """Everything ``run --json`` prints; ``report`` is relative to the report's folder.

    Units: cycles of the machine's clock, microseconds, pJ. ``cycles``, ``time_us``, ``utilization`` and
    ``energy_pj`` are of all training steps together, likewise ``simt.time_us``; evaluation is apart.
    """
    step = record.step.metrics
    energy = record.energy
    own: dict[str, Json] = {
        "title": record.title,
        "machine": record.machine.name,
        "engine": step.engine,
        "passed": record.passed,
        "steps": record.steps,
        "loss": record.loss,
        "accuracy": record.accuracy,
        "weights": record.weights,
        "weights_different": record.weights_different,
        "cycles": record.cycles,
        "cycles_per_step": step.cycles,
        "utilization": record.utilization,
        "time_us": sum(phase.count * phase.metrics.time_us for phase in record.training),
        "time_us_per_step": step.time_us,
        "energy_pj": energy.energy_pj,
        "energy_pj_per_step": record.step.energy.energy_pj,
        "evaluation_cycles": record.evaluation_cycles,
        "simt": _simt(record),
        "steps_checked": record.steps_checked,
        "report": PAGE,
        "step": {**step.summary(), "energy_pj": record.step.energy.energy_pj},
        "phases": [_phase(phase, "training") for phase in record.training]
        + [_phase(phase, "evaluation") for phase in record.evaluation],
        "energy": energy.summary(),
        "area": systolic_area(record.machine).summary(),
        "curves": [_curve(record.simulated), _curve(record.numpy)],
        "checks": [asdict(check) for check in record.checks],
        "configuration": dict(record.configuration),
        "configuration_hash": record.configuration_hash,
        "command": record.command,
        "versions": dict(record.versions),
    }
    clashing = sorted(set(own) & set(record.extra))
    if clashing:
        raise ValueError(f"extra results would replace {', '.join(clashing)}")
    return {**own, **record.extra, "created": record.created}


def results_json(record: RunRecord) -> bytes:
    """``results`` as JSON; numbers that are not finite become null, which JSON can say."""
    text = json.dumps(_finite(results(record)), indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def _simt(record: RunRecord) -> Json:
    if record.simt is None:
        return None
    first = record.simt.steps[0]
    return {
        "machine": record.simt.machine,
        "time_us": record.simt_time_us,
        "time_us_per_step": first.time_us,
        "cycles_per_step": first.cycles,
        "utilization": first.utilization,
        "energy_pj_per_step": first.energy.energy_pj if first.energy else None,
        "kernels": [asdict(kernel) for kernel in first.kernels],
    }


def _phase(phase: Phase, kind: str) -> Json:
    return {
        "name": phase.name,
        "kind": kind,
        "executions": phase.count,
        "instructions": len(phase.program),
        "cycles": phase.metrics.cycles,
        "time_us": phase.metrics.time_us,
        "utilization": phase.metrics.utilization,
        "macs": phase.metrics.macs,
        "energy_pj": phase.energy.energy_pj,
    }


def _curve(curve: Curve) -> Json:
    return {
        "name": curve.name,
        "epochs": list(curve.epochs),
        "loss": list(curve.loss),
        "accuracy": list(curve.accuracy),
    }


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
