"""From a training run to the record that a report is written from."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

from simulator import __version__
from simulator.api.checks import Check as RunCheck
from simulator.api.simt import simt_result, training_dtype
from simulator.api.training import Timed, Training
from simulator.machines.simt import SimtMachine
from simulator.numerics.core import backend
from simulator.report.record import (
    Check,
    Curve,
    Json,
    Phase,
    RunRecord,
    SimtKernel,
    SimtRecord,
    SimtStep,
)

_PACKAGES = ("numpy", "simpy")


def configuration_hash(configuration: Mapping[str, Json]) -> str:
    """A short hash of everything that determines a run's numbers."""
    text = json.dumps(configuration, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def curve(name: str, losses: Sequence[float], accuracies: Sequence[float | None]) -> Curve:
    """A learning curve with a point after every epoch."""
    epochs = tuple(float(epoch + 1) for epoch in range(len(losses)))
    shown = tuple(float("nan") if accuracy is None else accuracy for accuracy in accuracies)
    return Curve(name, epochs, tuple(losses), shown)


def record_of(
    run: Training,
    *,
    title: str,
    configuration: Mapping[str, Json],
    command: str,
    numpy_curve: Curve,
    against: SimtMachine | None = None,
    fused: bool = True,
    created: str | None = None,
) -> RunRecord:
    """The record of a run of ``simulator.api.train``; ``against`` computes the same graphs as GPU kernels,
    ``fused`` or one per operation.
    """
    graphs = [timed.step.graph.fingerprint()[:16] for timed in run.timed]
    configuration = {**configuration, "graphs": graphs}  # what a user's own file made of the step
    losses = [epoch.loss for epoch in run.epochs]
    accuracies = [epoch.accuracy for epoch in run.epochs]
    return RunRecord(
        title=title,
        machine=run.machine,
        training=tuple(_phase(run, timed, "training step") for timed in run.timed),
        evaluation=tuple(_phase(run, timed, "evaluation") for timed in run.evaluated),
        simulated=curve(f"simulated {run.machine.name}", losses, accuracies),
        numpy=numpy_curve,
        loss=float("nan") if run.loss is None else run.loss,
        accuracy=float("nan") if run.accuracy is None else run.accuracy,
        weights=run.weights,
        weights_different=run.weights_different,
        steps_checked=run.steps_checked,
        checks=tuple(_check(check, run) for check in run.checks.all()),
        configuration=configuration,
        configuration_hash=configuration_hash(configuration),
        command=command,
        versions=versions(),
        simt=None if against is None else _simt(run, against, fused),
        extra={"interrupted": run.interrupted, "evaluations": sum(t.count for t in run.evaluated)},
        created=created,
    )


def versions() -> dict[str, str]:
    """What computed the numbers."""
    found = {"pulsetrain": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**found, "numerics": backend()}


def _phase(run: Training, timed: Timed, kind: str) -> Phase:
    step = timed.step
    batch = max((step.graph.nodes[node].shape[0] for node in _batched(timed)), default=1)
    return Phase(f"{kind}, batch {batch}", step.program, step.trace, timed.count, step.metrics, step.energy)


def _batched(timed: Timed) -> list[int]:
    graph = timed.step.graph
    return [
        node for path, node in graph.inputs.items() if path not in graph.resident and graph.nodes[node].shape
    ]


def _check(check: RunCheck, run: Training) -> Check:
    bits = None if check.name == "float64" else check.compared * 32
    detail = check.detail
    if check.name == "float64" and not detail:
        detail = f"largest error: {run.checks.worst_ratio:.3f} of its bound"
    return Check(
        check.name,
        f"{check.against} ({check.steps:,} executions)",
        check.compared,
        bits,
        check.different,
        check.passed,
        detail,
    )


def _simt(run: Training, machine: SimtMachine, fused: bool) -> SimtRecord:
    steps = []
    for timed in run.timed:
        result, energy = simt_result(machine, timed.step.graph, fused=fused)
        kernels = tuple(SimtKernel(k.name, k.label, k.time_us, k.bound) for k in result.kernels)
        steps.append(SimtStep(result.time_us, result.cycles, result.utilization, kernels, energy))
    description = f"{machine.description}; GEMMs in {training_dtype(machine)}"
    return SimtRecord(machine.name, machine.clock.sustained_mhz, tuple(steps), description, fused)
