"""What the models say about rows: the baselines by hand, the host's part, known kernels, unknown GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.errors import ConfigError
from simulator.machines.loader import list_presets, load_machine
from simulator.machines.simt import SimtMachine
from simulator.measured import baselines
from simulator.measured.gpus import Gpus
from simulator.measured.harness import harness_of
from simulator.measured.predict import MODELS, Predictor
from simulator.measured.rows import OPTIMIZERS, Elementwise, Gemm, Launched, Update
from simulator.simt.timing import GemmProblem

A100 = "A100-SXM4-80GB"
PRESETS = [preset.name for preset in list_presets() if isinstance(load_machine(preset.name), SimtMachine)]


def a100() -> SimtMachine:
    machine = load_machine("a100_80")
    assert isinstance(machine, SimtMachine)
    return machine


def test_roofline_by_hand() -> None:
    """A100: 312 TFLOP/s of bf16 and 2,039 GB/s; square GEMMs take the first, thin ones the second."""
    machine = a100()
    square = baselines.gemm_roofline_us(machine, GemmProblem(8192, 8192, 8192, dtype="bfloat16"))
    assert square == pytest.approx(2 * 8192**3 / 311.87e6, rel=1e-3)
    thin = baselines.gemm_roofline_us(machine, GemmProblem(1, 8192, 8192, dtype="bfloat16"))
    assert thin == pytest.approx((8192 * 8192 * 2 + 4 * 8192) / machine.dram.gb_per_s / 1e3, rel=1e-9)
    assert baselines.gemm_bytes(GemmProblem(2, 3, 5, dtype="int8")) == (6 + 15) + 2 * 5 * 4


def test_tile_and_wave_by_hand() -> None:
    """109 tiles of 256 x 256 on 108 SMs take two waves; smaller tiles waste less of the last one."""
    machine = a100()
    clock, macs = machine.clock.boost_mhz, machine.peak_macs_per_cycle("bfloat16") / machine.sm.count
    k = 100_000
    launch = machine.launch.device_us
    found = baselines.gemm_tile_and_wave_us(machine, GemmProblem(256 * 109, k, 256, dtype="bfloat16"))
    tiles = {side: -(-(256 * 109) // side) * -(-256 // side) for side in (256, 128, 64, 32)}
    by_side = {side: -(-count // 108) * side * side * k / macs / clock for side, count in tiles.items()}
    assert found == pytest.approx(launch + min(by_side.values()))
    assert min(by_side, key=lambda side: by_side[side]) < 256


def test_element_by_element_baselines() -> None:
    machine = a100()
    rate = machine.dram.gb_per_s * 1e3
    assert baselines.stream_roofline_us(machine, 10**9) == pytest.approx(1e9 / rate)
    one_wave = 108 * 1024
    assert baselines.stream_tile_and_wave_us(machine, one_wave, 10**6) == pytest.approx(
        machine.launch.device_us + 1e6 / rate
    )
    assert baselines.stream_tile_and_wave_us(machine, one_wave + 1, 10**6) == pytest.approx(
        machine.launch.device_us + 1e6 / rate * 216 / 109
    )


def test_host_part_is_in_every_model_and_only_in_eager_rows() -> None:
    predictor = Predictor(Gpus())
    eager = Elementwise("Tesla V100-PCIE-32GB", "add", 1000, 1.0, eager=True)
    graph = Elementwise("Tesla V100-PCIE-32GB", "add", 1000, 1.0, eager=False)
    host = harness_of(eager, "v100_pcie")
    for model in MODELS:
        kernel = predictor.time_us(graph, model)
        assert kernel < 10 < host.floor_us
        assert predictor.time_us(eager, model) == max(host.floor_us, host.lag_us + kernel)


def test_wrapped_operations_have_a_host_part_of_their_own() -> None:
    plain, wrapped = (
        harness_of(Elementwise("Tesla V100-PCIE-32GB", op, 1000, 1.0, eager=True), "v100_pcie")
        for op in ("tanh", "relu")
    )
    assert wrapped.lag_us > plain.lag_us and wrapped.floor_us > plain.floor_us


def test_unknown_hosts_are_the_mean_of_the_known_ones() -> None:
    row = Elementwise("GPU", "add", 1000, 1.0, eager=True)
    lags = [harness_of(row, name).lag_us for name in ("v100_pcie", "a100_40_pcie")]
    assert harness_of(row, "h100").lag_us == pytest.approx(sum(lags) / 2)


def test_every_kernel_of_an_update_is_launched() -> None:
    gpus = Gpus()
    base = gpus.machine(A100)
    row = Update(A100, "adam", False, 1000, 1.0, eager=False)
    before = Predictor(gpus).time_us(row, "full")
    launch = base.launch.model_copy(update={"device_us": base.launch.device_us + 1.0})
    gpus.replace(A100, base.model_copy(update={"launch": launch}))
    assert Predictor(gpus).time_us(row, "full") == pytest.approx(before + 8.0)


def test_weights_that_are_gone_round_do_not_stay_in_l2() -> None:
    """Five weights of 12.6 MB do not fit the 50 MB of an H100, one does."""
    predictor, h100 = Predictor(Gpus()), "H100-SXM5-80GB"
    one, five = (
        Gemm(h100, "bfloat16", 16, 3072, 2048, False, True, 1.0, eager=False, weight_copies=copies)
        for copies in (1, 5)
    )
    assert predictor.time_us(five, "full") > 1.2 * predictor.time_us(one, "full")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_updates_scale_with_their_passes(optimizer: str) -> None:
    predictor = Predictor(Gpus())
    times = {
        (fused, n): predictor.time_us(Update(A100, optimizer, fused, n, 1.0, False), "full")
        for fused in (True, False) for n in (1000, 10**8)
    }  # fmt: skip
    assert times[True, 1000] < 5 and times[True, 10**8] > 100
    if optimizer == "sgd":  # one operation either way
        assert times[False, 10**8] == pytest.approx(times[True, 10**8], rel=0.01)
    else:
        assert times[False, 10**8] > 1.3 * times[True, 10**8]
        assert times[False, 1000] > 2 * times[True, 1000]


@pytest.mark.parametrize(
    "name, preset",
    [
        ("NVIDIA A100-PCIE-40GB", "a100_40_pcie"),
        ("NVIDIA A100 80GB PCIe", "a100_80_pcie"),
        ("A100-SXM4-80GB", "a100_80"),
        ("NVIDIA A100-SXM4-40GB", "a100_40"),
        ("NVIDIA H200", "h200"),
        ("P100", "p100"),
        ("Tesla V100-SXM2-16GB", "v100"),
        ("NVIDIA GeForce GTX 1080", "gtx_1080"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("H200-SXM", "h200"),
        ("Tesla V100-PCIE-32GB", "v100_pcie"),
        ("Tesla P100-PCIE-16GB", "p100_pcie"),
        ("NVIDIA GeForce GTX 1080 Ti", "gtx_1080_ti"),
        ("TitanX_Pascal", "titan_x_pascal"),
        ("NVIDIA TITAN Xp", "titan_xp"),
        ("NVIDIA TITAN X (Pascal)", "titan_x_pascal"),
        ("A100-PCIE-80GB", "a100_80_pcie"),
        ("A100-SXM-40GB", "a100_40"),
        ("A100", "a100_40"),
        ("1080Ti", "gtx_1080_ti"),
        ("h100_sxm", "h100"),
        *((name, name) for name in PRESETS),
    ],
)
def test_names_of_gpus(name: str, preset: str) -> None:
    assert Gpus().machine(name).name == preset


@pytest.mark.parametrize(
    "name",
    [
        "Tesla V100S-PCIE-32GB", "Tesla V100-FHHL-16GB", "Tesla V100-SXM3-32GB", "Tesla V100-DGXS-32GB",
        "Tesla P100-PCIE-12GB", "NVIDIA A100X", "NVIDIA A100-SXM-64GB", "NVIDIA A100-SXM4-80GB MIG 3g.40gb",
        "NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA H100 64GB HBM2", "NVIDIA H800", "NVIDIA H200 NVL",
        "NVIDIA GH200 480GB", "GeForce GTX 1080 with Max-Q Design", "NVIDIA GeForce GTX TITAN X", "TITAN X",
        "GeForce GTX 1070", "NVIDIA L4", "A10", "V1000", "",
    ],
)  # fmt: skip
def test_another_product_has_no_preset(name: str) -> None:
    with pytest.raises(ConfigError) as error:
        Gpus().machine(name)
    said = f'gpu = {name!r}: no preset is known for it; give --machine "{name}=NAME_OR_TOML"'
    assert str(error.value) == said
    if name:
        assert Gpus([f"{name}=v100"]).machine(name).name == "v100"


def test_a_gpu_can_be_given_a_machine(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('inherit = "v100"\n[sm]\ncount = 40\n')
    gpus = Gpus([f"My GPU={path}", "A100-SXM4-80GB=h100"])
    assert gpus.machine("my gpu").sm.count == 40
    assert gpus.machine("A100-SXM4-80GB").name == "h100"
    for unknown in ("NVIDIA L4", "NVIDIA H100 PCIe", "NVIDIA GeForce GTX TITAN X"):
        with pytest.raises(ConfigError, match=rf"'{unknown}': no preset is known for it; give --m"):
            gpus.machine(unknown)
    with pytest.raises(ConfigError, match="a SIMT machine is needed"):
        Gpus(["X=tpu_v2"]).machine("X")
    for bad in ("h100", "=h100", "X="):
        with pytest.raises(ConfigError, match="GPU=NAME_OR_TOML is allowed"):
            Gpus([bad])


def test_known_kernel_is_the_one_that_the_row_names() -> None:
    predictor = Predictor(Gpus())
    gpu = "NVIDIA A100-PCIE-40GB"

    def row(kernel: str) -> Gemm:
        return Gemm(gpu, "float32", 4096, 4096, 1024, False, True, 1.0, True, Launched(kernel, (32, 64, 1)))

    known = predictor.known_us(row("ampere_sgemm_128x64_tn"))
    assert known is not None
    assert known >= predictor.time_us(row("ampere_sgemm_128x64_tn"), "full")  # the model picks the fastest
    assert predictor.known_us(row("gemv2T_kernel_val")) is None
    assert predictor.known_us(row("ampere_sgemm_96x7_tn")) is None
