"""Wires driver, monitor, model and checker around an array and runs GEMMs through it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.cosim.bench.adapter import Adapter, Sample
from simulator.cosim.bench.checker import Checker, Compared, Divergence
from simulator.cosim.bench.context import Context
from simulator.cosim.bench.cycles import Expectation
from simulator.cosim.bench.driver import Driver
from simulator.cosim.bench.model import Gemm, Tile, coverage_of, make_gemms, tiles_of
from simulator.cosim.bench.monitor import Monitor
from simulator.cosim.bench.operands import Coverage
from simulator.cosim.bench.report import report

_KEPT = 8  # results of earlier tiles that a report may show


@dataclass(frozen=True)
class Summary:
    """What a run without divergence compared."""

    tiles: int
    results: int  # values compared
    timed: int  # of these with a cycle compared
    cycles: int
    stalls: int  # cycles in which results were held back
    coverage: Coverage

    def __str__(self) -> str:
        missing = ", ".join(self.coverage.missing()) or "nothing"
        return (
            f"{self.tiles} tiles, {self.results} results equal to the bit, {self.timed} of them "
            f"in their cycle, in {self.cycles} cycles, {self.stalls} with back-pressure; "
            f"not covered: {missing}"
        )


async def run(
    dut: Any,
    adapter: Adapter,
    *,
    gemms: Iterable[Sequence[int] | Gemm],
    seed: int = 1,
    back_pressure: float | Mapping[str, float] = 0.0,
    cycles: Expectation | None = None,
    timeout_cycles: int = 1000,
) -> Summary:
    """Run GEMMs through an array and compare every result.

    ``gemms`` are shapes (m, k, n), for which operands are made, or ``Gemm``s. ``back_pressure`` is the chance
    that a port pauses in a cycle: of every port, or by its name (``results`` is the output). ``cycles`` says
    when results are due. A hung array is given up when nothing has moved for ``timeout_cycles``.

    Raises:
        Divergence: the array and the model differ, or the array hangs; the message is the report.
    """
    tiles = tiles_of(adapter, make_gemms(adapter, gemms, seed))
    ctx = Context(dut, adapter, seed, back_pressure)
    driver, monitor, checker = Driver(ctx, adapter, tiles), Monitor(ctx, adapter), Checker(adapter, cycles)
    await ctx.reset()
    monitor.start()
    driver.start()
    try:
        last = await _check_all(tiles, seed, timeout_cycles, ctx, driver, monitor, checker)
        await _nothing_more(ctx, adapter, monitor, last)
    finally:
        driver.stop()
        monitor.stop()
        ctx.stop()
    coverage = coverage_of(adapter, tiles)
    summary = Summary(len(tiles), checker.results, checker.timed, ctx.cycle, ctx.stalls, coverage)
    dut._log.info("%s", summary)
    return summary


async def _check_all(
    tiles: Sequence[Tile],
    seed: int,
    timeout_cycles: int,
    ctx: Context,
    driver: Driver,
    monitor: Monitor,
    checker: Checker,
) -> int:
    """Compare tile after tile as their results come; the number of samples."""
    before: list[Compared] = []
    taken = 0
    for tile in tiles:
        count = checker.beats(tile)
        arrived = await monitor.until(taken + count, timeout_cycles)
        samples: list[Sample] = monitor.samples[taken : taken + count]
        compared = checker.compare(tile, driver.entered[tile.index], samples)
        problems = [*ctx.violations, *checker.problems]
        if not arrived:
            state = driver.state(tile)
            problems.append(f"nothing has moved since cycle {ctx.progress}, now {ctx.cycle}; {state}")
        if problems or any(one.wrong for one in compared):
            raise Divergence(report(tile, before, compared, problems, seed))
        before = [*before, *compared][-_KEPT:]
        taken += count
        driver.left(tile)
    return taken


async def _nothing_more(ctx: Context, adapter: Adapter, monitor: Monitor, count: int) -> None:
    """After the last result nothing may come."""
    for _ in range(2 * (adapter.rows + adapter.cols) + 8):
        await ctx.rising()
    if ctx.violations:
        raise Divergence("after the last result: " + "; ".join(ctx.violations))
    if len(monitor.samples) > count:
        extra = monitor.samples[count]
        words = " ".join("X" if word is None else f"0x{word:08x}" for word in extra.words)
        raise Divergence(f"a beat too many after the last result, in cycle {extra.offered}: {words}")
