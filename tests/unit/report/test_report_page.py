"""The page: self-contained, in the order of its questions, honest about failures."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from simulator.report import RunRecord
from simulator.report import formats as f
from simulator.report.figures import FIGURES
from simulator.report.page import page_html
from simulator.report.perfetto import timeline

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
        (f.percent(0.3456), "34.6\u00a0%"), (f.optional_percent(float("nan")), "unknown"),
        (f.plural(1, "step"), "1 step"), (f.plural(2000, "step"), "2,000 steps"), (f.tick(1e10), "10 G"),
        (f.shorten("abcdef", 4), "abc…"), (f.significant(float("inf")), "inf"),
    ],
)  # fmt: skip
def test_formats(text: str, expected: str) -> None:
    assert text == expected
