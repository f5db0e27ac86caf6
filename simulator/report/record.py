"""Everything a report needs to know about a run; the caller fills it, the report derives the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.energy import Energy, systolic_energy, total_energy
from simulator.machines.systolic import SystolicMachine
from simulator.metrics import Metrics, measure
from simulator.program import Program
from simulator.trace import Trace

Json = Any  # None, bool, int, float, str, or lists and string-keyed mappings of these


@dataclass(frozen=True)
class Curve:
    """A learning curve; the three tuples run parallel."""

    name: str  # e.g. "simulated machine", "NumPy float32"
    epochs: tuple[float, ...]  # 0 is before training
    loss: tuple[float, ...]  # training loss
    accuracy: tuple[float, ...]  # test accuracy, 0 to 1; NaN where it was not computed

    @property
    def diverged(self) -> bool:
        """Whether the loss is no longer a finite number at the end."""
        return bool(self.loss) and not math.isfinite(self.loss[-1])

    @property
    def diverged_from(self) -> float:
        """The first epoch whose loss is not finite; NaN where there is none."""
        known = zip(self.epochs, self.loss, strict=True)
        return next((epoch for epoch, loss in known if not math.isfinite(loss)), math.nan)


@dataclass(frozen=True)
class Phase:
    """A Program that ran ``count`` times, always with the same Trace (timing never depends on data)."""

    name: str  # e.g. "training step, batch 32"
    program: Program
    trace: Trace
    count: int
    metrics: Metrics
    energy: Energy  # of one execution

    @classmethod
    def of(cls, machine: SystolicMachine, name: str, program: Program, trace: Trace, count: int) -> Phase:
        """The phase with its metrics and energy.

        Raises:
            CheckError: the Trace does not account for every cycle and byte.
        """
        metrics = measure(machine, program, trace)
        return cls(name, program, trace, count, metrics, systolic_energy(machine, metrics.counters))


@dataclass(frozen=True)
class SimtKernel:
    """One kernel of a step on the SIMT machine.

    Units: microseconds.
    """

    name: str
    label: str
    time_us: float
    bound: str


@dataclass(frozen=True)
class SimtStep:
    """One step of a training phase on the SIMT machine.

    Units: microseconds, cycles of its clock.
    """

    time_us: float
    cycles: int
    utilization: float
    kernels: tuple[SimtKernel, ...] = ()
    energy: Energy | None = None


@dataclass(frozen=True)
class SimtRecord:
    """The same training on a SIMT machine: one step per phase of ``RunRecord.training``, in its order."""

    machine: str
    clock_mhz: float
    steps: tuple[SimtStep, ...]
    description: str = ""
    fused: bool = True  # its element-by-element operations, so far as nothing lies between them


@dataclass(frozen=True)
class Check:
    """Something that was compared during the run."""

    name: str
    compared: str  # what with what
    values: int  # how many values were compared
    bits: int | None  # how many bits, or None where a bound is checked instead
    differences: int  # values that differ, or that lie outside their bound
    passed: bool
    detail: str = ""

    @property
    def made(self) -> bool:
        """Whether anything was compared: a check of nothing has neither passed nor failed."""
        return bool(self.values or self.differences)


@dataclass(frozen=True)
class RunRecord:
    """One run of ``pulsetrain run``. Totals (steps, cycles, time, energy) are derived from the phases."""

    title: str  # e.g. "digits, 64-128-10"
    machine: SystolicMachine
    training: tuple[Phase, ...]  # the full-batch step first, then the ragged one
    evaluation: tuple[Phase, ...]
    simulated: Curve
    numpy: Curve
    loss: float  # at the end; NaN where it was not computed
    accuracy: float  # at the end, 0 to 1; NaN where it was not computed
    weights: int
    weights_different: int | None  # None: not checked
    steps_checked: int
    checks: tuple[Check, ...]
    configuration: Mapping[str, Json]  # every option of the run
    configuration_hash: str
    command: str  # the command line that runs it again
    versions: Mapping[str, str]  # name -> version of what computed it
    simt: SimtRecord | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)  # further keys of results.json
    created: str | None = None  # goes into results.json alone, as the key ``created``

    def __post_init__(self) -> None:
        if not self.training:
            raise ValueError("a run has at least one training phase")
        if self.simt and len(self.simt.steps) != len(self.training):
            raise ValueError("a SIMT step is needed for every training phase")

    @property
    def interrupted(self) -> bool:
        """Whether this is what was finished when the run was stopped: ``extra["interrupted"]``."""
        return bool(self.extra.get("interrupted", False))

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that were made and did not pass."""
        return tuple(check for check in self.checks if check.made and not check.passed)

    @property
    def step(self) -> Phase:
        """The full-batch training step."""
        return self.training[0]

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Training, then evaluation."""
        return (*self.training, *self.evaluation)

    @property
    def steps(self) -> int:
        """Training steps."""
        return sum(phase.count for phase in self.training)

    @property
    def cycles(self) -> int:
        """Cycles of all training steps."""
        return sum(phase.count * phase.metrics.cycles for phase in self.training)

    @property
    def evaluation_cycles(self) -> int:
        """Cycles of all evaluations."""
        return sum(phase.count * phase.metrics.cycles for phase in self.evaluation)

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates of all training steps."""
        return sum(phase.count * phase.metrics.macs for phase in self.training)

    @property
    def utilization(self) -> float:
        """Useful MACs / (rows * cols * cycles) over all training steps."""
        pes = self.machine.matrix_unit.rows * self.machine.matrix_unit.cols
        return self.macs / (pes * self.cycles) if self.cycles else 0.0

    @property
    def energy(self) -> Energy:
        """Energy of all training steps."""
        return total_energy((phase.energy, phase.count) for phase in self.training)

    @property
    def simt_time_us(self) -> float | None:
        """Time of all training steps on the SIMT machine."""
        if self.simt is None:
            return None
        return sum(phase.count * s.time_us for phase, s in zip(self.training, self.simt.steps, strict=True))

    @property
    def passed(self) -> bool:
        """Whether every check was made and passed, the weights' too, and no weight differs."""
        return self.weights_different == 0 and all(check.passed for check in self.checks)
