"""The checker: compares a tile's samples with the model, value and cycle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.cosim.bench.adapter import Adapter, Sample
from simulator.cosim.bench.cycles import Expectation, Moment
from simulator.cosim.bench.model import Tile
from simulator.errors import CheckError


class Divergence(CheckError, AssertionError):
    """The array and the model differ; the message is the report."""


@dataclass(frozen=True)
class Compared:
    """One result beside its expectation; ``word`` None: it has X bits, ``offered`` None: it never came."""

    tile: int
    number: int  # of the result within the tile
    line: int
    lane: int
    word: int | None
    expected: int
    offered: int | None
    due: int | range | None
    any_nan: bool

    @property
    def wrong_value(self) -> bool:
        """Whether the bits differ (beyond what ``any_nan`` allows)."""
        if self.offered is None or self.word == self.expected:
            return False
        both_nan = self.word is not None and is_nan(self.word) and is_nan(self.expected)
        return not (self.any_nan and both_nan)

    @property
    def wrong_cycle(self) -> bool:
        """Whether it was offered in another cycle than it should be."""
        if self.due is None or self.offered is None:
            return False
        allowed = self.due if isinstance(self.due, range) else (self.due,)
        return self.offered not in allowed

    @property
    def wrong(self) -> bool:
        """Whether anything differs."""
        return self.wrong_value or self.wrong_cycle


def is_nan(word: int) -> bool:
    """Whether a float32's bits are a NaN."""
    return word & 0x7FFFFFFF > 0x7F800000


class Checker:
    """Compares tile after tile; ``results`` and ``timed`` count what was compared."""

    def __init__(self, adapter: Adapter, cycles: Expectation | None) -> None:
        self._adapter, self._cycles = adapter, cycles
        self._previous = -1  # the cycle in which the latest sample was accepted
        self.results = 0
        self.timed = 0
        self.problems: list[str] = []

    def beats(self, tile: Tile) -> int:
        """How many samples a tile gives."""
        return -(-len(list(self._adapter.result_order(tile))) // self._adapter.results_per_beat)

    def compare(
        self, tile: Tile, entered: Mapping[str, Sequence[int]], samples: Sequence[Sample]
    ) -> list[Compared]:
        """Every result of a tile, those that never came too; ``problems`` gets what fits no column."""
        if tile.results is None:
            return []
        expected = np.ascontiguousarray(tile.results).view(np.uint32)
        order, per_beat = list(self._adapter.result_order(tile)), self._adapter.results_per_beat
        integers = self._adapter.dtype == "int8"
        compared = []
        for number, (line, lane) in enumerate(order):
            beat, at = divmod(number, per_beat)
            sample = samples[beat] if beat < len(samples) else None
            if at == 0 and sample is not None:
                due = self._due(tile, beat, line, lane, entered)
                self._previous = sample.accepted
                last = number + per_beat >= len(order)
                if sample.last is not None and sample.last != last:
                    state = "high" if sample.last else "low"
                    self.problems.append(f"cycle {sample.accepted}: last is {state} with result {number}")
            elif at == 0:
                due = None
            word = sample.words[at] if sample else None
            offered = sample.offered if sample else None
            any_nan = self._adapter.any_nan and not integers
            bits = int(expected[line, lane])
            one = Compared(tile.index, number, line, lane, word, bits, offered, due, any_nan)
            self.results += offered is not None
            self.timed += due is not None
            compared.append(one)
        return compared

    def _due(
        self, tile: Tile, beat: int, line: int, lane: int, entered: Mapping[str, Sequence[int]]
    ) -> int | range | None:
        if self._cycles is None:
            return None
        try:
            return self._cycles(Moment(tile.index, beat, line, lane, entered, self._previous))
        except IndexError:  # the expectation asked for a beat of operands that has not entered
            self.problems.append(f"beat {beat} of results came before the operands that it is made of")
            return None
