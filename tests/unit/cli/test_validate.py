"""``pulsetrain validate gpu``."""

from __future__ import annotations

import csv
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
    names = ["one.png", "one.predictions.csv", "some.png", "some.predictions.csv"]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert f"written: {out / 'some.png'}" in done.out
    assert image.imread(out / "one.png").shape[1] < 700  # one GPU, one panel
    pixels = image.imread(out / "some.png")
    assert pixels.shape[1] > 1000 and len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20


def test_predictions_are_the_table_with_what_every_model_says(tmp_path: Path) -> None:
    """Comments and cells as they stand in the file; errors are those of the scores; a kernel that the
    catalogue lacks has no prediction, a row that is not scored has.
    """
    path, out = tmp_path / "some.csv", tmp_path / "out"
    row = "NVIDIA A100-PCIE-40GB,fp32,4096,4096,1024,N,T,{},{},64,32,{},why not"
    kernels = [("2000.00", "ampere_sgemm_128x64_tn", 1), ("3e3", "gemv2T_kernel_val", 1),
               ("60", "ampere_sgemm_128x64_tn", 2)]  # fmt: skip
    text = "# made up\n" + HEADER.strip() + ",kernel,gx,gy,gz,note\n"
    path.write_text(text + "".join(row.format(*kernel) + "\n" for kernel in kernels))
    found = call("validate", "gpu", "--data", str(path), "--out", str(out), "--json").json
    assert found["predictions"] == [str(out / "some.predictions.csv")]
    lines = (out / "some.predictions.csv").read_text().splitlines()
    assert lines[0] == "# made up"
    for line, kernel in zip(lines[2:], kernels, strict=True):
        assert line.startswith(row.format(*kernel) + ",")
    rows = list(csv.DictReader(lines[1:]))
    models = ("roofline", "tile_and_wave", "full", "known_kernel")
    for cells in rows:
        for model in models:
            if not (model == "known_kernel" and cells["kernel"].startswith("gemv")):
                error = 100 * (float(cells[f"{model}_us"]) / float(cells["time_us"]) - 1)
                assert float(cells[f"{model}_error_percent"]) == pytest.approx(error, abs=0.01)
    assert [cells["scored"] for cells in rows] == ["yes", "yes", "no"]
    assert (rows[1]["known_kernel_us"], rows[1]["known_kernel_error_percent"]) == ("", "")
    assert rows[2]["known_kernel_us"] != rows[0]["known_kernel_us"]  # k is cut once
    assert {(cells["tile"], cells["splits"]) for cells in rows} == {("128x64", "1")}
    said = found["sets"][0]["blind"][0]["models"]
    for model, name in (("roofline", "roofline"), ("tile_and_wave", "tile-and-wave"), ("full", "full")):
        errors = [abs(float(cells[f"{model}_error_percent"])) for cells in rows[:2]]
        assert said[name]["mape"] == pytest.approx(np.mean(errors), abs=0.01)


def test_predictions_can_be_validated_again(tmp_path: Path) -> None:
    """Their columns give way to new ones."""
    folder = tmp_path / "out"
    for path in (table(tmp_path), folder / "some.predictions.csv"):
        assert call("validate", "gpu", "--data", str(path), "--out", str(folder)).code == 0
    first, again = (folder / f"some{'.predictions' * i}.csv" for i in (1, 2))
    assert first.read_text() == again.read_text() != ""


def test_rows_of_one_kind_are_named_under_the_title(tmp_path: Path) -> None:
    """What the table does not tell apart, the machines, and what is taken for granted about the host."""
    said = call("validate", "gpu", "--data", table(tmp_path, ROWS[0])).out.splitlines()
    assert said[:6] == [
        "some: 1 row",
        "  GPU       A100-SXM4-80GB (machine a100_80)",
        "  type      bfloat16",
        "  size      below 0.1 GFLOP",
        "  layout    N,T (A and B as stored, T: transposed)",
        "  host      none: kernels follow one another, as under CUDA graphs or in a long loop",
    ]
    assert said[6].startswith("  weights   5 copies of B and C")
    both = call("validate", "gpu", "--data", table(tmp_path, ROWS[0], OTHER)).out.splitlines()
    assert both[1] == "  GPU       A100-SXM4-80GB (machine a100_80), H100-SXM5-80GB (machine h100)"
    assert both[2].startswith("  type ") and not any(line.startswith("  layout ") for line in both)


