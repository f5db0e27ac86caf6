"""The encoding: every field at its bits, back and forth, and nothing that does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import isa
from simulator.errors import ProgramError

INSTRUCTION = st.tuples(*(st.integers(0, (1 << bits) - 1) for _, bits in isa.FIELDS))


def records_of(instructions: list[tuple[int, ...]]) -> Any:
    return np.array(instructions, isa.INSTRUCTION_DTYPE)


def one(**fields: int) -> Any:
    records = np.zeros(1, isa.INSTRUCTION_DTYPE)
    for name, value in fields.items():
        records[name] = value
    return records


@given(st.lists(INSTRUCTION, max_size=20))
def test_decode_is_the_inverse_of_encode(instructions: list[tuple[int, ...]]) -> None:
    records = records_of(instructions)
    data = isa.encode(records)
    assert len(data) == 32 * len(instructions)
    np.testing.assert_array_equal(isa.decode(data), records)


@given(INSTRUCTION)
def test_fields_are_packed_from_bit_0_in_their_order(instruction: tuple[int, ...]) -> None:
    expected, bit = 0, 0
    for value, (_, bits) in zip(instruction, isa.FIELDS, strict=True):
        expected |= value << bit
        bit += bits
    assert isa.encode(records_of([instruction])) == expected.to_bytes(32, "little")


@given(st.binary(min_size=32, max_size=32))
def test_encode_is_the_inverse_of_decode(data: bytes) -> None:
    used = sum(bits for _, bits in isa.FIELDS)
    word = int.from_bytes(data, "little")
    if word >> used:
        with pytest.raises(ProgramError, match="unused bits"):
            isa.decode(data)
        data = (word & ((1 << used) - 1)).to_bytes(32, "little")
    assert isa.encode(isa.decode(data)) == data


def test_a_known_instruction() -> None:
    """Pinned, so that a moved field does not go unnoticed by software and RTL together."""
    record = one(
        opcode=6, function=26, wait=0x2A, post=0x15, item=2, flags=0x8001, tail=0xABC, rows=3, panels=4
    )
    encoded = isa.encode(record)
    assert int.from_bytes(encoded[:8], "little") == (
        6 | 26 << 3 | 0x2A << 8 | 0x15 << 14 | 2 << 20 | 0x8001 << 22 | 0xABC << 38 | (3 & 0x3FFF) << 50
    )
    assert int.from_bytes(encoded[8:16], "little") == 3 >> 14 | 4 << 2
    assert not any(encoded[16:])


@pytest.mark.parametrize(("name", "bits"), isa.FIELDS)
def test_a_field_that_does_not_fit_its_bits(name: str, bits: int) -> None:
    records = np.zeros(3, isa.INSTRUCTION_DTYPE)
    records[name] = (1 << bits) - 1
    isa.encode(records)
    records[name][2] = 1 << bits
    message = f"instruction 2: field {name} = {1 << bits} does not fit {bits} bits"
    with pytest.raises(ProgramError, match=message):
        isa.encode(records)


@pytest.mark.parametrize("length", [1, 31, 33])
def test_whole_instructions_only(length: int) -> None:
    with pytest.raises(ProgramError, match=f"{length} bytes are not a whole number of 32-byte instructions"):
        isa.decode(bytes(length))


def test_unused_bits_are_zero() -> None:
    used = sum(bits for _, bits in isa.FIELDS)
    for bit in range(used, 256):
        with pytest.raises(ProgramError, match="unused bits of an instruction are set"):
            isa.decode((1 << bit).to_bytes(32, "little"))


def test_nothing_is_an_empty_program() -> None:
    assert isa.encode(np.zeros(0, isa.INSTRUCTION_DTYPE)) == b""
    assert len(isa.decode(b"")) == 0


@given(st.integers(0, 2**48 - 1))
def test_off_chip_addresses(address: int) -> None:
    src1, src2 = isa.split_memory_address(address)
    assert src1 == address % 2**24 and src2 == address // 2**24
    assert isa.memory_address(one(src1=src1, src2=src2)).tolist() == [address]


@given(st.integers(0, 4095), st.integers(0, 4095))
def test_sub_lines(sub0: int, sub1: int) -> None:
    joined = isa.join_sub_lines(sub0, sub1)
    assert joined < 2**24
    assert [part.tolist() for part in isa.sub_lines(one(src2=joined))] == [[sub0], [sub1]]


def test_every_opcode_has_its_unit() -> None:
    records = np.zeros(len(isa.Opcode), isa.INSTRUCTION_DTYPE)
    records["opcode"] = list(isa.Opcode)
    assert isa.units_of(records).tolist() == [isa.UNIT_OF_OPCODE[opcode] for opcode in isa.Opcode]
    assert set(isa.UNIT_OF_OPCODE.values()) == set(isa.UnitId) == set(isa.UNIT_NAMES)


def test_enumerations_fit_their_fields() -> None:
    bits = dict(isa.FIELDS)
    assert max(isa.Opcode) < 1 << bits["opcode"]
    assert max(isa.Function) < 1 << bits["function"]
    assert max(isa.UnitId) < bits["wait"] == bits["post"]
    assert max(isa.Flag) < 1 << bits["flags"]
    assert list(isa.Function) == list(range(len(isa.Function)))
