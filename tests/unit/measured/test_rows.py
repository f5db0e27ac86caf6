"""Tables of measurements: what is read from them, and one line for each way in which they can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.errors import ConfigError
from simulator.measured.rows import Elementwise, Gemm, Launched, Update, family_of, read_table

GEMM = "gpu,dtype,M,N,K,transA,transB,time_us\n"
KERNEL = "gpu,dtype,M,N,K,transA,transB,time_us,kernel,gx,gy,gz\n"
ELEMENTWISE = "gpu,op,rows,cols,time_us\n"
UPDATE = "gpu,optimizer,form,parameters,time_us\n"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_kind_of_row(tmp_path: Path) -> None:
    (gemm,) = read_table(write(tmp_path, "# made up\n" + GEMM + "X,bf16,3,5,7,N,T,2.5\n")).rows
    assert gemm == Gemm("X", "bfloat16", 3, 5, 7, False, True, 2.5, eager=False, weight_copies=5)
    text = KERNEL + "X,fp32,3,5,7,T,N,2.5,volta_sgemm_128x64_tn,1,2,3\n"
    (gemm,) = read_table(write(tmp_path, text)).rows
    launched = Launched("volta_sgemm_128x64_tn", (1, 2, 3))
    assert gemm == Gemm("X", "float32", 3, 5, 7, True, False, 2.5, eager=True, launched=launched)
    (elementwise,) = read_table(write(tmp_path, ELEMENTWISE + "X,relu,3,5,2.5\n")).rows
    assert elementwise == Elementwise("X", "relu", 15, 2.5, eager=True)
    text = "# under CUDA graphs\n" + UPDATE + "X,adam,unfused,1000,2.5\n"
    (update,) = read_table(write(tmp_path, text)).rows
    assert update == Update("X", "adam", False, 1000, 2.5, eager=False)


@pytest.mark.parametrize("said, copies", [("made up", 5), ("the same tensors", 1), ("column-major", 1)])
def test_weights_are_one_copy_where_the_file_says_so(tmp_path: Path, said: str, copies: int) -> None:
    (row,) = read_table(write(tmp_path, f"# {said}\n{GEMM}X,bf16,3,5,7,N,T,2.5\n")).rows
    assert isinstance(row, Gemm) and row.weight_copies == copies


def test_further_columns_and_their_order_do_not_matter(tmp_path: Path) -> None:
    text = "sm_mhz,time_us,cols,rows,op,gpu\n1410, 2.5 ,5,3,add,X\n\n"
    (row,) = read_table(write(tmp_path, text)).rows
    assert row == Elementwise("X", "add", 15, 2.5, eager=True)


@pytest.mark.parametrize("transa", "NT")
@pytest.mark.parametrize("transb", "NT")
def test_column_major_rows_are_the_same_product_of_the_same_memory(
    tmp_path: Path, transa: str, transb: str
) -> None:
    """What cuBLAS computes from flat memory equals what the converted row says, read row-major."""
    m, n, k = 2, 3, 4
    rng = np.random.default_rng(1)
    a, b = rng.integers(-9, 9, m * k), rng.integers(-9, 9, k * n)
    left = a.reshape((m, k) if transa == "N" else (k, m), order="F")
    right = b.reshape((k, n) if transb == "N" else (n, k), order="F")
    c = (left if transa == "N" else left.T) @ (right if transb == "N" else right.T)
    memory = c.ravel(order="F")

    text = f"# column-major\n{GEMM}X,fp32,{m},{n},{k},{transa},{transb},1\n"
    (row,) = read_table(write(tmp_path, text)).rows
    assert isinstance(row, Gemm)
    first = b.reshape((row.k, row.m) if row.transa else (row.m, row.k))
    second = a.reshape((row.n, row.k) if row.transb else (row.k, row.n))
    product = (first.T if row.transa else first) @ (second.T if row.transb else second)
    assert product.ravel().tolist() == memory.tolist()


def test_family_of_column_major_rows_is_the_weight(tmp_path: Path) -> None:
    """DeepBench varies cuBLAS's N, the batch: rows that differ in it alone are one family."""
    rows = ("X,fp32,1760,16,512,N,N,1", "X,fp32,1760,64,512,N,N,1", "X,fp32,16,1760,512,N,N,1")
    text = f"# column-major\n{GEMM}" + "\n".join(rows)
    one, two, other = read_table(write(tmp_path, text)).rows
    assert family_of(one) == family_of(two) != family_of(other)


