"""``pulsetrain step``: one training step on a systolic core or a SIMT machine."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from simulator.capture.trees import leaves
from simulator.cli.step import _example_state
from tests.support.command import call
from tests.support.faults.base import OWN
from workloads import mlp, optimizers

STEP = ("step", "--inputs", "12", "--hidden", "9", "--outputs", "4", "--batch", "8")
DOCUMENTED = {"cycles", "time_us", "utilization", "macs", "stalls", "energy_pj", "engine", "machine"}


@pytest.mark.parametrize("machine", ["edge_8x8", "tpu_v3", "v100", "h200"])
def test_json(machine: str) -> None:
    outcome = call(*STEP, "--machine", machine, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    result = outcome.json
    assert result.keys() >= DOCUMENTED
    assert result["machine"] == machine
    assert result["macs"] == 8 * (2 * 12 * 9 + 3 * 9 * 4)
    assert result["energy_pj"] == pytest.approx(result["energy"]["energy_pj"])
    assert result["workload"]["optimizer"] == "adam" and result["workload"]["hidden"] == "9"
    assert len(result.get("operations") or result["kernels"]) > 10


@pytest.mark.parametrize("machine", ["edge_8x8", "a100_80"])
def test_text(machine: str) -> None:
    outcome, result = call(*STEP, "--machine", machine), call(*STEP, "--machine", machine, "--json").json
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{result['cycles']:,}" in outcome.out
    assert f"{result['macs']:,} MACs" in outcome.out
    assert ("in update" if machine == "edge_8x8" else "gemm") in outcome.out


@pytest.mark.parametrize(("machine", "dtype"), [("v100", "float16"), ("a100_80", "bfloat16")])
def test_a_gpu_says_its_type_and_whether_it_fuses(machine: str, dtype: str) -> None:
    """Adam on two layers, unfused: a kernel per operation; the same work, more launches, more time."""
    step = (*STEP, "--machine", machine)
    fused, unfused = (call(*step, *options, "--json").json for options in ((), ("--unfused",)))
    assert (fused["dtype"], fused["fused"], unfused["fused"]) == (dtype, True, False)
    assert fused["macs"] == unfused["macs"]
    assert len(unfused["kernels"]) > 2 * len(fused["kernels"]) and unfused["time_us"] > fused["time_us"]
    for options, summary, how in (
        ((), fused, "element-by-element operations fused"),
        (("--unfused",), unfused, "one per operation"),
    ):
        lines = call(*step, *options).out.splitlines()
        assert f"  types        GEMMs in {dtype}, all else in float32" in lines
        assert f"  kernels      {len(summary['kernels'])}, {how}" in lines
    assert "kernels  " not in call(*STEP, "--machine", "edge_8x8").out


def test_fused_and_unfused_are_what_the_page_says() -> None:
    """The example of docs/simt.md; a calibration may move its times a little."""
    page = (Path(__file__).parents[3] / "docs" / "simt.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    pulsetrain (step .*)$", page, re.MULTILINE)
    rows = re.findall(r"^\| (?:fused|`--unfused`) \| (\d+) \| ([\d.]+) ms \|$", page, re.MULTILINE)
    assert len(commands) == len(rows) == 2
    for command, (kernels, ms) in zip(commands, rows, strict=True):
        found = call(*command.split(), "--json").json
        assert len(found["kernels"]) == int(kernels)
        assert found["time_us"] == pytest.approx(1000 * float(ms), rel=0.1)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_time_depends_on_what_is_computed_and_not_on_the_seed(optimizer: str, activation: str) -> None:
    options = ("--machine", "edge_8x8", "--optimizer", optimizer, "--activation", activation, "--json")
    one, other = (call(*STEP, *options, "--seed", seed).json for seed in ("0", "1"))
    assert one["units"] == other["units"]
    assert one["operations"] == other["operations"]


def test_optimizers_cost_what_they_compute() -> None:
    cycles = [
        call(*STEP, "--machine", "edge_8x8", "--optimizer", optimizer, "--json").json["cycles"]
        for optimizer in ("sgd", "momentum", "adam")
    ]
    assert cycles == sorted(cycles) and len(set(cycles)) == 3


def test_engines_agree() -> None:
    options = ("--machine", "edge_8x8", "--json")
    event, fast = (call(*STEP, *options, "--engine", engine).json for engine in ("event", "fast"))
    assert (event.pop("engine"), fast.pop("engine")) == ("event", "fast")
    assert event == fast


def test_dataflows_differ() -> None:
    results = [
        call(*STEP, "--machine", "edge_8x8", "--dataflow", dataflow, "--json").json
        for dataflow in ("ws", "os", "is")
    ]
    assert len({result["cycles"] for result in results}) == 3
    assert len({result["macs"] for result in results}) == 1


def test_example_state_has_the_real_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The optimizers of the project, and one whose state is of any shape."""
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    for name in (*optimizers.BY_NAME, "own.py:directed", "own.py:in_place"):
        optimizer = optimizers.load(name)
        params = [{"weight": np.zeros((5, 7), np.float32), "bias": np.zeros(7, np.float32)}]
        example = _example_state(optimizer, params)
        states = (example, mlp.init_state(optimizer, params))
        assert len({str([np.shape(leaf) for _, leaf in leaves(state, "")]) for state in states}) == 1
