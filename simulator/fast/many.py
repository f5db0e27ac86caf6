"""The cycles of one Program on many machines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simulator.errors import DeadlockError, ProgramError
from simulator.fast import core
from simulator.fast.core import InstructionSet, Outcome
from simulator.fast.designs import Designs
from simulator.fast.numbers import NARROW_CYCLES, numbers_of, structure_of
from simulator.fast.program import Longs, Prepared, prepare
from simulator.fast.simulate import cycles
from simulator.isa import Records
from simulator.machines.systolic import SystolicMachine

TOGETHER = 1024  # machines whose numbers are made at a time


def cycles_over(
    machines: Sequence[SystolicMachine] | Designs,
    records: Records | Prepared,
    instruction_set: InstructionSet | None = None,
) -> Longs:
    """The cycles of a Program on each of these machines, as ``cycles`` gives them one by one.

    Raises:
        OutOfDomain: the machines do not agree in what a Program is made for, or more instructions or cycles
            than can be counted.
        ProgramError, DeadlockError: as ``simulate`` for the first machine that cannot run the Program; names
            its place.
    """
    prepared = prepare(records)
    designs = machines if isinstance(machines, Designs) else Designs.of(machines)
    found = np.full(len(designs), -1, dtype=np.int64)
    native = core.native()
    if native is not None:
        isa = native.best if instruction_set is None else instruction_set
        for group in designs.groups():
            for at in range(0, len(group), TOGETHER):
                places = group[at : at + TOGETHER]
                found[places] = _together(native, designs.together(places), prepared, len(places), isa)
    for index in np.flatnonzero(found < 0).tolist():
        try:
            found[index] = cycles(designs.one(index), prepared)
        except (ProgramError, DeadlockError) as error:
            raise type(error)(f"machine {index}: {error}") from None
    return found


def _together(
    native: core.Native, machine: SystolicMachine, prepared: Prepared, count: int, isa: InstructionSet
) -> npt.NDArray[np.int64]:
    """Cycles of the machines of one group; -1 where only ``simulate`` can tell."""
    numbers = numbers_of(machine, prepared, count)
    structure = np.array(structure_of(machine, prepared), dtype=np.int64)
    found = np.empty(count, dtype=np.int64)
    outcome = native.many(
        *(core.address(prepared.instructions), core.address(structure), count, len(prepared.kinds)),
        *(core.address(numbers.times), core.address(numbers.array), numbers.bound >= NARROW_CYCLES, int(isa)),
        core.address(found),
    )
    if outcome == Outcome.NO_MEMORY:
        raise MemoryError("no memory for the queues of the fast engine")
    if outcome != Outcome.DONE:
        found[:] = -1
    return found
