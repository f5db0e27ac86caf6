"""Faults of the compiler: instructions that are changed after they have been compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simulator.api import step as api_step
from simulator.cli.options import load_systolic
from simulator.compiler import compile_graph
from simulator.isa import Flag, Function, Opcode, Records, UnitId, memory_address
from simulator.program import Program, Traffic
from simulator.systolic import simulate
from simulator.trace import REASONS, Stall
from tests.support.faults.base import PROGRAM, Fault, Patch, Seed

Change = Callable[[Program, Records], None]


def compiled(change: Change, of: str = "train") -> Seed:
    """The instructions of the compiled Programs of one name are changed in place.

    The validator, which is there to find such things before anything runs, is asleep.
    """

    def seed(patch: Patch) -> None:
        def wrong(graph: Any, machine: Any) -> Program:
            program = compile_graph(graph, machine)
            if program.name == of:
                change(program, program.records)
            return program

        patch.setattr(api_step, "compile_graph", wrong)
        patch.setattr(api_step, "validate", lambda program, machine: None)

    return seed


def vec(records: Records, function: Function) -> Any:
    return np.flatnonzero((records["opcode"] == Opcode.VEC) & (records["function"] == function))


def address_off_by_one_line(program: Program, records: Records) -> None:
    records["src1"][vec(records, Function.MULTIPLY)[-1]] += 4


def scalar_off_by_one(program: Program, records: Records) -> None:
    """Another entry of the scalar table."""
    scalar = Flag.SRC0_REPLICATE | Flag.SRC0_SAME_ROW
    index = vec(records, Function.MULTIPLY)
    index = index[(records["flags"][index] & scalar) == scalar]
    records["src0"][index[0]] += 4


def k_beyond_the_end(program: Program, records: Records) -> None:
    """A row of PEs that should pass its sum through computes with what lies there."""
    short = np.flatnonzero((records["opcode"] == Opcode.MATMUL) & (records["tail"] < 8))
    records["tail"][short[0]] += 1


def tail_too_short(program: Program, records: Records) -> None:
    records["tail"][vec(records, Function.MULTIPLY)[-1]] -= 1


def accumulate_forgotten(program: Program, records: Records) -> None:
    adding = (records["opcode"] == Opcode.MATMUL) & ((records["flags"] & Flag.ACCUMULATE) != 0)
    records["flags"][np.flatnonzero(adding)[0]] &= 0xFFFF ^ Flag.ACCUMULATE


def missing_store(program: Program, records: Records) -> None:
    """A STORE does again what the one before it did."""
    stores = np.flatnonzero(records["opcode"] == Opcode.STORE)
    for name in ("src0", "src1", "src2", "rows", "panels", "item", "src0_stride", "dst_stride", "flags"):
        records[name][stores[-1]] = records[name][stores[-2]]


def short_store(program: Program, records: Records) -> None:
    outputs = np.flatnonzero((program.traffic == Traffic.OUTPUT) & (records["rows"] > 1))
    records["rows"][outputs[0]] -= 1


def stored_over_this_step(program: Program, records: Records) -> None:
    """A carried tensor goes to this step's place instead of the next one's."""
    stores = np.flatnonzero((records["flags"] & Flag.NEXT) != 0)
    records["flags"][stores[0]] ^= Flag.NEXT | Flag.CURRENT


def moments_confused(program: Program, records: Records) -> None:
    """The first moment is loaded from the second one's place, and the other way round."""
    loads = records["opcode"] == Opcode.LOAD
    first, second = (
        np.flatnonzero(loads & (program.tensor == program.tensors.index(f"state.0.weight.{name}")))
        for name in "mv"
    )
    assert memory_address(records[first]).tolist() != memory_address(records[second]).tolist()
    for name in ("src1", "src2"):
        records[name][first], records[name][second] = (
            records[name][second].copy(),
            records[name][first].copy(),
        )


def token_dropped(producer: UnitId, consumer: UnitId) -> Change:
    """The token that the consumer waits for longest is neither posted nor waited for."""

    def change(program: Program, records: Records) -> None:
        stalls = simulate(load_systolic("edge_8x8", ()), records).stalls
        mine = stalls[
            (stalls["unit"] == consumer)
            & (stalls["reason"] == REASONS.index(Stall.TOKEN))
            & (stalls["cause_unit"] == producer)
        ]
        longest = mine[np.argmax(mine["end"] - mine["start"])]
        records["post"][longest["cause"]] &= ~np.uint32(1 << consumer)
        records["wait"][longest["instruction"]] &= ~np.uint32(1 << producer)

    return change


FULL_BATCH = ("--batch", "full", "--optimizer", "adam")
CHANGES: Mapping[str, tuple[Change, tuple[str, ...]]] = {
    "address off by one line": (address_off_by_one_line, ()),
    "scalar off by one": (scalar_off_by_one, ()),
    "k beyond the end": (k_beyond_the_end, ()),
    "tail too short": (tail_too_short, ()),
    "accumulate forgotten": (accumulate_forgotten, ()),
    "store missing": (missing_store, ()),
    "store a line short": (short_store, ()),
    "stored over this step": (stored_over_this_step, ()),
    "moments confused, zero at first": (moments_confused, FULL_BATCH),
    "token from the DMA to the vector unit dropped": (token_dropped(UnitId.DMA, UnitId.VECTOR), ()),
    "token from the array to the vector unit dropped": (token_dropped(UnitId.MATRIX, UnitId.VECTOR), ()),
    "token from the vector unit to the DMA dropped": (token_dropped(UnitId.VECTOR, UnitId.DMA), ()),
}
FAULTS = {
    **{name: Fault(compiled(change), PROGRAM, extra) for name, (change, extra) in CHANGES.items()},
    "address off by one line, in the evaluation": Fault(
        compiled(lambda program, records: _off_by_one_weight(records), of="predict"), PROGRAM
    ),
}


def _off_by_one_weight(records: Records) -> None:
    records["src0"][np.flatnonzero(records["opcode"] == Opcode.WLOAD)[1]] += 2
