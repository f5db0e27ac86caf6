"""How benchmarks are measured: both sides of a ratio in turn, again and again; medians are shown.

Whatever else the machine does meanwhile meets both sides. A bench is a module of ``tests.bench`` with
``rows(quick)``, which makes its Rows; ``quick`` asks for small cases, enough to see that everything runs.
Nothing is asserted: a test must not depend on how busy a machine is.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

REPEATS = 7
SHORT_S = 0.005  # shorter runs are made several times in a row, as a sweep makes them
SPIN_S = 0.1  # OpenBLAS's threads spin on after a product, on the core that the other side needs
ENOUGH_S = 20.0  # what has been run for so long is not run again


class Taken(NamedTuple):
    """Seconds of one run, and what it needed beside (``mib``: resident memory at its peak, where known)."""

    processor: float
    elapsed: float
    mib: float = 0.0


class Side(NamedTuple):
    """What is measured: ``run`` does ``count`` things of the row's unit.

    A run that happens in another interpreter measures itself there and returns Taken.
    """

    name: str
    run: Callable[[], Any]
    count: float = 1


class Row(NamedTuple):
    """One line of the table: the time of ``ours`` per thing over that of ``rival``, or a rate alone.

    One thread is measured by its processor time, which is elapsed time on a machine that does nothing else;
    more are measured by elapsed time.
    """

    bench: str  # the heading it stands under
    case: str
    ours: Side
    rival: Side | None = None
    unit: str = "runs"
    threads: int = 1
    aim_ratio: float | None = None  # ours / rival, at most
    aim_rate: float | None = None  # things per second, at least
    note: str = ""


class Result(NamedTuple):
    """A row and its medians: seconds per thing; ``ratio`` is the median of ours / rival, repeat by repeat."""

    row: Row
    ours: float
    rival: float | None
    ratio: float | None
    spread: tuple[float, float] | None  # of the ratios: least and most
    repeats: int
    mib: tuple[float, float]  # of ours and rival, where known

    @property
    def rate(self) -> float:
        """Things of ours per second."""
        return 1 / self.ours


def run_once(run: Callable[[], Any], times: int = 1) -> Taken:
    """One run, measured here unless it measures itself; the mean of ``times`` in a row."""
    elapsed, processor = time.perf_counter(), time.process_time()
    for _ in range(times):
        given = run()
    processor, elapsed = time.process_time() - processor, time.perf_counter() - elapsed
    return given if isinstance(given, Taken) else Taken(processor / times, elapsed / times)


class Measured:
    """One side of a row and its runs so far."""

    def __init__(self, side: Side) -> None:
        elapsed = time.perf_counter()
        given = side.run()  # warms caches, and tells how long a run takes
        elapsed = time.perf_counter() - elapsed
        self._side = side
        self._last = given if isinstance(given, Taken) else Taken(elapsed, elapsed)
        self._times = 1 if isinstance(given, Taken) else max(1, round(SHORT_S / (elapsed + 1e-7)))
        self._spent = elapsed
        self.runs: list[Taken] = []

    def again(self) -> None:
        """One more run, or the mean of some in a row; one that takes very long is not made again."""
        if self._spent < ENOUGH_S:
            elapsed = time.perf_counter()
            self._last = run_once(self._side.run, self._times)
            self._spent += time.perf_counter() - elapsed
        self.runs.append(self._last)

    def seconds(self, threads: int) -> list[float]:
        """Per thing, run by run."""
        times = (run.processor if threads == 1 else run.elapsed for run in self.runs)
        return [max(taken, 1e-9) / self._side.count for taken in times]

    @property
    def mib(self) -> float:
        return max(run.mib for run in self.runs)


def measure(rows: Sequence[Row], repeats: int = REPEATS) -> list[Result]:
    """Every row ``repeats`` times, in turn; in every other repeat the rival goes first."""
    measured = [[Measured(side) for side in (row.ours, row.rival) if side is not None] for row in rows]
    for repeat in range(repeats):
        for sides, threads in zip(measured, (row.threads for row in rows), strict=True):
            for side in sides if repeat % 2 else reversed(sides):
                if threads > 1:
                    time.sleep(SPIN_S)
                side.again()
    return [_result(row, *sides) for row, sides in zip(rows, measured, strict=True)]


def _result(row: Row, ours: Measured, rival: Measured | None = None) -> Result:
    mine = ours.seconds(row.threads)
    if rival is None:
        return Result(row, statistics.median(mine), None, None, None, len(mine), (ours.mib, 0.0))
    theirs = rival.seconds(row.threads)
    ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
    medians = (statistics.median(values) for values in (mine, theirs, ratios))
    return Result(row, *medians, (min(ratios), max(ratios)), len(mine), (ours.mib, rival.mib))
