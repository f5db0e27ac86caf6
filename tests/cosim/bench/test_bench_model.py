"""The bench without a simulator: tiles against the PE oracle, corner values, comparisons, reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import pytest

from simulator.cosim.bench import Adapter, Latency, Moment, Sample, Tile, after_array, pack
from simulator.cosim.bench.adapter import Beat
from simulator.cosim.bench.checker import Checker, Compared
from simulator.cosim.bench.context import check_back_pressure
from simulator.cosim.bench.model import coverage_of, make_gemms, tiles_of
from simulator.cosim.bench.report import report
from simulator.errors import ConfigError
from tests.oracles.pe_arithmetic import Arithmetic, Array, scalar_gemm
from tests.support.machines import small_machine


class Plain(Adapter):
    """Any array; only the model looks at it."""

    inputs: ClassVar = {}

    def __init__(
        self, dtype: str, dataflow: str, rows: int = 4, cols: int = 3, accumulates: bool = False
    ) -> None:
        self.dtype, self.dataflow, self.rows, self.cols = dtype, dataflow, rows, cols
        self.accumulates = accumulates

    def beats(self, port: str, tile: Tile) -> Iterable[Beat]:
        return tile.held


SHAPES = [(1, 1, 1), (5, 9, 7), (4, 8, 3), (13, 4, 2), (3, 17, 4)]


def _operand(values: Array) -> Array:
    """What the oracle takes: int32, or float32 of bfloat16 values."""
    if values.dtype == np.int8:
        return values.astype(np.int32)
    return (values.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("accumulates", [False, True])
@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
@pytest.mark.parametrize("dtype", ["int8", "bfloat16"])
def test_tiles_put_together_are_the_product_of_the_oracle(
    dtype: str, dataflow: str, accumulates: bool
) -> None:
    array = Plain(dtype, dataflow, accumulates=accumulates)
    arithmetic = Arithmetic(dtype == "int8")
    gemms = make_gemms(array, SHAPES, seed=5)
    tiles = tiles_of(array, gemms)
    assert [tile.index for tile in tiles] == list(range(len(tiles)))
    for number, gemm in enumerate(gemms):
        expected = scalar_gemm(
            arithmetic, _operand(gemm.a), _operand(gemm.b), None if dataflow == "os" else array.rows
        )
        streamed, held = (expected.shape[1], expected.shape[0]) if dataflow == "is" else expected.shape
        found = np.zeros((streamed, held), arithmetic.dtype)
        for tile in tiles:
            if tile.gemm != number or tile.results is None:
                continue
            part = tile.results[: len(tile.lines), : len(tile.lanes)]
            at = np.ix_(tile.lines, tile.lanes)
            found[at] = part if accumulates or tile.depth.start == 0 else arithmetic.add(found[at], part)
        found = found.T if dataflow == "is" else found
        assert np.array_equal(arithmetic.bits(found), arithmetic.bits(expected))


@pytest.mark.parametrize("dtype", ["int8", "bfloat16"])
def test_a_few_gemms_cover_every_corner(dtype: str) -> None:
    array = Plain(dtype, "ws", rows=4, cols=4)
    for seed in range(5):
        gemms = make_gemms(array, [(8, 4, 4), (5, 9, 6), (7, 12, 4), (16, 16, 8), (8, 8, 8)], seed)
        assert coverage_of(array, tiles_of(array, gemms)).missing() == []
    little = coverage_of(array, tiles_of(array, make_gemms(array, [(1, 1, 1)], 0))).missing()
    assert any(name.startswith("streamed: ") for name in little)


def test_bad_input_is_named() -> None:
    with pytest.raises(ConfigError, match=r"gemms\[1\] = \(2, 0, 1\)"):
        make_gemms(Plain("int8", "ws"), [(1, 1, 1), (2, 0, 1)], 1)
    with pytest.raises(ConfigError, match="dtype = 'fp8'"):
        make_gemms(Plain("fp8", "ws"), [(1, 1, 1)], 1)
    with pytest.raises(ConfigError, match="dataflow = 'rs'"):
        make_gemms(Plain("int8", "rs"), [(1, 1, 1)], 1)
    with pytest.raises(ConfigError, match="gemms is empty"):
        make_gemms(Plain("int8", "ws"), [], 1)
    check_back_pressure({"a": 0.5, "results": 0.0}, ["a"])
    with pytest.raises(ConfigError, match=r"back_pressure\['b'\]: no such port, one of a, results"):
        check_back_pressure({"b": 0.5}, ["a"])
    for chance in (1.0, -0.5):
        with pytest.raises(ConfigError, match=f"back_pressure = {chance}: from 0 to below 1"):
            check_back_pressure(chance, ["a"])
    with pytest.raises(ConfigError, match="cycles: port = 'b': one of a"):
        Latency("b", 7)(Moment(0, 0, 0, 0, {"a": [3]}, -1))


def test_elements_are_packed_lowest_first() -> None:
    assert pack([1, -1, 0], 8) == 0x00FF01
    assert pack(np.array([0x3F80, 0x8000], np.uint16), 16) == 0x80003F80


def test_latency_waits_for_its_turn() -> None:
    due = Latency("a", 7)
    assert due(Moment(0, 0, 0, 0, {"a": [3, 4]}, -1)) == 10
    assert due(Moment(0, 0, 1, 0, {"a": [3, 4]}, 20)) == 21
    machine = small_machine(rows=4, cols=3, pe_latency_cycles=2, horizontal_hop_cycles=2)
    assert after_array(machine, "a")(Moment(0, 0, 1, 0, {"a": [3, 4]}, -1)) == 4 + 4 * 2 + 2 * 2


def _samples(tile: Tile, changed: dict[int, int | None]) -> list[Sample]:
    assert tile.results is not None
    words = tile.results.view(np.uint32).reshape(-1).tolist()
    return [Sample((changed.get(i, word),), i, i) for i, word in enumerate(words)]


def _compare(array: Plain, tile: Tile, samples: list[Sample]) -> list[Compared]:
    return Checker(array, None).compare(tile, {}, samples)


def test_the_report_shows_floats_unknown_bits_and_what_is_missing() -> None:
    array = Plain("bfloat16", "ws", rows=2, cols=2)
    tile = tiles_of(array, make_gemms(array, [(2, 2, 2)], 1))[0]
    assert tile.results is not None
    bits = int(tile.results.view(np.uint32)[1, 0])
    text = report(tile, [], compared := _compare(array, tile, _samples(tile, {2: bits + 1})[:3]), [], 1)
    assert "of 4 results 3 came, 1 have a wrong value" in text
    assert " ulp, bits 0x" in text and "never came" in text
    assert text.endswith("    ..\n    V?")
    assert [one.wrong for one in compared] == [False, False, True, False]
    text = report(tile, [], _compare(array, tile, _samples(tile, {0: None})), ["cycle 3: told"], 1)
    assert "result 0 (line 0, lane 0) in cycle 0 is X, expected 0x" in text
    assert "\n  cycle 3: told\n" in text


def test_other_nans_are_allowed_where_the_adapter_says_so() -> None:
    array = Plain("bfloat16", "ws", rows=2, cols=2)
    (gemm,) = make_gemms(array, [(2, 2, 2)], 1)
    gemm.a[0, 0] = 0x7FC0
    tile = tiles_of(array, [gemm])[0]
    samples = _samples(tile, {0: 0xFFC00001})
    assert [one.wrong for one in _compare(array, tile, samples)] == [True, False, False, False]
    array.any_nan = True
    assert not any(one.wrong for one in _compare(array, tile, samples))
    assert any(one.wrong for one in _compare(array, tile, _samples(tile, {0: 0x7F800000})))
