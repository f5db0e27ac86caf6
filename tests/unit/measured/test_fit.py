"""The script behind the presets' constants."""

from __future__ import annotations

import pytest

from simulator.errors import ConfigError
from simulator.measured import fit
from simulator.measured.gpus import Gpus
from simulator.measured.samples import sample_paths

FLOAT32 = [path for path in sample_paths() if "fp32_v100" in path.name and path.name.startswith("gemm")]


def test_samples_are_the_scored_gemms_of_one_generation() -> None:
    volta, ampere = (fit.samples(FLOAT32, name, Gpus()) for name in ("volta", "ampere"))
    assert {sample.machine.name for sample in volta} == {"v100_pcie"}
    assert {sample.machine.name for sample in ampere} == {"a100_40_pcie"}
    assert len(volta) + len(ampere) < 400
    assert all(sample.kernel and sample.time_us > 100 and sample.weight_copies == 1 for sample in volta)


def test_a_generation_without_measurements_is_refused() -> None:
    with pytest.raises(ConfigError, match="generation = 'hopper': the tables have no GEMM on such a GPU"):
        fit.samples(FLOAT32, "hopper", Gpus())


def test_it_prints_every_constant_that_the_samples_can_tell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.simt.calibrate.MOST_SAMPLES", 30)
    fit.main(["volta", str(FLOAT32[0]), "--continue", "--keep", "dram.achieved_fraction"])
    found = dict(line.split(" = ") for line in capsys.readouterr().out.splitlines())
    assert {"launch.device_us", "effective.fma_fraction", "effective.l2_fraction"} <= found.keys()
    assert "effective.tensor_fraction" not in found
    assert "dram.achieved_fraction" not in found
    assert all(float(value) > 0 for value in found.values())
