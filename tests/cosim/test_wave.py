"""A waveform on request: what a viewer reads in it is what the RTL did."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pylibfst
import pytest

from simulator.cosim.run import RtlRun
from simulator.cosim.vcd import read_vcd
from simulator.errors import ConfigError
from simulator.isa import UnitId, units_of
from tests.cosim.random_pairs import random_case
from tests.cosim.support import VECTOR, Case, check, step_case
from tests.support.machines import small_machine

Changes = dict[str, list[tuple[int, str]]]  # signal -> (time, value in binary)
EVENTS = "harness.harness.events_o [13:0]"
DISPATCH, DONE = 12, 6


@pytest.fixture(scope="module")
def case() -> Case:
    return step_case(small_machine(rows=4, cols=4, lanes=4, **VECTOR), (3, 2), 2, "sgd")


@pytest.fixture(scope="module")
def fst(case: Case, tmp_path_factory: pytest.TempPathFactory) -> tuple[Changes, RtlRun]:
    wave = tmp_path_factory.mktemp("fst") / "run.fst"
    comparison, run = check(case, wave=wave)
    assert comparison.equal, comparison.report
    return read_fst(wave), run


def read_fst(path: Path) -> Changes:
    """All signals, through the reader that GTKWave uses."""
    lib = pylibfst.lib
    file: Any = lib.fstReaderOpen(str(path).encode())
    assert file != pylibfst.ffi.NULL
    _, signals = pylibfst.get_scopes_signals2(file)
    by_handle: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)

    def changed(_: Any, time: int, handle: int, value: Any) -> None:
        by_handle[handle].append((time, pylibfst.string(value)))

    lib.fstReaderSetFacProcessMaskAll(file)
    pylibfst.fstReaderIterBlocks(file, changed)
    lib.fstReaderClose(file)
    return {name: by_handle[signal.handle] for name, signal in signals.by_name.items()}


def test_the_events_in_the_waveform_are_those_of_the_log(case: Case, fst: tuple[Changes, RtlRun]) -> None:
    changes, run = fst
    values = {time: int(value, 2) for time, value in changes[EVENTS]}
    first = next(time for time, value in sorted(values.items()) if value >> DISPATCH & 1)
    logged = run.trace.events
    now, seen = 0, []
    for cycle in range(run.rtl_cycles):  # a cycle is two units of time
        now = values.get(first + 2 * cycle, now)
        seen.append(now)

    def cycles(bit: int) -> list[int]:
        return [cycle for cycle, value in enumerate(seen) if value >> bit & 1]

    assert cycles(DISPATCH) == logged["dispatch"].tolist()
    units = units_of(case.program.records)
    for unit in UnitId:
        assert cycles(unit) == logged["start"][units == unit].tolist()
        assert [cycle + 1 for cycle in cycles(DONE + unit)] == logged["end"][units == unit].tolist()


def test_both_formats_show_every_signal_alike(
    case: Case, fst: tuple[Changes, RtlRun], tmp_path: Path
) -> None:
    wave = tmp_path / "run.vcd"
    check(case, wave=wave)
    vcd = read_vcd(wave)
    assert len(vcd) > 1000 and max(map(len, vcd.values())) > 500
    # In the order of their declaration: FST has a scope of its own for every unpacked array.
    assert list(fst[0].values()) == list(vcd.values())


def test_another_format_is_refused(case: Case, tmp_path: Path) -> None:
    for name in ("run.ghw", "run", "run.FST"):
        with pytest.raises(ConfigError, match=r"wave = .*: a file that ends in \.fst or \.vcd is needed"):
            check(case, wave=tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_the_report_names_the_first_divergence() -> None:
    comparison, _ = check(random_case(0, "4x4"), mutant=17)
    assert "instructions differ in time; first:" in comparison.report
    assert "in RTL," in comparison.report and "in the model" in comparison.report
