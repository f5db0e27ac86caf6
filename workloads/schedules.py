"""Learning-rate schedules: step number in, Python float out.

A schedule is called on the host once per step, with the number of steps already done (0 first);
its result enters a training step as a run-time scalar.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from workloads.options import choose
from workloads.options import parse as parse_options

Schedule: TypeAlias = Callable[[int], float]


@dataclass(frozen=True)
class Constant:
    """lr = base_lr."""

    base_lr: float

    def __call__(self, step: int) -> float:
        return self.base_lr


@dataclass(frozen=True)
class Step:
    """lr = base_lr * factor ** floor(step / every)."""

    base_lr: float
    every: int
    factor: float = 0.1

    def __call__(self, step: int) -> float:
        return self.base_lr * math.pow(self.factor, step // self.every)


@dataclass(frozen=True)
class Exponential:
    """lr = base_lr * rate ** (step / every)."""

    base_lr: float
    every: int
    rate: float = 0.1

    def __call__(self, step: int) -> float:
        return self.base_lr * math.pow(self.rate, step / self.every)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from base_lr down to final * base_lr at step `total`, constant after.

    Source: Loshchilov and Hutter, "SGDR", ICLR 2017, equation 5, without restarts.
    """

    base_lr: float
    total: int
    final: float = 0.0

    def __call__(self, step: int) -> float:
        progress = min(step / self.total, 1.0)
        share = 0.5 * (1.0 + math.cos(math.pi * progress))
        return self.base_lr * (self.final + (1.0 - self.final) * share)


@dataclass(frozen=True)
class Warmup:
    """Rises linearly to `after(0)` in `steps` steps, the first of which is not zero; then `after`.

    Source: Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2.
    """

    steps: int
    after: Schedule

    def __call__(self, step: int) -> float:
        if step < self.steps:
            return self.after(0) * ((step + 1) / self.steps)
        return self.after(step - self.steps)


_KEYS: dict[str, dict[str, type[int] | type[float]]] = {
    "constant": {"warmup": int},
    "step": {"every": int, "factor": float, "warmup": int},
    "exponential": {"every": int, "rate": float, "warmup": int},
    "cosine": {"total": int, "final": float, "warmup": int},
}


def parse(text: str, base_lr: float, total_steps: int | None = None) -> Schedule:
    """Reads `NAME` or `NAME:key=value,...`.

    `constant`; `step:every=,factor=0.1`; `exponential:every=,rate=0.1`; `cosine:total=,final=0`;
    each also takes `warmup=STEPS`, which are counted in `total`. `final`, `factor` and `rate` are
    ratios. With `total_steps` known, step falls twice in a run, exponential by `rate` over a run,
    and cosine ends with the run; else `every` or `total` must be given.

    Raises: ValueError for an unknown name or key and for a value out of range.
    """
    if not (math.isfinite(base_lr) and base_lr >= 0.0):
        raise ValueError(f"learning rate {base_lr} must be finite and not negative")
    name, _, options_text = text.partition(":")
    what = f"schedule {name}"
    options = parse_options(what, options_text, choose("schedule", name, _KEYS))
    warmup = int(options.pop("warmup", 0))
    if warmup < 0:
        raise ValueError(f"{what}: warmup={warmup} must be 0 or more")
    for key in ("factor", "rate", "final"):
        if not 0.0 <= options.get(key, 0.0) <= 1.0:
            raise ValueError(f"{what}: {key}={options[key]} must be between 0 and 1")
    if "total" in options:
        options["total"] -= warmup
    length = None if total_steps is None else max(total_steps - warmup, 1)
    after = _after_warmup(name, base_lr, options, length)
    return Warmup(warmup, after) if warmup else after


def _after_warmup(
    name: str, base_lr: float, options: Mapping[str, float], length: int | None
) -> Schedule:
    """The schedule that starts when the warm-up is over, `length` steps before the run's end."""
    if name == "cosine":
        total = _steps(name, "total", options, length)
        return Cosine(base_lr, total, options.get("final", 0.0))
    if name == "exponential":
        every = _steps(name, "every", options, length)
        return Exponential(base_lr, every, options.get("rate", 0.1))
    if name == "step":
        every = _steps(name, "every", options, None if length is None else -(-length // 3))
        return Step(base_lr, every, options.get("factor", 0.1))
    return Constant(base_lr)


def _steps(name: str, key: str, options: Mapping[str, float], default: int | None) -> int:
    steps = options.get(key, default)
    if steps is None:
        raise ValueError(f"schedule {name}: needs {key}=STEPS, as the run's length is not known")
    if steps < 1:
        raise ValueError(f"schedule {name}: {key} must leave 1 step or more after the warm-up")
    return int(steps)
