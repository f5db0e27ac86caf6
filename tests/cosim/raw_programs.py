"""Random instruction streams that no compiler would write: tokens, queues and FIFOs under pressure.

They are for cycles alone: what they compute is arbitrary (and must be the same in every run).
"""

from __future__ import annotations

import random

import numpy as np

from simulator.isa import Records
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program, Space
from tests.cosim.random_pairs import random_machine
from tests.cosim.support import Case
from tests.unit.systolic.programs import random_program, shuffled

GRANULES = 4096


def program_of(records: Records) -> Program:
    """Records as a Program; all off-chip spaces have ``GRANULES``."""
    n = len(records)
    return Program(
        records=records,
        operation=np.full(n, -1, np.int32),
        traffic=np.zeros(n, np.uint8),
        macs=np.zeros(n, np.int64),
        tensor=np.full(n, -1, np.int32),
        operations=(),
        tensors=(),
        placements=(),
        memory_granules=dict.fromkeys(Space, GRANULES),
    )


def raw_case(seed: int, build: str) -> Case:
    """A third of the Programs are dispatched in a shuffled order; some of those get stuck."""
    rng = random.Random(f"raw {build} {seed}")
    machine: SystolicMachine = random_machine(rng, build)
    records = random_program(rng, machine, rng.choice((6, 20, 45, 120)))
    if seed % 3 == 0:
        records = shuffled(rng, records, swaps=len(records))
    # A block of a transposer is at most a line wide.
    for field in ("rows", "tail"):
        chosen = records["opcode"] == 5
        records[field][chosen] = np.minimum(records[field][chosen], machine.line_elements)
    return Case(machine, program_of(records), {}, [])