BAD = {
    "no row": (GEMM, ["a header and at least one row"]),
    "empty": ("", ["a header and at least one row"]),
    "another table": ("m,k,n\n1,2,3\n", ["columns m,k,n", "gpu,op,rows,cols,time_us"]),
    "column twice": ("gpu,op,op,rows,cols,time_us\nX,add,add,1,1,1\n", ["named twice"]),
    "kernel without grid": (
        KERNEL.replace(",gz", "") + "X,fp32,1,1,1,N,T,1,k,1,1\n",
        ["column gz is missing"],
    ),
    "too few cells": (GEMM + "X,bf16,1,1,1,N\n", ["table.csv:2: 6 columns; 8 are needed"]),
    "line below a comment": (
        "# one\n" + GEMM + "X,bf16,1,1,1,N,T,1\nX,bf16,0,1,1,N,T,1\n",
        ["table.csv:4: M = '0'"],
    ),
    "negative": (GEMM + "X,bf16,1,-1,1,N,T,1\n", ["N = '-1'; an integer from 1 to 16777216 is allowed"]),
    "fraction": (GEMM + "X,bf16,1,1,1.5,N,T,1\n", ["K = '1.5'"]),
    "too large": (GEMM + "X,bf16,99999999999999999999,1,1,N,T,1\n", ["M = '99999999999999999999'"]),
    "layout": (GEMM + "X,bf16,1,1,1,C,T,1\n", ["transA = 'C'; N, T are allowed"]),
    "type": (GEMM + "X,fp64,1,1,1,N,T,1\n", ["dtype = 'fp64'", "bf16"]),
    "no GPU": (GEMM + ",bf16,1,1,1,N,T,1\n", ["gpu is empty"]),
    "time zero": (GEMM + "X,bf16,1,1,1,N,T,0\n", ["time_us = '0'; a number above 0"]),
    "time not a number": (GEMM + "X,bf16,1,1,1,N,T,fast\n", ["time_us = 'fast'"]),
    "time nan": (GEMM + "X,bf16,1,1,1,N,T,nan\n", ["time_us = 'nan'"]),
    "time infinite": (GEMM + "X,bf16,1,1,1,N,T,inf\n", ["time_us = 'inf'"]),
    "operation": (ELEMENTWISE + "X,frob,1,1,1\n", ["op = 'frob'", "tanh"]),
    "elements": (ELEMENTWISE + "X,add,1000000000,1000000000,1\n", ["rows x cols = 1000000000000000000"]),
    "optimizer": (UPDATE + "X,adamax,fused,1,1\n", ["optimizer = 'adamax'", "adam"]),
    "form": (UPDATE + "X,adam,both,1,1\n", ["form = 'both'; fused, unfused are allowed"]),
    "quote left open": (GEMM + '"X,bf16,1,1,1,N,T,1\n', ["table.csv:2", "not a line of a CSV file"]),
}


@pytest.mark.parametrize("text, parts", BAD.values(), ids=BAD.keys())
def test_bad_table_is_one_line(tmp_path: Path, text: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        read_table(write(tmp_path, text))
    assert all(part in str(error.value) for part in parts), str(error.value)
    assert "table.csv" in str(error.value) and "\n" not in str(error.value)


def test_absent_file_and_binary_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv: cannot be read"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "b.csv").write_bytes(b"gpu\xff\xfe")
    with pytest.raises(ConfigError, match=r"b\.csv: not a CSV file in UTF-8"):
        read_table(tmp_path / "b.csv")