def test_outliers_say_of_what_each_is_the_worst(tmp_path: Path) -> None:
    assert "one per GPU and (N, K)" in call("validate", "gpu", "--data", table(tmp_path)).out
    path = tmp_path / "updates.csv"
    path.write_text("# CUDA graphs\ngpu,optimizer,form,parameters,time_us\nH100,adam,fused,1000,3\n")
    said = call("validate", "gpu", "--data", str(path)).out
    assert "one per GPU and kind of row" in said and "(N, K)" not in said
    assert "  host      none: " in said and "  weights " not in said


def test_eager_is_an_assumption_that_is_said_and_can_be_denied(tmp_path: Path) -> None:
    """With kernel names and no word of CUDA graphs; with that word nothing is added or left out."""
    path = tmp_path / "known.csv"
    row = "NVIDIA A100-PCIE-40GB,fp32,4096,4096,1024,N,T,{},ampere_sgemm_128x64_tn,64,32,1\n"
    rows = HEADER.strip() + ",kernel,gx,gy,gz\n" + row.format(2000) + row.format(60)
    path.write_text(rows)
    eager = call("validate", "gpu", "--data", str(path), "--json").json["sets"][0]
    said = " ".join(call("validate", "gpu", "--data", str(path)).out.split())
    assert "host taken as launched and timed one by one (eager), so the host's part is added to every" in said
    assert "rows below 200 us, which mostly time the host, are not scored; if they ran under" in said
    path.write_text("# under CUDA graphs\n" + rows)
    graphs = call("validate", "gpu", "--data", str(path), "--json").json["sets"][0]
    assert (eager["eager"], eager["rows"], graphs["eager"], graphs["rows"]) == (True, 1, False, 2)
    assert "(eager)" not in call("validate", "gpu", "--data", str(path)).out


def test_tables_of_one_name_are_refused_where_they_would_share_files(tmp_path: Path) -> None:
    paths = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        paths += ["--data", table(tmp_path / folder, ROWS[0])]
    out = tmp_path / "out"
    done = call("validate", "gpu", *paths, "--out", str(out))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1) and not out.exists()
    assert paths[1] in done.err and paths[3] in done.err
    assert [found["name"] for found in call("validate", "gpu", *paths, "--json").json["sets"]] == ["some"] * 2


def test_a_table_is_never_overwritten(tmp_path: Path) -> None:
    paths = [table(tmp_path, ROWS[0], name=name) for name in ("x.csv", "x.predictions.csv")]
    before = Path(paths[1]).read_text()
    done = call("validate", "gpu", "--data", paths[0], "--data", paths[1], "--out", str(tmp_path))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1) and "x.predictions.csv" in done.err
    assert Path(paths[1]).read_text() == before


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
    assert done.code == 2 and "no row reaches 200 us; shorter ones time the host, unless a" in done.err


def test_ablation_leaves_out_one_ingredient_at_a_time(tmp_path: Path) -> None:
    found = call("validate", "gpu", "--data", table(tmp_path), "--ablation", "--json").json["sets"][0]
    ablation = found["ablation"]
    parts = ("waves", "occupancy", "l2", "split_k", "launch", "choice", "rows")
    names = ["full model", *(f"without {name}" for name in parts)]
    assert list(ablation) == names
    assert ablation["full model"] == found["blind"][0]["models"]["full"]
    assert ablation["without launch"]["bias"] < ablation["full model"]["bias"]
