"""Writes ``rtl_models/pulsetrain_pkg.sv``: the encodings of ``simulator.isa`` as SystemVerilog.

``python -m simulator.cosim.generate`` writes the file, ``--check`` exits with 1 if it would change.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path

from simulator.isa import (
    ADDRESS_BITS,
    FIELDS,
    INSTRUCTION_BITS,
    SUB_BITS,
    UNIT_OF_OPCODE,
    Flag,
    Function,
    Opcode,
    UnitId,
)

PACKAGE = Path(__file__).resolve().parents[2] / "rtl_models" / "pulsetrain_pkg.sv"


def package_text() -> str:
    """The package as it must be."""
    widths = dict(FIELDS)
    return "\n".join(
        [
            "// Instruction encodings and numbers of the units. Generated from simulator/isa.py by",
            "//   python -m simulator.cosim.generate",
            "",
            "package pulsetrain_pkg;",
            "",
            "  // No module uses all of it.",
            "  /* verilator lint_off UNUSEDPARAM */",
            "  /* verilator lint_off UNUSEDSIGNAL */",
            "",
            f"  parameter int unsigned INSTRUCTION_BITS = {INSTRUCTION_BITS};",
            f"  parameter int unsigned ADDRESS_BITS = {ADDRESS_BITS};",
            f"  parameter int unsigned SUB_BITS = {SUB_BITS};",
            f"  parameter int unsigned UNITS = {len(UnitId)};",
            "",
            *_enum("opcode_e", widths["opcode"], "OP", Opcode),
            *_enum("unit_e", max(unit.bit_length() for unit in UnitId), "UNIT", UnitId),
            *_enum("function_e", widths["function"], "FN", Function),
            "  // Bits of instr_t.flags.",
            *(
                f"  parameter int unsigned FLAG_{flag.name} = {flag.bit_length() - 1};"
                for flag in Flag
                if flag.name and flag
            ),
            "",
            *_struct(),
            *_functions(),
            "  /* verilator lint_on UNUSEDSIGNAL */",
            "  /* verilator lint_on UNUSEDPARAM */",
            "",
            "endpackage",
            "",
        ]
    )


def _enum(name: str, bits: int, prefix: str, members: Iterable[IntEnum]) -> list[str]:
    rows = [f"    {prefix}_{member.name} = {bits}'d{int(member)}" for member in members]
    return [f"  typedef enum logic [{bits - 1}:0] {{", ",\n".join(rows), f"  }} {name};", ""]


def _struct() -> list[str]:
    """Packed structs list their fields from the top bit down, ``FIELDS`` from bit 0 up."""
    used = sum(bits for _, bits in FIELDS)
    types = {"opcode": "opcode_e", "function": "function_e"}
    names = {"function": "func", "wait": "wait_mask", "post": "post_mask"}  # keywords, and their twin
    rows = [
        f"    {types.get(name) or f'logic [{bits - 1}:0]'} {names.get(name, name)};"
        for name, bits in reversed(FIELDS)
    ]
    unused = [f"    logic [{INSTRUCTION_BITS - used - 1}:0] unused;"] if used < INSTRUCTION_BITS else []
    return ["  typedef struct packed {", *unused, *rows, "  } instr_t;", ""]


def _functions() -> list[str]:
    cases = [
        f"      OP_{opcode.name}: return UNIT_{UNIT_OF_OPCODE[opcode].name};"
        for opcode in Opcode
        if opcode is not Opcode.HALT
    ]
    return [
        "  // Index of the sub-line that is read (os MATMUL: of the left operand).",
        "  function automatic logic [SUB_BITS-1:0] sub0(input logic [ADDRESS_BITS-1:0] src2);",
        "    return src2[SUB_BITS-1:0];",
        "  endfunction",
        "",
        "  // Index of the sub-line that is written (os MATMUL: of the top operand).",
        "  function automatic logic [SUB_BITS-1:0] sub1(input logic [ADDRESS_BITS-1:0] src2);",
        "    return src2[ADDRESS_BITS-1:SUB_BITS];",
        "  endfunction",
        "",
        "  // The unit that executes an opcode.",
        "  function automatic unit_e unit_of(input opcode_e opcode);",
        "    case (opcode)",
        *cases,
        f"      default: return UNIT_{UNIT_OF_OPCODE[Opcode.HALT].name};",
        "    endcase",
        "  endfunction",
        "",
    ]


def main(arguments: list[str]) -> int:
    """Write or check the package."""
    text = package_text()
    if "--check" in arguments:
        if PACKAGE.read_text() == text:
            return 0
        print(f"{PACKAGE} is not what simulator/isa.py says: run python -m simulator.cosim.generate")
        return 1
    PACKAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
