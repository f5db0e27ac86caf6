"""The example runs; faults in its RTL are caught, and the report says where."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.cosim_axi_stream import axis_bench
from simulator.cosim.bench import simulate
from simulator.cosim.bench.runner import Outcome
from simulator.errors import CheckError, ConfigError
from tests.cosim.bench import axis_cases

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "cosim_axi_stream" / "axis_bench.py"


def _run(fault: int = 0, module: str = axis_bench.__name__, testcase: str | None = None) -> Outcome:
    sizes = {"ROWS": axis_bench.ROWS, "COLS": axis_bench.COLS, "FAULT": fault}
    return simulate(
        axis_bench.SOURCES, "axis_systolic", module, parameters=sizes, testcase=testcase, check=False
    )


def test_example_runs_as_its_readme_says() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("356 results equal to the bit, 356 of them in their cycle") == 4
    assert done.stdout.count("not covered: nothing") == 4


def test_example_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 60


def _failure(fault: int) -> str:
    (failure,) = _run(fault).failures
    return failure


def test_a_wrong_value_is_reported_with_its_neighbourhood() -> None:
    report = _failure(1)
    # The transaction, the element, its cycle, both values.
    assert re.search(r"tile 1 \(gemm 1: 4 x 4 x 4, ws; m 0:4, k 0:4, n 0:4\), seed 7", report), report
    first = re.search(
        r"first: result (\d+) \(line (\d), lane 1\) in cycle (\d+) is (0x\w{8}) = -?\d+, expected (0x\w{8})",
        report,
    )
    assert first, report
    number, line, cycle, value, expected = first.groups()
    assert value != expected
    # The fault is in column 1: nothing else is wrong, and the map shows it.
    grid = re.findall(r"^    ([.VC?]{4})$", report, re.MULTILINE)
    assert len(grid) == 4
    assert grid[int(line)][1] == "V"
    assert not {row[lane] for row in grid for lane in (0, 2, 3)} - {"."}
    # The neighbourhood: four results before and after, in their order, the divergence marked.
    rows = re.findall(r"^([> !]) +1 +(\d+) +(\d) +(\d) +(\d+) +(\d+) +(0x\w{8})", report, re.MULTILINE)
    assert [int(row[1]) for row in rows] == list(range(int(number) - 4, int(number) + 5))
    assert [row[1:] for row in rows if row[0] == ">"] == [(number, line, "1", cycle, cycle, value)]
    assert re.search(r"streamed: \[(-?\d+(, )?){4}\]", report)


def test_a_late_result_is_caught_by_the_cycle_check() -> None:
    report = _failure(3)
    assert re.search(r"of 16 results 16 came, 0 have a wrong value, 3 a wrong cycle", report), report
    first = re.search(
        r"first: result 4 \(line 1, lane 0\) was offered in cycle (\d+), expected (\d+) \(1 late\)", report
    )
    assert first and int(first[1]) == int(first[2]) + 1, report


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (2, "a wrong value"),
        (4, "m_axis_tdata changed while m_axis_tvalid waited for m_axis_tready"),
        (5, "a wrong value"),
    ],
    ids=["one credit too many", "does not wait for ready", "weights too early"],
)
def test_faults_of_the_control_are_caught(fault: int, text: str) -> None:
    assert text in _failure(fault)


def test_other_uses_of_the_bench() -> None:
    outcome = _run(module=axis_cases.__name__)
    assert outcome.tests == 7
    failures = {failure.split(":")[0]: failure for failure in outcome.failures}
    assert set(failures) == {"hang", "other_arithmetic", "too_many", "too_early"}
    assert re.search(
        r"of 20 results 0 came, .*\n  nothing has moved since cycle \d+, now \d+; ", failures["hang"]
    )
    assert "weights: 3 beats entered; activations: 0 beats entered" in failures["hang"]
    assert "never came" in failures["hang"]
    assert "off by -1, bits" in failures["other_arithmetic"]
    assert "a beat too many after the last result, in cycle " in failures["too_many"]
    assert "(2 early)" in failures["too_early"]


def test_a_failed_test_raises_its_report() -> None:
    with pytest.raises(CheckError, match=r"other_arithmetic: tile 0 .*\nfirst: result 0"):
        simulate(
            axis_bench.SOURCES, "axis_systolic", axis_cases.__name__,
            parameters={"ROWS": 4, "COLS": 4, "FAULT": 0}, testcase="other_arithmetic",
        )  # fmt: skip


def test_errors_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no cocotb test in .* named nothing"):
        _run(testcase="nothing")
    with pytest.raises(ConfigError, match="simulator = 'questa': verilator or icarus"):
        simulate(axis_bench.SOURCES, "axis_systolic", axis_bench.__name__, simulator="questa")
    broken = tmp_path / "broken.sv"
    broken.write_text("module broken (input logic clk_i; endmodule\n")
    with pytest.raises(ConfigError, match=r"broken does not build:\n(.*\n)*.*syntax error"):
        simulate([broken], "broken", axis_bench.__name__)


def test_without_cocotb_importing_says_so_in_one_line() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import simulator.cosim.bench"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: simulator.cosim.bench needs cocotb 2.1 or later: pip install 'cocotb>=2.1'"
    )


def test_without_a_simulator_the_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="iverilog"):
        simulate(axis_bench.SOURCES, "axis_systolic", axis_bench.__name__, simulator="icarus")
