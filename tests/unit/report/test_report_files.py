"""The files of a report: valid, complete, bounded, and the same bytes every time."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from simulator.isa import Function
from simulator.report import Curve, Phase, RunRecord, report_files, results
from simulator.report.figures import FIGURES
from simulator.report.figures.stalls import operation_bars
from simulator.report.figures.timeline import cycles_in_slices, slice_edges
from simulator.report.page import page_html
from simulator.report.perfetto import timeline
from simulator.report.results import results_json
from simulator.report.tables import OPERATION_COLUMNS, TRAFFIC_COLUMNS, UNIT_COLUMNS

PROMISED = {
    "steps", "loss", "accuracy", "weights", "weights_different", "cycles", "cycles_per_step", "utilization",
    "time_us", "energy_pj", "simt", "steps_checked", "report",
}  # fmt: skip


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(data.decode())))


def test_every_file_is_there(files: dict[str, bytes]) -> None:
    figures = {f"figures/{figure.name}.{kind}" for figure in FIGURES for kind in ("png", "svg")}
    tables = {"operations.csv", "units.csv", "traffic.csv"}
    assert set(files) == {"report.html", "results.json", "timeline.json"} | tables | figures
    assert all(files[name].startswith(b"\x89PNG") for name in figures if name.endswith("png"))


def test_the_same_record_gives_the_same_bytes(
    sample: ModuleType, synthetic: ModuleType, files: dict[str, bytes]
) -> None:
    again = report_files(sample.record(synthetic))
    assert {name for name in files if files[name] != again[name]} == set()


def test_only_created_tells_two_runs_apart(record: RunRecord, files: dict[str, bytes]) -> None:
    later = results_json(replace(record, created="2027-01-01T00:00:00Z"))
    changed = [
        (a, b) for a, b in zip(files["results.json"].splitlines(), later.splitlines(), strict=True) if a != b
    ]
    assert len(changed) == 1 and b'"created"' in changed[0][0]
    assert b"2026-11-20" not in b"".join(data for name, data in files.items() if name != "results.json")


def test_results_have_the_promised_keys_and_add_up(record: RunRecord, files: dict[str, bytes]) -> None:
    found = json.loads(files["results.json"])
    assert set(found) >= PROMISED
    assert {"machine", "time_us", "utilization"} <= set(found["simt"])
    full, ragged = record.training
    assert found["steps"] == 460 and found["report"] == "report.html"
    assert found["cycles"] == 450 * full.trace.cycles + 10 * ragged.trace.cycles
    assert found["evaluation_cycles"] == 110 * record.evaluation[0].trace.cycles
    assert found["cycles_per_step"] == full.trace.cycles
    assert found["energy_pj"] == pytest.approx(450 * full.energy.energy_pj + 10 * ragged.energy.energy_pj)
    assert found["simt"]["time_us"] == pytest.approx(450 * 24.1 + 10 * 23.9)
    assert found["time_us"] == pytest.approx(found["cycles"] / 500)
    macs = 450 * full.metrics.macs + 10 * ragged.metrics.macs
    assert found["utilization"] == macs / (64 * found["cycles"])


def test_numbers_that_json_cannot_say_become_null(record: RunRecord) -> None:
    curve = Curve("simulated", (1.0, 2.0), (math.nan, math.inf), (0.1, math.nan))
    found = json.loads(results_json(replace(record, loss=math.nan, simulated=curve)))
    assert found["loss"] is None and found["curves"][0]["loss"] == [None, None]


def test_extra_results_do_not_replace_ours(record: RunRecord) -> None:
    assert results(replace(record, extra={"wall_s": 3}))["wall_s"] == 3
    with pytest.raises(ValueError, match="cycles"):
        results(replace(record, extra={"cycles": 3}))


def test_units_csv_adds_up(record: RunRecord, files: dict[str, bytes]) -> None:
    table = rows(files["units.csv"])
    assert tuple(table[0]) == UNIT_COLUMNS
    assert len(table) == 3 * 7
    for row in table:
        waits = [int(n) for name, n in row.items() if name.endswith("_cycles") and name != "busy_cycles"]
        assert int(row["busy_cycles"]) + sum(waits) == int(row["cycles"])


def test_operations_csv(record: RunRecord, files: dict[str, bytes]) -> None:
    table = [row for row in rows(files["operations.csv"]) if row["program"] == record.step.name]
    assert tuple(table[0]) == OPERATION_COLUMNS
    assert sum(int(row["macs"]) for row in table) == record.step.metrics.macs
    busy = sum(int(row["matrix_unit_busy_cycles"]) for row in table)
    assert busy == record.step.metrics.unit("matrix_unit").busy
    assert sum(int(row["instructions"]) for row in table) == len(record.step.program)


def test_traffic_csv(record: RunRecord, files: dict[str, bytes]) -> None:
    table = [row for row in rows(files["traffic.csv"]) if row["program"] == record.step.name]
    assert tuple(table[0]) == TRAFFIC_COLUMNS
    counters = record.step.metrics.counters
    assert sum(int(row["total_bytes"]) for row in table) == counters.hbm_bytes + counters.host_bytes
    for row in table:
        parts = ("useful_bytes", "padding_bytes", "refetch_bytes", "spill_bytes", "fill_bytes")
        assert sum(int(row[part]) for part in parts) == int(row["total_bytes"])
        assert int(row["useful_bytes"]) + int(row["padding_bytes"]) == int(row["needed_bytes"])


def slices_by_track(data: bytes) -> tuple[dict[str, Any], dict[int, list[dict[str, Any]]], dict[int, str]]:
    document = json.loads(data)
    tracks: dict[int, list[dict[str, Any]]] = {}
    names: dict[int, str] = {}
    for event in document["traceEvents"]:
        if event["ph"] == "M":
            if event["name"] == "thread_name":
                names[event["tid"]] = event["args"]["name"]
            continue
        assert event["ph"] == "X" and event["pid"] == 1 and event["name"] and event["dur"] > 0
        tracks.setdefault(event["tid"], []).append(event)
    return document, tracks, names


def test_the_timeline_covers_every_cycle_of_every_unit(record: RunRecord, files: dict[str, bytes]) -> None:
    document, tracks, names = slices_by_track(files["timeline.json"])
    assert set(tracks) == set(names) and len(tracks) == 7
    for events in tracks.values():
        assert events[0]["ts"] == 0
        for before, after in pairwise(events):
            assert before["ts"] + before["dur"] == after["ts"]
        assert events[-1]["ts"] + events[-1]["dur"] == record.step.trace.cycles
    assert document["otherData"]["slices_left_out"] == 0
    assert "1 cycle" in document["otherData"]["clock"]
    stall = next(e for events in tracks.values() for e in events if e["name"] == "stall: token")
    assert "instruction" in stall["args"]["cause"] and stall["args"]["cause_unit"]
    assert any(e["name"] == "matmul 32x64x32 forward 0" for events in tracks.values() for e in events)


def test_a_long_timeline_is_cut_and_says_so(record: RunRecord) -> None:
    whole, cut = timeline(record.step), timeline(record.step, max_slices=100)
    document, tracks, _ = slices_by_track(cut.data)
    assert cut.slices <= 100 and cut.slices + cut.left_out == whole.slices
    assert sum(map(len, tracks.values())) == cut.slices
    assert all(event["ts"] < cut.until for events in tracks.values() for event in events)
    assert document["otherData"]["slices_left_out"] == cut.left_out
    assert f"{cut.left_out:,} slices are left out" in document["otherData"]["note"]
    blank = {figure.name: {"light": b"", "dark": b""} for figure in FIGURES}
    page = page_html(record, cut, blank).decode()
    assert f"{cut.left_out:,} slices" in page and "The file ends early" in page


def test_slices_of_the_timeline_figure_count_every_cycle() -> None:
    start, end = np.array([0, 7, 40, 990]), np.array([7, 12, 41, 1000])
    edges = slice_edges(1000)
    assert len(edges) - 1 <= 480
    counted = cycles_in_slices(start, end, edges)
    assert counted.sum() == pytest.approx((end - start).sum())
    assert counted[0] == pytest.approx(edges[1]) and counted[100] == 0
    assert len(slice_edges(9)) == 10 and len(slice_edges(0)) == 2


def test_a_record_without_simt_evaluation_or_curve_is_reported_too(record: RunRecord) -> None:
    empty = Curve("none", (), (), ())
    one = Curve("one epoch", (1.0,), (0.5,), (math.nan,))
    bare = replace(
        record, simt=None, evaluation=(), simulated=one, numpy=empty, checks=(), accuracy=math.nan,
        loss=math.nan,
        extra={"interrupted": True},
    )  # fmt: skip
    files = report_files(bare)
    assert "Interrupted: unknown test accuracy" in files["report.html"].decode()
    assert json.loads(files["results.json"])["simt"] is None


def test_a_program_of_one_vector_instruction(record: RunRecord, synthetic: ModuleType) -> None:
    machine = synthetic.machine()
    b = synthetic.Builder(machine)
    b.op("copy", "copy")
    b.vec(Function.DIVIDE, 1, 1)
    program = b.program()
    phase = Phase.of(machine, "tiny", program, synthetic.simulate(machine, program), 1)
    found = json.loads(report_files(replace(record, training=(phase,), simt=None))["results.json"])
    assert found["steps"] == 1 and found["utilization"] == 0


def test_phases_and_simt_steps_must_match(record: RunRecord) -> None:
    with pytest.raises(ValueError, match="at least one training phase"):
        replace(record, training=(), simt=None)
    with pytest.raises(ValueError, match="every training phase"):
        replace(record, training=record.training[:1])


def test_bars_by_operation_count_every_cycle_of_the_unit(record: RunRecord) -> None:
    for unit in ("matrix_unit", "vector_unit"):
        whole, cut = operation_bars(record, unit), operation_bars(record, unit, shown=2)
        assert len(cut) == 4 and cut[2].label.endswith("other operations")
        assert cut[-1].label == "no operation left"
        cycles = record.step.metrics.cycles
        assert sum(bar.total for bar in whole) == sum(bar.total for bar in cut) == cycles
