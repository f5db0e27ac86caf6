"""``pulsetrain cosim`` and ``--engine rtl``: nothing differs, and what differs is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from simulator.api import cosim as api_cosim
from simulator.cli.main import main
from simulator.cosim import build

COSIM = ["cosim", "--hidden", "8", "--batch", "8", "--json"]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leave:
        main(arguments)
    captured = capsys.readouterr()
    return int(leave.value.code or 0), captured.out, captured.err


def test_two_steps_and_a_waveform(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wave = tmp_path / "step.fst"
    small = ("matrix_unit.rows=4", "matrix_unit.cols=4", "vector_unit.lanes=4")
    options = [text for field in small for text in ("--set", field)]
    code, out, _ = run([*COSIM, *options, "--steps", "2", "--wave", str(wave)], capsys)
    summary = json.loads(out)
    assert code == 0
    assert (summary["cycle_mismatches"], summary["bit_mismatches"]) == (0, 0)
    assert summary["instructions"] > 200 and summary["bits"] > 10**6
    assert summary["rtl_cycles"] > 1000 and summary["rtl_cycles_per_s"] > 0
    assert len(summary["losses"]) == 2
    assert wave.stat().st_size > 10_000


def test_a_fault_is_reported_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = api_cosim.run_program_rtl
    monkeypatch.setattr(
        api_cosim, "run_program_rtl", lambda *given, **named: honest(*given, **{**named, "mutant": 1})
    )
    code, out, err = run(COSIM, capsys)
    summary = json.loads(out)
    assert code == 1
    assert summary["bit_mismatches"] > 0 and "wrong from cycle" in summary["report"]
    assert summary["report"] in err


def test_the_engine_gives_the_models_cycles(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["gemm", "--machine", "edge_8x8", "--shape", "20,30,40", "--json"]
    cycles = []
    for engine in ("event", "rtl"):
        code, out, _ = run([*arguments, "--engine", engine], capsys)
        assert code == 0
        summary = json.loads(out)
        cycles.append((summary["cycles"], summary["stalls"]))
        assert summary["engine"] == engine
    assert cycles[0] == cycles[1]


def test_a_machine_that_cannot_be_built_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["gemm", "--machine", "tpu_v2", "--shape", "8,8,8", "--engine", "rtl"], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "vector_unit.table_cycles" in err
    for name in ("hbm", "host_link"):
        options = ["--set", f"{name}.latency_cycles=65536"]
        code, out, err = run([*COSIM, *options], capsys)
        assert (code, out) == (2, "") and f"rtl: {name}.latency_cycles = 65536: at most 65535" in err


def test_a_build_is_announced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(work: Path, design: build.Design, _: object) -> Path:
        (work / design.top).touch()
        return work / design.top

    monkeypatch.setenv("PULSETRAIN_CACHE", str(tmp_path))
    monkeypatch.setattr(build, "_build", fake)
    design = build.Design("harness", (), build.SOURCES / "harness.cpp", ())
    for said in ("pulsetrain: building this RTL simulation, once; a minute or so\n", ""):
        assert build.build_design(design).is_file()
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", said)


def test_bad_input_is_one_line_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {
        "ends in .fst or .vcd": ["--wave", str(tmp_path / "run.txt")],
        "does not exist": ["--wave", str(tmp_path / "no" / "run.fst")],
        "batch = 1000000: at most 4096": ["--batch", "1000000"],
        "hidden = 5000: at most 4096": ["--hidden", "5000"],
    }
    for said, options in cases.items():
        code, out, err = run([*COSIM, *options], capsys)
        assert (code, out, err.count("\n")) == (2, "", 1) and said in err, err
    assert not list(tmp_path.iterdir())
