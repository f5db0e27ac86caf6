"""``pulsetrain step``: one training step on a systolic core or a SIMT machine."""

from __future__ import annotations

import pytest

from tests.support.command import call

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
