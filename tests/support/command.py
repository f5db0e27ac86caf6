"""The command line in this process: what it printed, and how it left."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from simulator.cli.main import main
from simulator.report import RunRecord


class Stream(io.StringIO):
    """Standard output or standard error; a terminal or not."""

    def __init__(self, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@dataclass(frozen=True)
class Outcome:
    """How a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object and nothing else."""
        parsed = json.loads(self.out)
        assert isinstance(parsed, dict)
        return parsed


def call(*arguments: str, terminal: bool = False) -> Outcome:
    """``pulsetrain *arguments``; ``terminal`` says whether standard error is one."""
    out, err = Stream(), Stream(terminal)
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as leave:
        main(list(arguments))
    code = leave.value.code
    assert isinstance(code, int)
    return Outcome(code, out.getvalue(), err.getvalue())


def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports have empty figures: nothing is drawn, all else is written."""

    def blank(draw: object, theme: object, kinds: tuple[str, ...]) -> dict[str, bytes]:
        return dict.fromkeys(kinds, b'<svg xmlns="http://www.w3.org/2000/svg"/>')

    monkeypatch.setattr("simulator.report.render", blank)


def without_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs do all but draw and write their reports, which takes longer than a small run itself."""

    def leave_out(record: RunRecord, out: Path) -> Path:
        return out / "report.html"

    monkeypatch.setattr("simulator.report.write_report", leave_out)
