"""The bench of the timing engines runs and fills its table; how fast anything is, no test says."""

from __future__ import annotations

import json

import pytest

from tests.agreement.test_event_agreement import case
from tests.bench import bench_timing


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    measurements = bench_timing.rows({"random": case(1)}, design_instructions=1000)
    table = bench_timing.report(measurements, bench_timing.measure(measurements, repeats=2))
    assert {row["unit"] for row in table} >= {"instructions/s"}
    assert all(row["program"] == "random" and row["instructions"] == len(case(1)[1]) for row in table)
    described = bench_timing.machine_described()
    assert described["threads"] == 1
    json.dumps([described, table])
    bench_timing.show(described, table)
    assert capsys.readouterr().out.count("\n") == len(table) + 3
