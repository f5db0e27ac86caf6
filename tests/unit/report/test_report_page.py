"""The page: self-contained, in the order of its questions, honest about failures."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from typing import Any

import pytest

from simulator.report import Curve, RunRecord, results
from simulator.report import formats as f
from simulator.report.figures import FIGURES, learning
from simulator.report.page import page_html
from simulator.report.perfetto import timeline
from simulator.report.style import DARK, LIGHT, drawing, recolored, render

VOID = {"meta", "link", "img", "source", "br", "hr", "input"}


class Checker(HTMLParser):
    """Collects what the page loads and sees that tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.alts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "action") or (name == "href" and tag == "link"):
                self.loads.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            elif name == "alt" and value:
                self.alts += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(files: dict[str, bytes]) -> str:
    return files["report.html"].decode()


def light(record: RunRecord) -> str:
    """The page without its figures, which are not what is looked at."""
    blank = {figure.name: {"light": b"<svg/>", "dark": b"<svg/>"} for figure in FIGURES}
    return page_html(record, timeline(record.step), blank).decode()


def test_nothing_is_loaded_from_outside(page: str) -> None:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert len(checker.loads) == 1 + 2 * len(FIGURES) and checker.alts == len(FIGURES)
    assert all(load.startswith("data:") for load in checker.loads)
    assert all(link.startswith("#") and link[1:] in checker.ids for link in checker.links)
    assert "<script" not in page and "@import" not in page and "url(" not in page
    assert not re.search(
        r"(https?:)?//[a-z]", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page).replace("chrome://", "")
    )


def test_the_questions_come_in_order(page: str) -> None:
    questions = [
        "Did it learn?",
        "How fast?",
        "Where did the cycles go?",
        "What did it cost?",
        "Can I trust it?",
    ]
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == questions


def test_the_headline_is_the_answer(page: str, record: RunRecord) -> None:
    headline = re.search(r"<h1>(.*?)</h1>", page)
    assert headline is not None
    text = headline[1].replace("\u00a0", " ")
    assert text.startswith("96.9 % test accuracy after 460 steps; a step takes 6,944 cycles (13.9 µs)")
    assert "34.1 % utilization" in text and "1.74 times as fast as h200" in text


def test_what_passes_is_green_and_what_fails_is_red(page: str, record: RunRecord) -> None:
    assert 'class="badge good"' in page and "FAILED" not in page and 'class="failed"' not in page
    bad = replace(record.checks[1], passed=False, differences=4, detail="mul: 0.3 <beyond> its bound")
    failing = light(replace(record, checks=(record.checks[0], bad, record.checks[2])))
    assert 'class="badge good"' not in failing and 'class="banner"' in failing
    assert failing.count('<tr class="failed">') == 1 and "Checks failed: " in failing
    assert "mul: 0.3 &lt;beyond&gt; its bound" in failing and "<beyond>" not in failing
    assert "tr.failed td.verdict { color: var(--bad)" in failing
    assert "--bad: #b3261e" in failing


def test_differing_weights_alone_are_a_failure(record: RunRecord) -> None:
    failing = light(replace(record, weights_different=3))
    assert "3 of 2,410 weights differ" in failing and 'class="tile bad"' in failing
    assert 'class="banner"' in failing


def unchecked(record: RunRecord, **changes: Any) -> RunRecord:
    """Interrupted before anything was emulated."""
    emulation = replace(record.checks[0], values=0, bits=0, passed=False)
    return replace(
        record, weights_different=None, steps_checked=0, checks=(emulation, *record.checks[1:]),
        extra={"interrupted": True}, **changes,
    )  # fmt: skip


def test_what_was_not_checked_is_neither_green_nor_red(record: RunRecord) -> None:
    stopped = unchecked(record)
    assert not stopped.passed
    page = light(stopped)
    assert 'class="badge open"' in page and 'class="badge good"' not in page and 'class="banner"' not in page
    assert "Interrupted; 0 of 460 steps emulated; 2 of 3 checks passed; the last step" in page
    assert "Not checked: emulation, weights" in page and "Not all checked, interrupted: 96.9" in page
    assert page.count('<tr class="open">') == 1 and "FAILED" not in page and "1 not made" in page
    assert "weights differ" not in page and 'class="tile bad"' not in page and "<b>not checked</b>" in page
    assert results(stopped)["weights_different"] is None


def test_an_interrupted_run_says_how_much_was_checked(record: RunRecord) -> None:
    stopped = replace(record, steps_checked=7, extra={"interrupted": True})
    assert stopped.passed
    page = light(stopped)
    assert "7 of 460 steps emulated; 3 of 3 checks passed, 0 of 2,410 weights differ" in page
    assert 'class="badge open"' in page and "not checked to the end" in page


def test_a_failure_of_an_unchecked_run_is_a_failure(record: RunRecord) -> None:
    stopped = unchecked(record)
    bad = replace(record.checks[1], passed=False, differences=4)
    page = light(replace(stopped, checks=(stopped.checks[0], bad, stopped.checks[2])))
    assert "Checks failed, interrupted: " in page and "1 of 3 checks failed" in page
    assert "The weights were not checked." in page and "1 FAILED, 1 not made" in page


