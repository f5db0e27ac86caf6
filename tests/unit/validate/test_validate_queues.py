"""Weights, chains, tokens and deadlocks: one broken rule at a time."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.errors import DeadlockError
from simulator.isa import Flag, Function, join_sub_lines
from simulator.validate import validate
from tests.unit.interpreter.assembler import Assembler, make_machine
from tests.unit.validate.programs import (
    DMA,
    SEQUENCER,
    VECTOR,
    accept,
    chain,
    product,
    refusal,
)

# Instructions of ``product``: 0, 1 LOAD; 2, 3 WLOAD; 4, 5 MATMUL; 6 VEC; 7 STORE; 8 HALT.
KEEP = int(Flag.SWAP)
ONE_BUFFER = {"weight_buffers": 1}


def test_the_first_matmul_swaps() -> None:
    asm = product()
    asm.fields[4]["flags"] = 0
    assert "instruction 4 (matrix_unit MATMUL): no weights are active; the first MATMUL must SWAP" in refusal(
        asm
    )


def test_every_swap_has_its_wload_before_it() -> None:
    asm = product()
    asm.fields[3], asm.fields[5] = asm.fields[5], asm.fields[3]
    message = "instruction 4 (matrix_unit MATMUL): SWAP of tile 1, which no WLOAD before it has loaded"
    assert message in refusal(asm)


def test_every_tile_is_swapped_in() -> None:
    asm = product(matrix_unit=ONE_BUFFER)
    asm.fields[4]["flags"], asm.fields[5]["flags"] = KEEP, int(Flag.ACCUMULATE)
    assert refusal(asm) == "instruction 3 (weight_loader WLOAD): tile 1 is never swapped in"


@pytest.mark.parametrize("unit", [ONE_BUFFER, {"overlap": False}])
def test_a_single_buffer_is_released_before_the_next_swap(unit: dict[str, Any]) -> None:
    asm = product(matrix_unit=unit)
    asm.fields[4]["flags"] = KEEP
    assert "instruction 5 (matrix_unit MATMUL): SWAP: the tile of instruction 2 is not released" in refusal(
        asm
    )


def test_with_two_buffers_the_swap_releases() -> None:
    asm = product()
    asm.fields[4]["flags"] = KEEP
    accept(asm)


def test_a_released_tile_is_not_used() -> None:
    asm = product()
    asm.fields[5]["flags"] = int(Flag.ACCUMULATE)
    assert "instruction 5 (matrix_unit MATMUL): uses the tile that instruction 4 has released" in refusal(asm)


def test_valid_k_are_rows_of_the_tile() -> None:
    asm = product()
    asm.fields[2]["rows"] = 3
    assert "instruction 4 (matrix_unit MATMUL): tail = 4: its tile (instruction 2) has 3 rows" in refusal(asm)


def test_a_tile_is_of_the_operands_type() -> None:
    asm = product()
    asm.fields[2]["item"] = 0
    assert "instruction 4 (matrix_unit MATMUL): item = 1: its tile (instruction 2) has item 0" in refusal(asm)


@pytest.mark.parametrize("dst", [5, 12])
def test_accumulating_lines_are_the_same_or_others(dst: int) -> None:
    asm = product(3)
    asm.fields[6]["dst"] = dst
    message = "overlaps the lines of the MATMUL before it (instruction 5, dst = 8, 5 rows)"
    assert f"instruction 6 (matrix_unit MATMUL): dst = {dst}: {message}" in refusal(asm)


def test_other_sub_lines_of_the_same_lines_do_not_overlap() -> None:
    asm = product(2, m=2)
    machine = make_machine(4, 2, 4)
    asm.fields[5]["dst"], asm.fields[5]["src2"] = 9, join_sub_lines(0, 1)
    message = refusal(asm, machine)
    assert "instruction 5 (matrix_unit MATMUL): dst: reads line 9 of the accumulators" in message
    asm.fields[5]["src2"] = 0
    assert "overlaps the lines of the MATMUL before it" in refusal(asm, machine)


def test_a_chain_begins_without_accumulate() -> None:
    asm = chain()
    asm.fields[1]["flags"] = int(Flag.ACCUMULATE)
    assert "instruction 1 (matrix_unit MATMUL): the array holds no sums" in refusal(asm)


def test_sums_are_drained_once() -> None:
    asm = chain()
    asm.fields[2] = {**asm.fields[3], "post": 0}
    assert "instruction 3 (matrix_unit DRAIN): the array holds no sums" in refusal(asm)


def test_a_chain_is_of_one_type() -> None:
    asm = chain()
    asm.fields[3]["flags"] = int(Flag.INTEGER)
    assert "instruction 3 (matrix_unit DRAIN): flags = 32: INTEGER differs from instruction 1" in refusal(asm)


def test_a_wait_without_a_post() -> None:
    asm = product()
    asm.fields[3]["wait"] = 1 << VECTOR
    assert refusal(asm) == (
        "instruction 3 (weight_loader WLOAD): wait: no instruction before it posts the token of vector_unit "
        "that it takes"
    )


def test_a_post_after_its_wait() -> None:
    """It would not deadlock: the WLOAD waits in its queue until the LOAD has been dispatched."""
    asm = product()
    order = [0, 2, 1, 3, 4, 5, 6, 7, 8]
    columns: list[Any] = [asm.fields, asm.traffic, asm.tensor]
    for column in columns:
        column[:] = [column[index] for index in order]
    assert "instruction 1 (weight_loader WLOAD): wait: no instruction before it posts" in refusal(asm)


def test_a_token_left_over() -> None:
    asm = product()
    asm.fields[4]["post"] |= 1 << VECTOR
    message = "the token for vector_unit is left over; every counter must end at 0"
    assert refusal(asm) == f"instruction 5 (matrix_unit MATMUL): post: {message}"


def crowd(count: int, queue_depth: int) -> Assembler:
    """``count`` VECs post to the DMA, which takes the tokens afterwards."""
    asm = Assembler(make_machine(sequencer={"queue_depth": queue_depth}))
    x = asm.place("x", 1, 4)
    asm.load(x, 0, post=[VECTOR])
    for index in range(count):
        asm.vec(Function.NEGATIVE, 4, 0, wait=[] if index else [DMA], post=[DMA])
    for index in range(count):
        asm.load(x, 8, wait=[VECTOR], post=[SEQUENCER] if index == count - 1 else [])
    asm.halt(wait=[DMA])
    return asm


def test_more_tokens_than_a_counter_holds() -> None:
    accept(crowd(255, 4))
    message = "up to 256 tokens from vector_unit wait for dma: at most 255 are allowed"
    assert message in refusal(crowd(256, 4))


def test_a_counter_runs_over_when_the_consumer_lags() -> None:
    """In program order there is never more than one token; with long queues the producer runs ahead."""

    def pairs(queue_depth: int) -> Assembler:
        asm = Assembler(make_machine(sequencer={"queue_depth": queue_depth}))
        x = asm.place("x", 1, 4)
        asm.load(x, 0, post=[VECTOR])
        for index in range(300):
            asm.vec(Function.NEGATIVE, 4, 0, wait=[] if index else [DMA], post=[DMA])
            asm.load(x, 8, wait=[VECTOR], post=[SEQUENCER] if index == 299 else [])
        asm.halt(wait=[DMA])
        return asm

    accept(pairs(200))
    accept(pairs(254))
    assert "up to 300 tokens from vector_unit wait for dma" in refusal(pairs(1000))


def loads_ahead(tiles: int, depth: int, queue_depth: int, unit: Any = None) -> Assembler:
    """All WLOADs are dispatched before the first MATMUL."""
    queues: Any = {"weight_fifo": {"depth_tiles": depth}, "sequencer": {"queue_depth": queue_depth}}
    return product(tiles, matrix_unit=unit or {}, **queues)


@pytest.mark.parametrize("unit", [{}, ONE_BUFFER, {"overlap": False}])
def test_weights_loaded_too_far_ahead(unit: Any) -> None:
    accept(
        loads_ahead(4, 3, 1, unit)
    )  # the array takes one more than the FIFO, and the queue holds nothing back
    accept(loads_ahead(5, 3, 1, unit))  # one waits in the queue
    with pytest.raises(DeadlockError) as raised:
        asm = loads_ahead(6, 3, 1, unit)
        validate(asm.program(), asm.machine)
    assert str(raised.value) == (
        "deadlock: sequencer waits for room in the queue of weight_loader for instruction 7 (weight_loader "
        "WLOAD); instruction 6 (weight_loader WLOAD) waits for a slot of the weight FIFO, which tile 1 holds "
        "until tile 0 is released"
    )
    accept(loads_ahead(6, 3, 2, unit))
    accept(loads_ahead(6, 4, 1, unit))


def test_a_single_buffer_holds_a_slot_longer() -> None:
    """With two buffers the SWAP frees a slot of the FIFO; with one the RELEASE, dispatched too late here."""

    def emit(buffers: int) -> Assembler:
        unit = {"weight_buffers": buffers}
        asm = product(4, matrix_unit=unit, weight_fifo={"depth_tiles": 1}, sequencer={"queue_depth": 1})
        order = [0, 1, 2, 6, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
        columns: list[Any] = [asm.fields, asm.traffic, asm.tensor]
        for column in columns:
            column[:] = [column[index] for index in order]
        asm.fields[3] = {**asm.fields[3], "flags": KEEP}
        asm.fields[7] = {**asm.fields[7], "flags": int(Flag.RELEASE), "wait": 0}
        return asm

    accept(emit(2))
    assert refusal(emit(1)).startswith(
        "deadlock: sequencer waits for room in the queue of weight_loader for "
    )
