"""Bad input: one line that names what is wrong, exit code 2, no traceback, nothing written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.cli.main import main

RUN = ["run", "--out", "out"]
GEMM = ["gemm", "--machine", "edge_8x8"]
STEP = ["step", "--machine", "edge_8x8"]
TABLE = [*GEMM, "--csv", "in.csv", "--out", "out.csv"]
SHAPE = ["--shape", "8,8,8"]

# arguments, files to write first, what the line must hold
CASES: dict[str, tuple[list[str], dict[str, str], list[str]]] = {
    "no such command": (["frobnicate"], {}, ["frobnicate"]),
    "no such option": ([*GEMM, "--frob", "1"], {}, ["--frob"]),
    "machine missing": (["gemm", *SHAPE], {}, ["--machine"]),
    "gemm, RTL of a GPU": (["gemm", "--machine", "v100", *SHAPE, "--engine", "rtl"], {}, ["engine", "v100"]),
    "gemm, engine of a GPU": (
        ["gemm", "--machine", "v100", *SHAPE, "--engine", "event"],
        {},
        ["engine = 'event'", "v100 is a SIMT machine and takes none"],
    ),
    "step, RTL of a GPU": (["step", "--machine", "v100", "--engine", "rtl"], {}, ["engine", "rtl", "v100"]),
    "step, engine of a GPU": (["step", "--machine", "v100", "--engine", "fast"], {}, ["'fast'", "v100 is"]),
    "step, kernels of a core": ([*STEP, "--unfused"], {}, ["unfused: edge_8x8", "SIMT"]),
    "run, kernels of nothing": ([*RUN, "--against", "none", "--unfused"], {}, ["unfused: against = 'none'"]),
    "RTL without waiting": ([*GEMM, *SHAPE, "--compat", "scalesim", "--engine", "rtl"], {}, ["event"]),
    "unknown preset": (["gemm", "--machine", "tpu_v9", *SHAPE], {}, ["tpu_v9", "tpu_v2"]),
    "absent machine file": (["gemm", "--machine", "no/such.toml", *SHAPE], {}, ["no/such.toml"]),
    "machine file not TOML": (["gemm", "--machine", "m.toml", *SHAPE], {"m.toml": "rows = = 3"}, ["m.toml"]),
    "machine file unknown table": (
        ["gemm", "--machine", "m.toml", *SHAPE],
        {"m.toml": 'inherit = "edge_8x8"\n[matrix_units]\nrows = 4\n'},
        ["m.toml", "matrix_units", "matrix_unit"],
    ),
    "machine file unknown key": (
        ["gemm", "--machine", "m.toml", *SHAPE],
        {"m.toml": 'inherit = "edge_8x8"\n[matrix_unit]\nrowz = 4\n'},
        ["m.toml", "rowz", "rows"],
    ),
    "machine file negative": (
        ["gemm", "--machine", "m.toml", *SHAPE],
        {"m.toml": 'inherit = "edge_8x8"\n[matrix_unit]\nrows = -4\n'},
        ["m.toml", "matrix_unit.rows", "-4"],
    ),
    "machine file wrong type": (
        ["gemm", "--machine", "m.toml", *SHAPE],
        {"m.toml": 'inherit = "edge_8x8"\n[matrix_unit]\nrows = "four"\n'},
        ["m.toml", "matrix_unit.rows", "four"],
    ),
    "machine file incomplete": (
        ["gemm", "--machine", "m.toml", *SHAPE],
        {"m.toml": 'kind = "systolic"\nname = "mine"\n'},
        ["m.toml"],
    ),
    "inherits itself": (
        ["gemm", "--machine", "m.toml", *SHAPE],
        {"m.toml": 'inherit = "m.toml"\n'},
        ["m.toml"],
    ),
    "inherits nothing known": (
        ["gemm", "--machine", "m.toml", *SHAPE],
        {"m.toml": 'inherit = "tpu_v0"\n'},
        ["tpu_v0"],
    ),
    "buffer smaller than a tile": (
        [*GEMM, "--set", "unified_buffer.capacity_bytes=64", *SHAPE],
        {},
        ["unified_buffer.capacity_bytes", "64"],
    ),
    "set without value": ([*GEMM, "--set", "matrix_unit.rows", *SHAPE], {}, ["matrix_unit.rows"]),
    "set unknown field": ([*GEMM, "--set", "matrix_unit.row=4", *SHAPE], {}, ["row", "rows"]),
    "set zero": ([*GEMM, "--set", "matrix_unit.rows=0", *SHAPE], {}, ["matrix_unit.rows", "0"]),
    "set infinite clock": ([*GEMM, "--set", "clock.mhz=inf", *SHAPE], {}, ["clock.mhz"]),
    "set zero rate": ([*GEMM, "--set", "hbm.bytes_per_cycle=0", *SHAPE], {}, ["hbm.bytes_per_cycle", "0"]),
    "odd core for a step": (
        [*STEP, "--set", "matrix_unit.rows=12"],
        {},
        ["matrix_unit.rows", "12", "powers of two"],
    ),
    "shape of two": ([*GEMM, "--shape", "8,8"], {}, ["8,8", "M,K,N"]),
    "shape not numbers": ([*GEMM, "--shape", "8,x,8"], {}, ["8,x,8"]),
    "shape zero": ([*GEMM, "--shape", "8,0,8"], {}, ["k = 0"]),
    "shape negative": ([*GEMM, "--shape", "-8,8,8"], {}, ["m = -8"]),
    "shape of two signs": ([*GEMM, "--shape=--8,8,8"], {}, ["--8", "1048576"]),
    "shape beyond all integers": ([*GEMM, "--shape", "8,8," + "9" * 5000], {}, ["n = 9", "1048576"]),
    "shape and csv": ([*TABLE, *SHAPE], {"in.csv": "m,k,n\n1,1,1\n"}, ["--shape", "--csv"]),
    "neither shape nor csv": (GEMM, {}, ["--shape", "--csv"]),
    "csv without out": ([*GEMM, "--csv", "in.csv"], {"in.csv": "m,k,n\n1,1,1\n"}, ["--out"]),
    "csv absent": (TABLE, {}, ["in.csv"]),
    "csv empty": (TABLE, {"in.csv": ""}, ["in.csv", "m"]),
    "csv header only": (TABLE, {"in.csv": "m,k,n\n"}, ["in.csv", "no rows"]),
    "csv column missing": (TABLE, {"in.csv": "m,n\n1,1\n"}, ["in.csv", "column k"]),
    "csv unknown column": (TABLE, {"in.csv": "m,k,n,q\n1,1,1,1\n"}, ["in.csv", "q"]),
    "csv short row": (TABLE, {"in.csv": "m,k,n\n1,1,1\n1,1\n"}, ["in.csv:3"]),
    "csv long row": (TABLE, {"in.csv": "m,k,n\n1,1,1,1\n"}, ["in.csv:2"]),
    "csv not a number": (TABLE, {"in.csv": "m,k,n\n1,nan,1\n"}, ["in.csv:2", "k", "nan"]),
    "csv beyond all integers": (
        TABLE,
        {"in.csv": "m,k,n\n1,1,1\n1," + "9" * 5000 + ",1\n"},
        ["in.csv:3", "k"],
    ),
    "csv bad transpose": (TABLE, {"in.csv": "m,k,n,transa\n1,1,1,Y\n"}, ["in.csv:2", "transa", "Y"]),
    "csv bad type": (TABLE, {"in.csv": "m,k,n,dtype\n1,1,1,fp8\n"}, ["in.csv:2", "fp8", "bfloat16"]),
    "csv beyond the memory": (
        [*TABLE, "--set", "hbm.capacity_bytes=4096"],
        {"in.csv": "m,k,n\n1,1,1\n64,64,64\n"},
        ["in.csv:3", "hbm.capacity_bytes"],
    ),
    "csv unwritable": (
        [*GEMM, "--csv", "in.csv", "--out", "no/such/out.csv"],
        {"in.csv": "m,k,n\n1,1,1\n"},
        ["no/such/out.csv"],
    ),
    "type of the machine": ([*GEMM, *SHAPE, "--dtype", "float32"], {}, ["float32", "bfloat16"]),
    "unknown engine": ([*GEMM, *SHAPE, "--engine", "guess"], {}, ["--engine", "guess"]),
    "unknown dataflow": ([*GEMM, *SHAPE, "--dataflow", "xx"], {}, ["--dataflow", "xx"]),
    "dataflow of a GPU": (["gemm", "--machine", "v100", *SHAPE, "--dataflow", "ws"], {}, ["--dataflow"]),
    "hidden not numbers": ([*STEP, "--hidden", "3,a"], {}, ["hidden", "3,a"]),
    "hidden zero": ([*STEP, "--hidden", "0"], {}, ["hidden", "0"]),
    "unknown activation": ([*STEP, "--activation", "swish"], {}, ["--activation", "swish", "relu"]),
    "unknown loss": ([*STEP, "--loss", "hinge"], {}, ["--loss", "hinge"]),
    "unknown initializer": ([*STEP, "--init", "zeros"], {}, ["--init", "zeros"]),
    "unknown optimizer": ([*STEP, "--optimizer", "lion"], {}, ["lion", "adam", "FILE.py:NAME"]),
    "absent optimizer file": ([*STEP, "--optimizer", "no.py:lion"], {}, ["no.py"]),
    "no such optimizer in file": ([*STEP, "--optimizer", "o.py:lion"], {"o.py": "x = 1\n"}, ["o.py", "lion"]),
    "optimizer file broken": ([*STEP, "--optimizer", "o.py:lion"], {"o.py": "def (:\n"}, ["o.py"]),
    "optimizer that the machine cannot run": (
        [*STEP, "--optimizer", "o.py:lion"],
        {
            "o.py": "import numpy as np\nclass lion:\n    @staticmethod\n    def init(w): return None\n"
            "    @staticmethod\n    def update(w, g, state, lr, t): return w - lr * np.sinh(g), state\n"
        },
        ["o.py:6", "sinh"],
    ),
    "learning rate not finite": ([*STEP, "--lr", "nan"], {}, ["lr", "nan"]),
    "learning rate zero": ([*STEP, "--lr", "0"], {}, ["lr", "0"]),
    "batch zero": ([*STEP, "--batch", "0"], {}, ["batch", "0"]),
    "batch beyond all integers": ([*STEP, "--batch", "9" * 5000], {}, ["batch", "1048576"]),
    "batch beyond all memories": ([*STEP, "--batch", "1000000000"], {}, ["batch", "1048576"]),
    "hidden beyond all integers": ([*STEP, "--hidden", "9" * 5000], {}, ["hidden", "1048576"]),
    "full batch without data": ([*STEP, "--batch", "full"], {}, ["batch", "full"]),
    "dropout beyond one": ([*STEP, "--dropout", "1.5"], {}, ["dropout", "1.5"]),
    "residual without a pair": ([*STEP, "--hidden", "8", "--residual"], {}, ["residual"]),
    "unknown schedule": ([*RUN, "--schedule", "zigzag"], {}, ["zigzag", "cosine"]),
    "unknown schedule of a step": ([*STEP, "--schedule", "zigzag"], {}, ["zigzag", "cosine"]),
    "schedule without its key": ([*RUN, "--schedule", "cosine:speed=2"], {}, ["speed"]),
    "epochs zero": ([*RUN, "--epochs", "0"], {}, ["--epochs", "0"]),
    "unknown data set": ([*RUN, "--dataset", "imagenet"], {}, ["imagenet", "digits"]),
    "folder without data": ([*RUN, "--dataset", "."], {}, ["train-images"]),
    "unknown check": ([*RUN, "--check", "some"], {}, ["check", "some", "all"]),
    "check beyond all integers": ([*RUN, "--check", "9" * 5000], {}, ["check", "all"]),
    "sums beyond the accumulators": (
        [*STEP, "--dataflow", "os", "--set", "accumulators.lines=4"],
        {},
        ["accumulators.lines = 4", "8"],
    ),
    "compare with a TPU": ([*RUN, "--against", "tpu_v2"], {}, ["against", "tpu_v2"]),
    "train on a GPU": ([*RUN, "--machine", "v100"], {}, ["v100", "systolic"]),
    "report over a file": (["run", "--out", "taken"], {"taken": "x"}, ["taken"]),
    "co-simulation without a batch": (["cosim", "--batch", "full"], {}, ["batch", "full"]),
    "co-simulation of no steps": (["cosim", "--steps", "0"], {}, ["--steps", "0"]),
    "co-simulation of one class": (["cosim", "--outputs", "1"], {}, ["--outputs", "1"]),
    "waveform into nowhere": (["cosim", "--wave", "no/such/x.vcd"], {}, ["wave", "no/such"]),
    "co-simulation of a GPU": (["cosim", "--machine", "v100"], {}, ["v100", "systolic"]),
    "report nowhere": (["run", "--out", ""], {}, ["out = ''"]),
    "far too large": ([*GEMM, "--shape", "1048576,1048576,1048576"], {}, ["matmul 1048576x", "tiles"]),
    "transpose for SCALE-Sim": (
        [*GEMM, *SHAPE, "--compat", "scalesim", "--transa", "T"],
        {},
        ["scalesim", "transposed"],
    ),
    "transpose on an odd array": (
        [*GEMM, *SHAPE, "--set", "matrix_unit.rows=12", "--transb", "T"],
        {},
        ["transb", "powers of two"],
    ),
    "machine numbers of nothing": (["machines", "tpu_v9"], {}, ["tpu_v9"]),
}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def exit_code(arguments: list[str]) -> int:
    with pytest.raises(SystemExit) as leave:
        main(arguments)
    return int(leave.value.code or 0)


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_nothing_written(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, files, named = CASES[case]
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        Path(name).write_text(text)
    before = tree(tmp_path)
    assert exit_code(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    for word in named:
        assert word in captured.err, captured.err
    assert tree(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(files)


def write_idx(path: Path, array: np.ndarray) -> None:
    code = {np.dtype(np.uint8): 8, np.dtype(np.float32): 13}[array.dtype]
    header = bytes([0, 0, code, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(header + array.astype(array.dtype.newbyteorder(">")).tobytes())


@pytest.mark.parametrize(("label", "pixel", "named"), [(10, 0.5, "label 10"), (3, np.nan, "NaN")])
def test_data_that_cannot_be_learnt(
    label: int, pixel: float, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    images = np.full((12, 4, 4), 0.25, np.float32)
    images[5, 1, 1] = pixel
    labels = np.arange(12, dtype=np.uint8) % 10
    labels[7] = label
    for part in ("train", "t10k"):
        write_idx(data / f"{part}-images-idx3-ubyte", images)
        write_idx(data / f"{part}-labels-idx1-ubyte", labels)
    assert exit_code([*RUN, "--dataset", "data"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and named in captured.err
    assert not (tmp_path / "out").exists()
