"""Timing a GEMM starts quickly: it imports nothing that only values, checks or reports need."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("matplotlib", "simulator.capture", "simulator.reference", "simulator.report", "simulator.interpreter")
PROBE = f"""
import sys
from simulator.cli import main
try:
    main(["gemm", "--machine", "tpu_v2", "--shape", "128,784,512", "--json"])
except SystemExit as leave:
    assert leave.code == 0
print([name for name in {SLOW!r} if name in sys.modules], file=sys.stderr)
"""


def test_a_gemm_imports_what_it_needs() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_names_that_are_imported_later_are_there() -> None:
    import simulator.api as api

    assert all(getattr(api, name) is not None for name in api.__all__)
    assert callable(api.gemm) and not hasattr(api, "nothing")
