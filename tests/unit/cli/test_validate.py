"""``pulsetrain validate gpu``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib import image

from tests.support.command import call

HEADER = "gpu,dtype,M,N,K,transA,transB,time_us\n"
ROWS = [f"A100-SXM4-80GB,bf16,{m},{n},1024,N,T,{10 + m * n / 1e4}\n" for m in (64, 512) for n in (256, 2048)]
OTHER = "H100-SXM5-80GB,bf16,64,256,1024,T,N,12\n"


def table(tmp_path: Path, *rows: str, name: str = "some.csv") -> str:
    path = tmp_path / name
    path.write_text("# made up\n" + HEADER + "".join(rows or (*ROWS, OTHER)))
    return str(path)


def test_table_by_gpu_size_and_layout(tmp_path: Path) -> None:
    done = call("validate", "gpu", "--data", table(tmp_path))
    assert done.code == 0 and done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == "some: 5 rows"
    for part in (
        "roofline",
        "tile-and-wave",
        "full",
        "by GPU",
        "by size",
        "by layout",
        "MAPE",
        "median",
        "p90",
        "bias",
    ):
        assert part in done.out
    assert "known kernel" not in done.out and "without" not in done.out
    assert all(len(line) <= 132 for line in lines)
    assert sum("measured" in line for line in lines) == 3  # one per GPU and (N, K)


def test_figures_agree_with_the_rows(tmp_path: Path) -> None:
    """The overall error is the rows' own, counted from the outliers, which here are all rows."""
    path = table(tmp_path, ROWS[0], ROWS[1], OTHER)
    found = call("validate", "gpu", "--data", path, "--json").json["sets"][0]
    assert (found["name"], found["rows"], found["left_out"]) == ("some", 3, 0)
    errors = [row["error"] for row in found["outliers"]]
    assert len(errors) == 3
    ratios = [max(1 + e / 100, 1 / (1 + e / 100)) for e in errors]
    assert ratios == sorted(ratios, reverse=True)
    for row in found["outliers"]:
        assert row["error"] == pytest.approx(100 * (row["simulated_us"] / row["measured_us"] - 1))
    full = found["blind"][0]["models"]["full"]
    assert found["blind"][0]["value"] == "all rows"
    assert full["mape"] == pytest.approx(np.mean(np.abs(errors)))
    assert full["bias"] == pytest.approx(np.mean(errors))


def test_known_kernel_stands_beside_blind_and_short_eager_rows_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "known.csv"
    row = "NVIDIA A100-PCIE-40GB,fp32,4096,4096,1024,N,T,{},ampere_sgemm_128x64_tn,64,32,1\n"
    path.write_text(HEADER.strip() + ",kernel,gx,gy,gz\n" + row.format(2000) + row.format(60))
    found = call("validate", "gpu", "--data", str(path), "--json").json["sets"][0]
    assert (found["rows"], found["left_out"]) == (1, 1)
    assert set(found["known_kernel"][0]["models"]) == {"blind", "known kernel"}
    said = call("validate", "gpu", "--data", str(path)).out
    assert "1 below the host's floor left out" in said and "known kernel" in said


def test_scatter_plot_per_table(tmp_path: Path) -> None:
    out = tmp_path / "new" / "figures"
    paths = [table(tmp_path), table(tmp_path, ROWS[0], name="one.csv")]
    done = call("validate", "gpu", "--data", paths[0], "--data", paths[1], "--out", str(out))
    assert done.code == 0
    assert sorted(path.name for path in out.iterdir()) == ["one.png", "some.png"]
    assert f"written: {out / 'some.png'}" in done.out
    pixels = image.imread(out / "some.png")
    assert pixels.shape[1] > 1000 and len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20


BAD = {
    "absent": (["--data", "none.csv"], "", ["none.csv: cannot be read"]),
    "field": (["--data", "some.csv"], "A100-SXM4-80GB,bf16,0,1,1,N,T,1\n", ["some.csv:2: M = '0'"]),
    "unknown GPU": (["--data", "some.csv"], "L4,bf16,1,1,1,N,T,1\n", ["some.csv: gpu = 'L4'", "--machine"]),
    "bad machine": (["--machine", "h100"], "", ["machine = 'h100'", "GPU=NAME_OR_TOML"]),
    "unknown machine": (
        ["--data", "some.csv", "--machine", "X=h900"], "X,bf16,1,1,1,N,T,1\n", ["h900"],
    ),
    "out is a file": (["--data", "some.csv", "--out", "some.csv"], ROWS[0], ["out = 'some.csv'"]),
    "no such device": (["--data", "some.csv", "--frob"], ROWS[0], ["--frob"]),
}  # fmt: skip


@pytest.mark.parametrize("arguments, rows, parts", BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], rows: str, parts: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("some.csv").write_text(HEADER + rows)
    done = call("validate", "gpu", *arguments)
    assert done.code == 2 and done.out == ""
    assert done.err.count("\n") == 1 and all(part in done.err for part in parts), done.err
    assert [path.name for path in tmp_path.iterdir()] == ["some.csv"]


def test_what_is_validated_must_be_said() -> None:
    done = call("validate")
    assert (done.code, done.out) == (2, "") and done.err.count("\n") == 1
    assert "Missing command" in done.err


def test_short_eager_rows_alone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    header = HEADER.strip() + ",kernel,gx,gy,gz\n"
    path.write_text(header + "NVIDIA A100-PCIE-40GB,fp32,8,8,8,N,T,60,ampere_sgemm_128x64_tn,1,1,1\n")
    done = call("validate", "gpu", "--data", str(path))
    assert done.code == 2 and "no row reaches 200 us" in done.err


def test_ablation_leaves_out_one_ingredient_at_a_time(tmp_path: Path) -> None:
    found = call("validate", "gpu", "--data", table(tmp_path), "--ablation", "--json").json["sets"][0]
    ablation = found["ablation"]
    names = ["full model", *(f"without {name}" for name in ("waves", "occupancy", "l2", "split_k", "launch"))]
    assert list(ablation) == names
    assert ablation["full model"] == found["blind"][0]["models"]["full"]
    assert ablation["without launch"]["bias"] < ablation["full model"]["bias"]
