"""The bench on an array with nothing in common with the others: output-stationary, 3 x 5, no handshake."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cosim.bench import simulate
from simulator.cosim.bench.runner import Outcome
from tests.cosim.bench import start_bench

SOURCES = [Path(__file__).with_name("start_array.sv")]


def _run(fault: int) -> Outcome:
    return simulate(
        SOURCES, "start_array", start_bench.__name__,
        parameters={"ROWS": start_bench.ROWS, "COLS": start_bench.COLS},
        variables={"FAULT": str(fault)}, check=False,
    )  # fmt: skip


def test_every_result_and_done_are_as_expected() -> None:
    outcome = _run(0)
    assert (outcome.tests, outcome.failures) == (1, ())
    assert outcome.log.count("13 tiles, 195 results equal to the bit, 13 of them in their cycle") == 2


@pytest.mark.parametrize(
    ("fault", "texts"),
    [
        (1, ("(line 1, lane 3) in cycle", "    .....\n    ...V.\n    .....")),
        (2, ("(line 2, lane 4) in cycle", "    .....\n    .....\n    ....V")),
        (3, ("result 0 (line 0, lane 0) was offered in cycle", "(1 early)")),
    ],
    ids=["unsigned", "old sum", "done early"],
)
def test_faults_are_caught(fault: int, texts: tuple[str, ...]) -> None:
    (failure,) = _run(fault).failures
    for text in texts:
        assert text in failure, failure
