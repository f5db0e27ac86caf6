"""Errors, groups and splits."""

from __future__ import annotations

import random

import pytest

from simulator.measured import splits
from simulator.measured.harness import Harness, fit
from simulator.measured.rows import Elementwise, Gemm, Row, Update, family_of
from simulator.measured.scores import groups, is_scored, score, size_class


def gemm(m: int, n: int, k: int, gpu: str = "X", time_us: float = 1.0, eager: bool = False) -> Gemm:
    return Gemm(gpu, "bfloat16", m, n, k, False, True, time_us, eager)


def test_score_by_hand() -> None:
    found = score([10.0, 20.0, 40.0, 80.0], [11.0, 18.0, 40.0, 120.0])  # +10, -10, 0, +50 per cent
    assert found.rows == 4
    assert found.mape == pytest.approx(17.5)
    assert found.median == pytest.approx(10.0)
    assert found.p90 == pytest.approx(38.0)  # between 10 and 50, 0.7 of the way
    assert found.bias == pytest.approx(12.5)


def test_score_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 measurements"):
        score([], [])
    with pytest.raises(ValueError, match="2 measurements, 1 predictions"):
        score([1.0, 2.0], [1.0])


def test_size_is_told_by_work_and_never_by_time() -> None:
    assert {size_class(gemm(64, 64, 64, time_us=t)) for t in (1.0, 1e6)} == {"below 0.1 GFLOP"}
    assert size_class(gemm(500, 1000, 100)) == "0.1 to 10 GFLOP"
    assert size_class(gemm(5000, 1000, 1000)) == "from 10 GFLOP"
    assert size_class(Update("X", "adam", True, 8_000_000, 1.0, False)) == "from 8 M elements"


def test_groups_cover_every_row_once_and_leave_out_what_does_not_vary() -> None:
    rows: list[Row] = [gemm(8, 8, 8), gemm(5000, 1000, 1000, gpu="Y"), gemm(500, 1000, 100, gpu="Y")]
    found = groups(rows)
    assert {name for name, _, _ in found} == {"all", "gpu", "size"}
    for name in ("all", "gpu", "size"):
        assert sorted(i for grouping, _, members in found if grouping == name for i in members) == [0, 1, 2]
    sizes = [value for name, value, _ in found if name == "size"]
    assert sizes == ["below 0.1 GFLOP", "0.1 to 10 GFLOP", "from 10 GFLOP"]


def test_short_eager_gemms_are_not_scored() -> None:
    assert is_scored(gemm(8, 8, 8, time_us=1.0))
    assert not is_scored(gemm(8, 8, 8, time_us=199.0, eager=True))
    assert is_scored(gemm(8, 8, 8, time_us=200.0, eager=True))
    assert is_scored(Elementwise("X", "add", 10, 30.0, eager=True))


def test_folds_never_split_a_family() -> None:
    rng = random.Random(3)
    rows: list[Row] = [gemm(rng.randint(1, 99), rng.randint(1, 9), rng.randint(1, 9)) for _ in range(500)]
    folds = list(splits.by_family(rows, 5))
    tested = [row for fold in folds for row in fold.test]
    assert sorted(map(repr, tested)) == sorted(map(repr, rows))
    assert all(len(rows) / 10 < len(fold.test) < len(rows) / 3 for fold in folds)
    for fold in folds:
        assert len(fold.train) + len(fold.test) == len(rows)
        assert not {family_of(row) for row in fold.train} & {family_of(row) for row in fold.test}


def test_too_few_families_are_refused() -> None:
    with pytest.raises(ValueError, match="1 families"):
        list(splits.by_family([gemm(1, 2, 3), gemm(2, 2, 3)], 2))


def test_a_gpu_that_is_left_out_is_nowhere_in_the_training_rows() -> None:
    rows = [gemm(i, 8, 8, gpu="XYZ"[i % 3]) for i in range(1, 10)]
    folds = list(splits.by_gpu(rows))
    assert [fold.name for fold in folds] == ["X", "Y", "Z"]
    for fold in folds:
        assert {row.gpu for row in fold.test} == {fold.name}
        assert fold.name not in {row.gpu for row in fold.train} and len(fold.train) == 6
    with pytest.raises(ValueError, match="two GPUs at least"):
        list(splits.by_gpu([gemm(1, 1, 1)]))


def test_host_part_is_found_again() -> None:
    host = Harness(lag_us=15.0, floor_us=30.0)
    kernels = [1.0 + 0.1 * i for i in range(100)] + [100.0 + i for i in range(100)]
    found = fit([host.time_us(kernel) for kernel in kernels], kernels)
    assert found.lag_us == pytest.approx(15.0)
    assert found.floor_us == pytest.approx(30.0)


def test_too_few_measurements_do_not_tell_the_host_part() -> None:
    with pytest.raises(ValueError, match="too few"):
        fit([30.0, 31.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="too few to tell the lag"):
        fit([30.0] * 20, [1.0] * 20)
