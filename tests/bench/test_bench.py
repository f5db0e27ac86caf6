"""The bench runs, fills its table and keeps it; how fast anything is, no test says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as driver
from tests.bench import harness
from tests.bench.harness import Row, Side, Taken, measure
from tests.bench.table import text


@pytest.mark.parametrize("name", driver.BENCHES)
def test_every_bench_runs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "bench.json"
    driver.main([name, "--quick", "--repeats", "1", "--json", str(kept)])
    found = json.loads(kept.read_text())
    assert found["machine"]["cores"] >= 1
    assert all(row["ours_s"] > 0 for row in found["rows"])
    shown = capsys.readouterr().out
    assert all(row["case"] in shown for row in found["rows"])
    driver.main([name, "--quick", "--repeats", "1", "--against", str(kept)])
    assert capsys.readouterr().out.count("of before") == len(found["rows"])


def test_ratio_is_of_equal_work_and_of_the_same_repeat() -> None:
    """Ours takes 1, 2, 3, 4 s for two things, the rival twice that for one, whichever goes first."""
    clock = {"ours": 0, "rival": 0}

    def run(side: str) -> Taken:
        clock[side] += 1
        return Taken(clock[side] * (1 if side == "ours" else 2), 100.0 if clock[side] == 4 else 0.0)

    row = Row("b", "c", Side("ours", lambda: run("ours"), 2), Side("rival", lambda: run("rival")), "things")
    (result,) = measure([row], repeats=3)
    assert (result.ours, result.rival, result.ratio) == (1.5, 6.0, 0.25)  # the first run only warms
    assert result.spread == (0.25, 0.25) and result.rate == 1 / 1.5
    assert "0.250x" in text([result])


def test_a_slow_side_is_not_run_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {"ours": 0, "rival": 0}

    def run(side: str) -> Taken:
        runs[side] += 1
        return Taken(1.0, 1.0)

    monkeypatch.setattr(harness, "ENOUGH_S", 0.0)
    row = Row("b", "c", Side("ours", lambda: run("ours")), Side("rival", lambda: run("rival")))
    (result,) = measure([row], repeats=7)
    assert runs == {"ours": 1, "rival": 1}
    assert (result.repeats, result.ours, result.ratio) == (7, 1.0, 1.0)
