"""Checks a Program before anything runs: fields, addresses, weights, tokens, deadlocks and races.

It shares no code with the compiler. Nothing here depends on cycles: what it accepts is right in every order
of events that ``docs/timing.md`` allows on the given machine.
"""

from __future__ import annotations

from simulator.isa import UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.validate.fields import check_fields
from simulator.validate.follow import Fault, accepts, refuse
from simulator.validate.matrix import check_matrix_unit
from simulator.validate.overlaps import check_overlaps
from simulator.validate.parts import Validation
from simulator.validate.placements import check_placements, written_by_host
from simulator.validate.races import check_order
from simulator.validate.regions import regions_of
from simulator.validate.replay import check_progress
from simulator.validate.tokens import MAX_OUTSTANDING_TOKENS, check_tokens, check_width, may_run_over

__all__ = ["MAX_OUTSTANDING_TOKENS", "Validation", "validate"]


def validate(program: Program, machine: SystolicMachine) -> None:
    """Accept a Program that runs without a hazard, a deadlock or a read of what was not written.

    Raises:
        ProgramError: one line: the instruction, its unit, the field, and what is allowed.
        DeadlockError: one line: who waits for whom.
    """
    check_fields(program, machine)
    regions = regions_of(program, machine)
    check_placements(program, machine, regions)
    check_overlaps(program, machine)
    followed = accepts(program, machine, regions, written_by_host(program))
    if followed is not None and followed.fault is Fault.NONE:
        for consumer in UnitId:
            if may_run_over(machine, int(followed.outstanding[consumer])):
                check_width(program, machine, consumer)
        return
    check_matrix_unit(program, machine)
    check_tokens(program, machine)
    check_progress(program, machine)
    check_order(program, machine, regions)
    if followed is not None:
        raise refuse(followed)
