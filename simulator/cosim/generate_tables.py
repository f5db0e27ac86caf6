"""Writes ``rtl_models/table_pkg.sv``: the tables of exp, log and tanh as ROMs.

``python -m simulator.cosim.generate_tables`` writes the file; with ``--check`` it only compares (exit 1 when
the file differs).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent.parent
TABLES = ROOT / "simulator" / "numerics" / "tables.npz"
PACKAGE = ROOT / "rtl_models" / "table_pkg.sv"

ROMS = {
    "exp_t": "2^(j/64)",
    "log_r": "1 / ((j + 96) / 128)",
    "log_l": "ln((j + 96) / 128)",
    "tanh_t": "tanh(j/32)",
    "tanh_s": "1 - tanh(j/32)^2",
}


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def package() -> str:
    """The text of the package."""
    with np.load(TABLES) as file:
        version = int(file["version"])
        roms = {name: file[name].view(np.uint32) for name in ROMS}
    lines = [
        "// Tables of exp, log and tanh (docs/arithmetic.md) as ROMs of float32. Do not edit: generated",
        "// from simulator/numerics/tables.npz by",
        f"//   python -m simulator.cosim.generate_tables (version {version})",
        "package table_pkg;",
        "",
        "  // Not every module that is checked on its own uses all of them.",
        "  /* verilator lint_off UNUSEDPARAM */",
    ]
    for name, meaning in ROMS.items():
        words = [f"32'h{value:08x}" for value in roms[name]]
        rows = [", ".join(words[i : i + 6]) for i in range(0, len(words), 6)]
        lines += ["", f"  // {meaning}", f"  parameter logic [31:0] {_camel(name)}[{len(words)}] = '{{"]
        lines += ["      " + ",\n      ".join(rows), "  };"]
    return "\n".join([*lines, "", "  /* verilator lint_on UNUSEDPARAM */", "", "endpackage", ""])


def main() -> int:
    """Writes or compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare with the file instead of writing it")
    text = package()
    if parser.parse_args().check:
        if PACKAGE.is_file() and PACKAGE.read_text() == text:
            return 0
        print(f"{PACKAGE} is not what its generator writes", file=sys.stderr)
        return 1
    PACKAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
