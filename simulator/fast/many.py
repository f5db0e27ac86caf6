"""The cycles of one Program on many machines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulator.errors import DeadlockError, ProgramError
from simulator.fast import core
from simulator.fast.core import InstructionSet, Outcome
from simulator.fast.designs import Designs
from simulator.fast.program import Longs, Prepared, prepare
from simulator.fast.simulate import cycles
from simulator.isa import Records
from simulator.machines.systolic import SystolicMachine
from simulator.numerics.library import address


def cycles_over(
    machines: Sequence[SystolicMachine] | Designs,
    records: Records | Prepared,
    instruction_set: InstructionSet | None = None,
) -> Longs:
    """The cycles of a Program on each of these machines, as ``cycles`` gives them one by one.

    Raises:
        OutOfDomain: the machines do not agree in what a Program is made for, or more instructions or cycles
            than can be counted.
        ConfigError: a machine is not systolic, or there are no records.
        ProgramError, DeadlockError: as ``cycles`` for the first machine that cannot run the Program; names
            its place.
    """
    prepared = prepare(records)
    designs = machines if isinstance(machines, Designs) else Designs.of(machines)
    found = np.full(len(designs), -1, dtype=np.int64)
    native = core.native()
    if native is not None:
        isa = native.best if instruction_set is None else instruction_set
        numbers, into = address(designs.numbers), address(found)
        for at in designs.groups():
            outcome = native.many(
                *(prepared.address, numbers, len(designs), address(at), len(at), int(isa), into)
            )
            if outcome == Outcome.NO_MEMORY:
                raise MemoryError("no memory for the queues of the fast engine")
    for index in np.flatnonzero(found < 0).tolist():
        try:
            found[index] = cycles(designs.one(index), prepared)
        except (ProgramError, DeadlockError) as error:
            raise type(error)(f"machine {index}: {error}") from None
    return found
