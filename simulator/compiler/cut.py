"""Steps over whole tensors cut into entries for a machine's sizes: what ``native/cut.h`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from simulator.compiler.gemm import output_stationary, weight_stationary
from simulator.compiler.steps import TILE, Run, Step, Steps
from simulator.compiler.symbolic import Lowering, Place
from simulator.compiler.tensors import Geometry
from simulator.compiler.vector import Mapped, Operand, copy_rows, elementwise, reduce_rows

Words = Iterator[int]


def cut(steps: Steps, geometry: Geometry, rows: int, cols: int) -> Lowering:
    """The entries of all steps on an array of ``rows`` x ``cols``."""
    low = Lowering(geometry, rows, cols)
    for value in steps.tensors:
        low.tensor(value.name, value.shape, value.dtype, whole_rows=value.whole_rows)
    words, at = steps.words.tolist(), 0
    while at < len(words):
        kind, length, low.current = words[at : at + 3]
        _CUT[Step(kind)](low, iter(words[at + 3 : at + length]))
        at += length
    return low


def _mapped(low: Lowering, words: Words) -> Mapped:
    function, flags, item, out, count = (next(words) for _ in range(5))
    sources: list[Operand | None] = []
    for _ in range(count):
        tensor, replicate, n_runs = (next(words) for _ in range(3))
        runs = [Run(next(words), next(words), next(words), bool(next(words))) for _ in range(n_runs)]
        sources.append(None if tensor == TILE else Operand(low.tensors[tensor], bool(replicate), runs))
    return Mapped(function, flags, item, low.tensors[out], sources)


def _elementwise(low: Lowering, words: Words) -> None:
    elementwise(low, _mapped(low, words))


def _copy(low: Lowering, words: Words) -> None:
    out, out_row, out_panel, source, source_row, source_panel, *rest = words
    to, at = (low.tensors[out], out_row, out_panel), (low.tensors[source], source_row, source_panel)
    copy_rows(low, *to, *at, *rest)


def _reduce(low: Lowering, words: Words) -> None:
    function, flags, out, out_row, source, row, rows = words
    reduce_rows(low, function, flags, low.tensors[out], out_row, low.tensors[source], row, rows)


def _transpose(low: Lowering, words: Words) -> None:
    out, out_row, number, row, rows = words
    source = low.tensors[number]
    low.transposes(Place(out, 0, out_row), Place(number, 0, row), rows, source.panels, source.item)


def _matmul(low: Lowering, words: Words) -> None:
    sums_stay, a, b, flags = (next(words) for _ in range(4))
    multiply = output_stationary if sums_stay else weight_stationary
    multiply(low, low.tensors[a], low.tensors[b], _mapped(low, words), flags)


_CUT: Mapping[Step, Callable[[Lowering, Words], None]] = {
    Step.ELEMENTWISE: _elementwise,
    Step.COPY: _copy,
    Step.REDUCE: _reduce,
    Step.TRANSPOSE: _transpose,
    Step.MATMUL: _matmul,
}
