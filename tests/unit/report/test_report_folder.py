"""The report folder is never half there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from simulator.errors import ConfigError
from simulator.report import RunRecord, check_folder, write_report
from simulator.report.folder import write_folder

OURS = frozenset(["page.html", "a.csv", "figures/x.png", "figures/old.png"])
FILES = {"page.html": b"page", "a.csv": b"a", "figures/x.png": b"x"}


def write(out: Path, files: dict[str, bytes] | None = None) -> None:
    write_folder(out, FILES if files is None else files, "page.html", OURS)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_whole_report(record: RunRecord, files: dict[str, bytes], tmp_path: Path) -> None:
    page = write_report(record, tmp_path / "deep" / "er" / "report")
    assert page == tmp_path / "deep" / "er" / "report" / "report.html"
    assert tree(page.parent) == set(files)
    assert {name: (page.parent / name).read_bytes() for name in files} == files
    assert [p.name for p in page.parent.parent.iterdir()] == ["report"]
    assert page.parent.stat().st_mode & 0o777 == 0o777 & ~_umask()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert tree(tmp_path / "out") == set(FILES)


def test_an_older_report_is_replaced_and_foreign_files_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, {**FILES, "figures/old.png": b"old"})
    (out / "notes.txt").write_text("mine")
    write(out, {**FILES, "a.csv": b"new"})
    assert tree(out) == {*FILES, "notes.txt"}
    assert (out / "a.csv").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["out"]


def test_the_page_is_replaced_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    write(out)
    order: list[str] = []
    replace = os.replace

    def spy(source: Path, target: Path) -> None:
        order.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", spy)
    write(out)
    assert order[-1] == "page.html" and len(order) == len(FILES)


@pytest.mark.parametrize("where", ["file", "file/below", "/proc/none/report"])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    for attempt in (write, check_folder):
        with pytest.raises(ConfigError) as caught:
            attempt(tmp_path / where)
        assert str(caught.value).startswith(f"out = {tmp_path / where}: ") and "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "not a folder"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    written = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "x.png":
            raise error
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    expected = ConfigError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write(tmp_path / "new" / "out")
    assert os.listdir(tmp_path) == []
    monkeypatch.undo()
    write(tmp_path / "out")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(expected):
        write(tmp_path / "out", {**FILES, "a.csv": b"new"})
    assert tree(tmp_path / "out") == set(FILES) and (tmp_path / "out" / "a.csv").read_bytes() == b"a"
    assert os.listdir(tmp_path) == ["out"]


def test_checking_leaves_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == []


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
