"""What the solver decides in seconds: units right for all inputs, and faults that it must find."""

from __future__ import annotations

import pytest

from tests.cosim.arith.prove import CLAIMS, CONTROLS, LONG, decide

QUICK = [name for name in CLAIMS if name not in (*LONG, "add")]


@pytest.mark.parametrize("name", QUICK)
def test_proven(name: str) -> None:
    assert decide(CLAIMS[name], 300, verbose=False)[0] == "unsat"


@pytest.mark.parametrize("name", CONTROLS)
def test_a_seeded_fault_is_found(name: str) -> None:
    assert decide(CONTROLS[name], 300, verbose=False)[0] == "sat"
