"""The measurements that come with pulsetrain."""

from __future__ import annotations

import pytest

from simulator.measured.rows import Elementwise, Gemm, read_table
from simulator.measured.samples import ROWS, sample, sample_paths


def test_samples_say_where_they_come_from_and_hold_a_few_hundred_rows() -> None:
    tables = {path.stem: read_table(path) for path in sample_paths()}
    assert set(tables) == {
        "elementwise_fp32_v100_a100",
        "gemm_bf16_a100_h100",
        "gemm_fp32_pascal_deepbench",
        "gemm_fp32_v100_a100",
    }
    for table in tables.values():
        assert len(table.rows) == ROWS
        about = "\n".join(table.comments)
        assert (
            "source: " in about
            and ("(MIT)" in about or "(Apache-2.0)" in about)
            and "sample: 400 of" in about
        )
    gpus = {row.gpu for table in tables.values() for row in table.rows}
    assert len(gpus) == 7
    bf16 = tables["gemm_bf16_a100_h100"].rows
    assert all(isinstance(row, Gemm) and not row.eager for row in bf16)
    assert all(
        isinstance(row, Elementwise) and row.eager for row in tables["elementwise_fp32_v100_a100"].rows
    )
    pascal = next(path for path in sample_paths() if "pascal" in path.stem)
    lines = [line.split(",") for line in pascal.read_text().splitlines() if not line.startswith("#")][1:]
    rows = [row for row in tables[pascal.stem].rows if isinstance(row, Gemm)]
    for row, (_, _, m, n, k, transa, transb, _) in zip(rows, lines, strict=True):  # column-major
        assert (row.n, row.m, row.k, row.layout) == (int(m), int(n), int(k), f"{transb},{transa}")


def test_sample_keeps_comments_header_and_order() -> None:
    body = [f"row {i}" for i in range(50)]
    text = sample("\n".join(["# what", "head", *body]), rows=10)
    lines = text.splitlines()
    assert lines[:3] == ["# what", "# sample: 10 of the set's 50 rows, at random", "head"]
    kept = [body.index(line) for line in lines[3:]]
    assert len(kept) == 10 and kept == sorted(kept)
    assert text == sample("\n".join(["# what", "head", *body]), rows=10)
    assert sample("head\nrow\n", rows=10) == "head\nrow\n"


@pytest.mark.parametrize("path", sample_paths(), ids=lambda path: path.stem)
def test_a_sample_of_a_sample_is_itself(path) -> None:
    text = path.read_text(encoding="utf-8")
    assert sample(text) == text
