"""X-propagation: a training step from registers and buffers that hold X, in four-state simulators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cosim.four_state.check import check_four_state
from tests.cosim.four_state.simulators import SIMULATORS, missing
from tests.cosim.support import VECTOR, Case, step_case
from tests.support.machines import small_machine

NO_RESET = 32  # the mutant whose token counters have none
SLOW_MEMORY = {"bytes_per_cycle": "7/2", "latency_cycles": 7}
SMALL = {"lines": 32, "unified_buffer": {"capacity_bytes": 512}}
SIDE_2 = {"rows": 2, "cols": 2, "lanes": 2, **SMALL}
SIDE_4 = {"rows": 4, "cols": 4, "lanes": 4, **SMALL, "unified_buffer": {"capacity_bytes": 2048}}
SLOW_PES = {"pe_latency_cycles": 2, "adder_latency_cycles": 3}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "2x2": (SIDE_2, {"widths": (3, 2, 2), "batch": 3, "optimizer": "momentum", "loss": "quadratic"}),
    "4x4": (SIDE_4, {"widths": (5, 3), "batch": 5, "optimizer": "sgd", "loss": "quadratic"}),
    "2x2 os": (
        {**SIDE_2, "dataflow": "os", **SLOW_PES},
        {"widths": (3, 2), "batch": 3, "optimizer": "sgd", "loss": "quadratic"},
    ),
    "4x4 adam": (
        {**SIDE_4, **SLOW_PES},
        {"widths": (5, 4, 3), "batch": 5, "optimizer": "adam", "activation": "tanh", "loss": "cross_entropy"},
    ),
}


def _runs(name: str, simulator: str) -> Any:
    """The Yosys netlist is slow in Icarus: at 4x4 it is left to the long tests."""
    marks = [pytest.mark.skipif(bool(missing(simulator)), reason=missing(simulator))]
    if "adam" in name or (name == "4x4" and simulator == "icarus"):
        marks.append(pytest.mark.slow)
    return pytest.param(name, simulator, marks=marks)


def case_of(name: str) -> Case:
    machine, step = CASES[name]
    return step_case(small_machine(**VECTOR, **machine, hbm=SLOW_MEMORY, host_link=SLOW_MEMORY), **step)


@pytest.mark.parametrize(("name", "simulator"), [_runs(name, each) for name in CASES for each in SIMULATORS])
def test_control_is_known_and_results_are_the_models(name: str, simulator: str, tmp_path: Path) -> None:
    checked = check_four_state(tmp_path, case_of(name), simulator)
    assert not checked.unknown
    assert checked.watched > 50
    assert checked.comparison.equal, checked.comparison.report
    assert not checked.lost
    assert checked.untouched  # the buffers did hold X


@pytest.mark.parametrize(("name", "simulator"), [_runs("2x2 os", each) for each in SIMULATORS])
def test_a_missing_reset_is_seen(name: str, simulator: str, tmp_path: Path) -> None:
    checked = check_four_state(tmp_path, case_of(name), simulator, NO_RESET)
    assert {"events_o", "u_tpu_top.u_token_counters.count_q"} <= checked.unknown.keys()
    assert not checked.comparison.equal
