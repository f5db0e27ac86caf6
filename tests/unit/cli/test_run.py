"""``pulsetrain run``: what it prints and leaves, the same every time, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tqdm
from threadpoolctl import threadpool_info

from simulator.numerics import core
from tests.support.command import Outcome, call, without_figures, without_report
from workloads import train

RUN = (
    *("run", "--machine", "edge_8x8", "--dataset", "synthetic:samples=40,features=6,classes=3"),
    *("--hidden", "5", "--epochs", "3", "--batch", "10", "--out", "report"),
)
DOCUMENTED = {
    *(
        "steps",
        "loss",
        "accuracy",
        "weights",
        "weights_different",
        "cycles",
        "cycles_per_step",
        "utilization",
    ),
    *("time_us", "energy_pj", "simt", "steps_checked", "report"),
}
SIMT = {"machine", "time_us", "utilization"}


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results(folder: str = "report") -> dict[str, Any]:
    parsed = json.loads(Path(folder, "results.json").read_text())
    assert isinstance(parsed, dict)
    return parsed


def test_same_seed_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = call(*RUN, "--json")
    before = tree(Path("report"))
    second = call(*RUN, "--json", "--out", "elsewhere/again")
    after = tree(Path("elsewhere/again"))
    assert first.code == second.code == 0
    assert before.keys() == after.keys()
    old, new = (json.loads(files.pop("results.json")) for files in (before, after))
    assert old.pop("created") and new.pop("created")
    assert old == new
    assert before == after
    without_report(monkeypatch)
    other = call(*RUN, "--json", "--seed", "1").json
    assert other["loss"] != first.json["loss"]
    assert other["configuration_hash"] != first.json["configuration_hash"]


def test_json_is_one_object_with_the_documented_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    without_figures(monkeypatch)
    outcome = call(*RUN, "--json")
    assert outcome.code == 0
    assert outcome.err == ""
    result = outcome.json
    assert result.keys() >= DOCUMENTED
    assert result["simt"].keys() >= SIMT
    assert Path(result["report"]).is_file()
    written = results()
    assert {**result, "report": written["report"]} == written
    assert result["steps"] == result["steps_checked"] == 12
    assert result["weights"] == 6 * 5 + 5 + 5 * 3 + 3
    assert sum(phase["executions"] for phase in result["phases"] if phase["kind"] == "training") == 12
    total = sum(
        phase["executions"] * phase["cycles"] for phase in result["phases"] if phase["kind"] == "training"
    )
    assert result["cycles"] == total
    assert result["configuration"]["machine"]["matrix_unit"]["rows"] == 8


def test_text_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    without_report(monkeypatch)
    outcome, result = call(*RUN), call(*RUN, "--json").json
    assert (outcome.code, outcome.err) == (0, "")
    for words in (
        f"{result['cycles']:,} cycles",
        f"{result['accuracy']:.2%}",
        f"{result['cycles_per_step']:,} cycles",
        "check emulation ok",
        "check float64   ok",
        "check program   ok",
        f"0 of {result['weights']} differ",
        "report/report.html",
    ):
        assert words in outcome.out


def test_command_in_the_report_runs_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    without_report(monkeypatch)
    options = ["--hidden", "4,4", "--residual", "--set", "matrix_unit.rows=4", "--set", "matrix_unit.cols=4"]
    result = call(*RUN, *options, "--json").json
    name, *again = result["command"].split()
    assert name == "pulsetrain" and "--out" not in again and "--json" not in again
    assert {**call(*again, "--json").json, "created": ""} == {**result, "created": ""}


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    without_report(monkeypatch)
    assert call(*RUN, "--json", "--against", "none").json["simt"] is None
    assert call(*RUN, "--json", "--against", "h100").json["simt"]["machine"] == "h100"


def test_kernels_of_the_gpu_are_fused_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    without_report(monkeypatch)
    fused, unfused = (call(*RUN, *options, "--json").json for options in ((), ("--unfused",)))
    assert unfused["simt"]["time_us"] > 1.5 * fused["simt"]["time_us"]
    assert unfused["simt"]["utilization"] < fused["simt"]["utilization"]
    assert "--unfused" in unfused["command"] and "--unfused" not in fused["command"]
    assert unfused["cycles"] == fused["cycles"]


def test_a_run_that_diverges_says_so_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    without_figures(monkeypatch)
    outcome = call(*RUN, "--json", "--optimizer", "sgd", "--lr", "1e30")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.json["loss"] is None
    assert outcome.json["weights_different"] == 0
    assert results()["loss"] is None


def test_progress_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    without_report(monkeypatch)
    quiet, shown = call(*RUN, "--json"), call(*RUN, "--json", terminal=True)
    assert quiet.err == ""
    assert "step" in shown.err and "\r" in shown.err
    assert {**quiet.json, "created": ""} == {**shown.json, "created": ""}


def test_numerics_and_blas_share_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    without_report(monkeypatch)
    update, seen = tqdm.tqdm.update, set()

    def counts() -> tuple[int, ...]:
        blas = [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]
        return core.threads(), *blas

    def looks(self: Any, n: float | None = 1) -> bool | None:
        seen.add(counts())
        shown: bool | None = update(self, n)
        return shown

    monkeypatch.setattr(tqdm.tqdm, "update", looks)
    with core.forced(core.active_name(), 5):
        before = counts()
        assert call(*RUN).code == 0
        assert counts() == before and before[0] == 5
    assert seen == {(3, 2)}


def test_an_older_report_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are all new, what is not its own stays, nothing is left over."""
    without_figures(monkeypatch)
    assert call(*RUN, "--epochs", "1").code == 0
    Path("report/notes.txt").write_text("mine")
    Path("report/figures/mine.png").write_bytes(b"mine")
    old = tree(Path("report"))
    assert call(*RUN, "--against", "none").code == 0
    new = tree(Path("report"))
    assert call(*RUN, "--against", "none", "--out", "fresh").code == 0
    fresh = tree(Path("fresh"))
    mine = {"notes.txt": b"mine", "figures/mine.png": b"mine"}
    assert new.keys() == fresh.keys() | mine.keys()
    for name, data in (fresh | mine).items():
        assert name == "results.json" or new[name] == data
    assert old["results.json"] != new["results.json"]
    assert results()["simt"] is None
    assert sorted(path.name for path in Path().iterdir()) == ["fresh", "report"]