@pytest.mark.parametrize("lost", [math.nan, math.inf])
def test_a_diverged_run_says_so(record: RunRecord, lost: float) -> None:
    nothing = Curve("simulated machine", (1.0, 2.0, 3.0), (lost,) * 3, (0.1,) * 3)
    diverged = replace(record, simulated=nothing, numpy=replace(nothing, name="NumPy float32"), loss=lost)
    page = light(diverged)
    assert "<h1>The network diverged: " in page and "the network diverged, its bits still match" in page
    assert "no finite loss from epoch 1 on. So did NumPy float32" in page
    assert "The bits still match the emulation" in page and 'class="badge good"' in page
    assert not re.search(r"\b(nan|inf)\b", page)
    assert "no finite loss" in words(diverged)
    later = replace(nothing, loss=(2.0, 1.5, lost))
    assert "no finite loss from epoch 3 on" in words(replace(diverged, simulated=later))
    wrong = light(replace(diverged, weights_different=3))
    assert "bits still match" not in wrong.lower() and "Checks failed, the network diverged: " in wrong


def without_names(svg: bytes) -> bytes:
    """With the ids, which matplotlib derives from colours too, numbered."""
    ids = re.findall(rb'\bid="([^"]+)"', svg)
    numbers = {name: b"%d" % number for number, name in enumerate(ids)}
    return re.sub(rb'(\bid="|\bhref="#|url\(#)([^")]+)', lambda at: at[1] + numbers[at[2]], svg)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_a_recolored_figure_is_the_one_drawn_in_the_other_colors(record: RunRecord, figure: Any) -> None:
    bright, dark = (render(partial(figure.draw, record), theme, ("svg",))["svg"] for theme in (LIGHT, DARK))
    found = recolored(bright, LIGHT, DARK)
    if found is None:  # only this one has pixels
        assert figure.name == "timeline"
    else:
        assert without_names(found) == without_names(dark) != without_names(bright)


def words(record: RunRecord) -> list[str]:
    with drawing(LIGHT):
        return [text.get_text() for text in learning.draw(record, LIGHT).axes[0].texts]


def test_one_epoch_has_one_tick_and_a_loss_axis_from_zero(record: RunRecord) -> None:
    one = Curve("simulated machine", (1.0,), (1.8285,), (0.86,))
    single = replace(record, simulated=one, numpy=Curve("NumPy float32", (1.0,), (1.8282,), (0.86,)))
    with drawing(LIGHT):
        loss, accuracy = learning.draw(single, LIGHT).axes
        for axes in (loss, accuracy):
            low, high = axes.get_xlim()
            assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1.0]
        assert loss.get_ylim()[0] == 0 and loss.get_ylim()[1] > 1.9
    assert "The mean loss of the only epoch is 1.83" in light(single)


def test_bytes_are_useful_padding_or_extra(record: RunRecord) -> None:
    rows = record.step.metrics.traffic
    useful, padding = sum(r.useful_bytes for r in rows), sum(r.padding_bytes for r in rows)
    assert useful and padding
    page = light(record)
    assert f"{useful:,} are the elements that the graph reads and writes, {padding:,} pad them" in page


def test_the_comparison_says_what_is_not_alike(page: str, record: RunRecord) -> None:
    assert "as one fused kernel" in page
    assert "as one fused kernel" not in light(replace(record, simt=None))


def test_every_stall_reason_that_happened_is_explained(page: str) -> None:
    for words in (
        "Another unit has not yet finished",
        "No slot of the weight FIFO",
        "No instruction of this unit",
    ):
        assert words in page


def test_it_says_how_to_reproduce(page: str, record: RunRecord) -> None:
    assert record.command in page and record.configuration_hash in page
    assert "unified_buffer.capacity_bytes" in page


def test_slower_is_said_as_slower(record: RunRecord) -> None:
    assert record.simt is not None
    first, second = record.simt.steps
    fast = replace(record, simt=replace(record.simt, steps=(replace(first, time_us=1.0), second)))
    assert "13.9 times slower than h200" in light(fast)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f.significant(1234567.0), "1,234,567"), (f.significant(0.00123456), "0.00123"),
        (f.significant(0), "0"),
        (f.time(0.5), "500\u00a0ns"), (f.time(13888), "13.9\u00a0ms"), (f.energy(3.2e6), "3.20\u00a0µJ"),
        (f.percent(0.3456), "34.6\u00a0%"),
        (f.percent(0.004), "0.40\u00a0%"), (f.percent(0.0044), "0.44\u00a0%"),
        (f.percent(0.00016), "0.016\u00a0%"), (f.percent(0), "0.0\u00a0%"),
        (f.finite(float("nan")), "not finite"), (f.optional_percent(float("nan")), "unknown"),
        (f.plural(1, "step"), "1 step"), (f.plural(2000, "step"), "2,000 steps"), (f.tick(1e10), "10 G"),
        (f.shorten("abcdef", 4), "abc…"), (f.significant(float("inf")), "inf"),
    ],
)  # fmt: skip
def test_formats(text: str, expected: str) -> None:
    assert text == expected


def test_page_says_how_the_gpu_launches_what_the_core_computes(record: RunRecord) -> None:
    assert "runs the optimizer&#39;s update as one fused kernel, the core as separate" in light(record)
    assert record.simt is not None
    unfused = replace(record, simt=replace(record.simt, fused=False))
    assert "h200 launches a kernel for every operation, the core runs them as separate" in light(unfused)
