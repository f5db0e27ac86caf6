"""The entry point: help, version, exit codes, what happens when nobody reads on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulator import __version__
from simulator.errors import CheckError, CompileError, DeadlockError
from tests.support.command import call

ROOT = Path(__file__).parents[3]


def test_help_names_every_command() -> None:
    outcome = call("--help")
    assert (outcome.code, outcome.err) == (0, "")
    for name in ("run", "gemm", "step", "machines"):
        assert f"  {name} " in outcome.out
        described = call(name, "--help")
        assert described.code == 0 and "--json" in described.out


def test_version() -> None:
    outcome = call("--version")
    assert outcome.code == 0 and __version__ in outcome.out


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CompileError("too\nlarge"), 2),
        (DeadlockError("stuck"), 2),
        (CheckError("bits differ"), 1),
        (MemoryError("Unable to allocate 4.00 TiB"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_codes(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("simulator.machines.loader.load_machine", fail)
    outcome = call("machines", "tpu_v2")
    assert outcome.code == code
    assert outcome.out == ""
    assert outcome.err.lstrip("\n").startswith("pulsetrain: ")  # a new line after ^C
    assert outcome.err.strip().count("\n") == 0


def test_unexpected_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.machines.loader.load_machine", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("machines", "tpu_v2")


def test_reader_that_leaves_early() -> None:
    """``pulsetrain step --json | head -1``: no traceback, no complaint."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from simulator.cli import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "step", "--machine", "edge_8x8", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/") as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"{\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1
