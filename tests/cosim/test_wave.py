"""A waveform on request."""

from __future__ import annotations

from pathlib import Path

from tests.cosim.random_pairs import random_case
from tests.cosim.support import VECTOR, check, step_case
from tests.support.machines import small_machine


def test_a_waveform_shows_the_run(tmp_path: Path) -> None:
    wave = tmp_path / "run.vcd"
    machine = small_machine(rows=1, cols=1, lanes=1, **VECTOR)
    comparison, _ = check(step_case(machine, (2, 1), 1, "sgd"), wave=wave)
    assert comparison.equal, comparison.report
    text = wave.read_text()
    assert "$enddefinitions" in text and "events_o" in text


def test_the_report_names_the_first_divergence() -> None:
    comparison, _ = check(random_case(0, "4x4"), mutant=17)
    assert "instructions differ in time; first:" in comparison.report
    assert "in RTL," in comparison.report and "in the model" in comparison.report