# -- Ctrl-C --------------------------------------------------------------------------------------------------


def interrupt_after(updates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the progress bar is told of a step."""
    update, seen = tqdm.tqdm.update, 0

    def interrupted(self: Any, n: float | None = 1) -> bool | None:
        nonlocal seen
        seen += 1
        if seen > updates:
            raise KeyboardInterrupt
        shown: bool | None = update(self, n)
        return shown

    monkeypatch.setattr(tqdm.tqdm, "update", interrupted)


def check_interrupted(outcome: Outcome) -> None:
    assert outcome.code == 130
    assert outcome.err.strip() == "pulsetrain: interrupted"  # after the line that shows ^C
    assert not any(path.name.startswith(".") for path in Path().iterdir())


@pytest.mark.parametrize(("updates", "epochs"), [(0, 0), (2, 0), (6, 1)])
def test_interrupt_leaves_what_is_finished(
    updates: int, epochs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if updates:  # what has no epoch yet is the hardest to draw
        without_figures(monkeypatch)
    interrupt_after(updates, monkeypatch)
    outcome = call(*RUN, "--json")
    check_interrupted(outcome)
    result = results()
    assert outcome.json == {**result, "report": "report/report.html"}
    assert result["interrupted"] is True
    assert result["steps"] == result["steps_checked"] == updates + 1
    assert result["weights_different"] == 0 and result["passed"]
    simulated = result["curves"][0]
    assert len(simulated["loss"]) == len(simulated["accuracy"]) == epochs
    assert (result["loss"] is None) == (epochs == 0)
    page = Path("report/report.html").read_text()
    assert "interrupted" in page.lower()
    assert page.rstrip().endswith("</html>")


def test_interrupt_before_the_first_step_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does NumPy go on with the first of its epochs."""

    def interrupted(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.api.training.build_step", interrupted)
    check_interrupted(call(*RUN, "--epochs", "1000000"))
    assert not Path("report").exists()


@pytest.mark.parametrize("ahead", [False, True])
def test_numpy_has_the_epochs_of_an_interrupted_machine(ahead: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it was behind when the machine was interrupted, or ahead."""
    without_figures(monkeypatch)
    whole = call(*RUN, "--json").json["curves"][1]
    interrupt_after(9, monkeypatch)
    train_numpy, done = train.train_numpy, threading.Event()

    def waits(*arguments: Any, stop: Callable[[int], bool], **options: Any) -> train.History:
        if ahead:
            found = train_numpy(*arguments, **options)
            done.set()
            return found
        assert done.wait(60)
        return train_numpy(*arguments, stop=stop, **options)

    def steps(*arguments: Any) -> Iterator[train.Step]:
        if ahead:
            assert threading.current_thread() is not threading.main_thread() or done.wait(60)
        yield from train_steps(*arguments)

    update = tqdm.tqdm.update

    def tells(self: Any, n: float | None = 1) -> bool | None:
        try:
            return update(self, n)
        except KeyboardInterrupt:
            done.set()
            raise

    train_steps = train.steps
    monkeypatch.setattr(tqdm.tqdm, "update", tells)
    monkeypatch.setattr(train, "train_numpy", waits)
    monkeypatch.setattr(train, "steps", steps)
    check_interrupted(call(*RUN, "--json"))
    simulated, numpy = results()["curves"]
    assert len(simulated["loss"]) == 2
    assert (numpy["loss"], numpy["accuracy"]) == (whole["loss"][:2], whole["accuracy"][:2])


def test_what_the_machine_cannot_do_ends_both_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.py").write_text(
        "import numpy as np\n\n\nclass Cubes:\n"
        "    init = staticmethod(np.zeros_like)\n\n"
        "    @staticmethod\n    def update(w, g, v, lr, t):\n        return w - lr * g**3, v\n"
    )
    outcome = call(*RUN, "--optimizer", "mine.py:Cubes", "--lr", "0.1", "--epochs", "1000000")
    assert outcome.code == 2 and "mine.py" in outcome.err and outcome.err.count("\n") == 1
    assert not Path("report").exists()


def test_interrupt_of_the_report_keeps_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    without_figures(monkeypatch)
    assert call(*RUN, "--epochs", "1").code == 0
    old = tree(Path("report"))

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("simulator.report.page_html", interrupted)
    check_interrupted(call(*RUN))
    assert tree(Path("report")) == old
