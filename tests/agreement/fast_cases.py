"""What the tests of the fast engine share: comparing Traces, damaging Programs, training steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from simulator.capture import capture
from simulator.compiler import compile_graph
from simulator.errors import DeadlockError, ProgramError
from simulator.fast import core
from simulator.graph import Graph
from simulator.isa import Flag, Records, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.trace import Trace
from workloads import mlp, optimizers, train

Engine = Callable[[SystolicMachine, Records], Trace]
Outcome = Trace | Exception


def run(engine: Engine, machine: SystolicMachine, records: Records) -> Outcome:
    """What an engine says, be it that the Program cannot be run."""
    try:
        return engine(machine, records)
    except (DeadlockError, ProgramError) as error:
        return error


def difference(expected: Outcome, found: Outcome) -> str:
    """Where two engines disagree, or nothing. Deadlocks need not be described in the same words."""
    if isinstance(expected, Exception) or isinstance(found, Exception):
        if type(expected) is not type(found):
            return f"{expected!r}, not {found!r}"
        same = isinstance(expected, DeadlockError) or str(expected) == str(found)
        return "" if same else f"{expected}, not {found}"
    for column in ("events", "shifts", "stalls"):
        one, other = getattr(expected, column), getattr(found, column)
        if one.dtype != other.dtype or len(one) != len(other):
            return f"{column}: {len(one)}, not {len(other)}"
        if one.tobytes() != other.tobytes():
            row = int(np.argmax(one != other))
            return f"{column}[{row}]: {one[row]}, not {other[row]}"
    same = (expected.cycles, expected.clock_mhz) == (found.cycles, found.clock_mhz)
    return "" if same else f"{expected.cycles} cycles, not {found.cycles}"


def damaged(rng: random.Random, records: Records) -> Records:
    """A few masks, flags and instructions changed: it may get stuck, end early, or still run."""
    records = records.copy()
    for _ in range(rng.choice((1, 1, 2, 4))):
        i, last = rng.randrange(len(records)), len(records) - 1
        match rng.randrange(6):
            case 0:
                records["wait"][i] ^= 1 << rng.choice(list(UnitId))
            case 1:
                records["post"][i] ^= 1 << rng.choice(list(UnitId))
            case 2:
                records["flags"][i] ^= int(rng.choice((Flag.SWAP, Flag.RELEASE, Flag.ACCUMULATE, Flag.HOST)))
            case 3:  # HALT does not wait for a unit
                records["wait"][last] &= ~(1 << rng.choice(list(UnitId))) & 63
            case 4 if i < last:
                records["opcode"][i] = rng.randrange(7)
            case 5 if i < last:
                records = np.delete(records, i)
    return records


def training_graph(widths: tuple[int, ...], batch: int, optimizer: str) -> Graph:
    """One training step of a perceptron, captured."""
    config, chosen = mlp.MLP(widths), optimizers.load(optimizer)
    params = train.initial_params(config, "he", 0)
    x, y = np.zeros((batch, widths[0]), np.float32), np.zeros((batch, widths[-1]), np.float32)
    state, masks = mlp.init_state(chosen, params), mlp.dropout_masks(config, batch, 0, 0)
    step = mlp.make_train_step(config, chosen)
    arguments: tuple[Any, ...] = (params, state, x, y, masks, 0.1, 1)
    return capture(step, arguments, carry=(0, 1), resident=(0, 1), name="train").graph


def training_step(machine: SystolicMachine, widths: tuple[int, ...], batch: int, optimizer: str) -> Records:
    """One compiled training step of a perceptron."""
    return compile_graph(training_graph(widths, batch, optimizer), machine).records


@contextmanager
def library(found: core.Native | None) -> Iterator[None]:
    """The fast engine with another library, or with none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(core, "_load", lambda: (found, "not wanted here"))
        yield
