"""The same checks of a Program that comes in parts: each part is looked at once, in its order."""

from __future__ import annotations

from typing import final

import numpy as np

from simulator.errors import OutOfDomain, ProgramError
from simulator.isa import Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.program import LongProgram, Program
from simulator.validate.fields import check_fields
from simulator.validate.follow import Follower, native, refuse
from simulator.validate.overlaps import check_overlaps
from simulator.validate.placements import check_placed, check_transfers, written_by_host
from simulator.validate.regions import regions_of


@final
class Validation:
    """Follows one long Program.

    Raises:
        OutOfDomain: there is no native library.
    """

    def __init__(self, program: LongProgram, machine: SystolicMachine) -> None:
        library = native()
        if library is None:
            raise OutOfDomain(
                f"{len(program):,} instructions: so many are checked by the native library alone, which "
                "needs a C compiler"
            )
        self._machine, self._placements = machine, program.placements
        self._follower = Follower(library, machine, program.memory_granules, count_tokens=True)
        self._begin = 0
        self._ended = False

    def next(self, part: Program) -> None:
        """The next instructions.

        Raises:
            ProgramError: the first one that is wrong; it is counted from the beginning of the part, or of the
                Program where the order of instructions is at fault.
        """
        machine, opcodes = self._machine, part.records["opcode"]
        if not self._begin:
            check_placed(part, machine)
        self._ended = bool(len(opcodes)) and opcodes[-1] == Opcode.HALT
        try:
            check_fields(part, machine, whole=self._ended)
            regions = regions_of(part, machine)
            check_transfers(part, machine, regions)
            check_overlaps(part, machine)
        except ProgramError as error:
            raise ProgramError(f"from instruction {self._begin} on: {error}") from None
        self._follower.there(written_by_host(part))
        if not self._follower.next(part.records, np.ascontiguousarray(regions)):
            raise refuse(self._follower)
        self._begin += len(part)

    def end(self) -> None:
        """After the last part.

        Raises:
            ProgramError: HALT is missing, or tokens, tiles or results are not as they should be.
        """
        if not self._ended:
            raise ProgramError("a Program ends with its one HALT instruction")
        if not self._follower.end(self._placements):
            raise refuse(self._follower)
