"""Fits a generation's effective constants on tables of measured GEMMs: where the presets' numbers come from.

``python -m simulator.measured.fit GENERATION CSV...`` prints them as ``unit.field = value``; ``--continue``
begins at the present constants instead of the general ones, which is how the presets' came about, search
after search; ``--keep KEY`` leaves one as the preset has it, where it is known from elsewhere. Short eager
measurements, which time the host, are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from simulator.errors import ConfigError
from simulator.machines.simt import Generation
from simulator.measured.crossvalidate import sample_of
from simulator.measured.gpus import Gpus
from simulator.measured.rows import Gemm, read_table
from simulator.measured.scores import is_scored
from simulator.simt.calibrate import SPECIFICATION, Sample, calibrate, constants_of


def samples(paths: Sequence[Path], generation: str, gpus: Gpus) -> list[Sample]:
    """The GEMMs of some tables that ran on a generation's GPUs.

    Raises:
        ConfigError: a table that cannot be read, an unknown GPU, or no such GEMM.
    """
    found = [
        sample_of(row, gpus.machine(row.gpu))
        for path in paths
        for row in read_table(path).rows
        if isinstance(row, Gemm) and is_scored(row) and gpus.machine(row.gpu).generation == generation
    ]
    if not found:
        raise ConfigError(f"generation = {generation!r}: the tables have no GEMM on such a GPU")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the constants."""
    parser = argparse.ArgumentParser(prog="python -m simulator.measured.fit", description=__doc__)
    parser.add_argument("generation", choices=get_args(Generation))
    parser.add_argument("tables", nargs="+", type=Path)
    parser.add_argument("--continue", dest="goes_on", action="store_true", help="begin at the preset's")
    parser.add_argument("--keep", action="append", default=[], choices=sorted(SPECIFICATION), metavar="KEY")
    given = parser.parse_args(arguments)
    found = samples(given.tables, given.generation, Gpus())
    start = constants_of(found[0].machine) if given.goes_on else None
    for key, value in calibrate(found, start=start, keep=given.keep).items():
        print(f"{key} = {value}")


if __name__ == "__main__":
    main()
