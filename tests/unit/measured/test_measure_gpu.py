"""The measuring script without a GPU: its cases, updates and files, and what it says where it cannot run.

The updates run on a stand-in for PyTorch's tensors that computes with NumPy and counts kernels and tensors.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from simulator.measured.rows import Gemm, Update, read_table
from simulator.measured.updates import passes
from workloads import optimizers

SCRIPT = Path(__file__).parents[3] / "examples" / "measure_gpu.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("measure_gpu", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["measure_gpu"] = module
    spec.loader.exec_module(module)
    return module


script = load()


class Tensor:
    """A tensor with PyTorch's in-place operations; every call is a kernel of (tensors read, written)."""

    kernels: list[tuple[int, int]]

    def __init__(self, values: np.ndarray, kernels: list[tuple[int, int]]) -> None:
        self.values, self.kernels = values, kernels

    def _write(self, values: Any, *read: Tensor) -> None:
        self.kernels.append((len({id(tensor) for tensor in read}), 1))
        self.values[:] = values

    def mul_(self, number: float) -> None:
        self._write(self.values * number, self)

    def add_(self, other: Any, alpha: float = 1.0) -> None:
        if isinstance(other, Tensor):
            self._write(self.values + alpha * other.values, self, other)
        else:
            self._write(self.values + other, self)

    def addcmul_(self, a: Tensor, b: Tensor, value: float = 1.0) -> None:
        self._write(self.values + value * a.values * b.values, self, a, b)

    def addcdiv_(self, a: Tensor, b: Tensor, value: float = 1.0) -> None:
        self._write(self.values + value * a.values / b.values, self, a, b)


class Torch:
    """The one function of PyTorch that the updates call."""

    @staticmethod
    def sqrt(x: Tensor, out: Tensor) -> None:
        out._write(np.sqrt(x.values), x)


def run(optimizer: str) -> tuple[list[np.ndarray], list[np.ndarray], list[tuple[int, int]]]:
    """Tensors before and after an unfused update, and its kernels."""
    rng = np.random.default_rng(4)
    kernels: list[tuple[int, int]] = []
    count = script.TENSORS[optimizer] + (optimizer in script.NEEDS_SCRATCH)
    before = [rng.uniform(0.1, 1.0, 50) for _ in range(count)]
    tensors = [Tensor(values.copy(), kernels) for values in before]
    script.UPDATES[optimizer](Torch(), *tensors)
    return before, [tensor.values for tensor in tensors], kernels


@pytest.mark.parametrize("optimizer", script.OPTIMIZERS)
def test_unfused_update_launches_the_kernels_that_are_simulated(optimizer: str) -> None:
    *_, kernels = run(optimizer)
    assert kernels == [(step.reads, step.writes) for step in passes(optimizer, fused=False)]


@pytest.mark.parametrize("optimizer", script.OPTIMIZERS)
def test_fused_update_reads_and_writes_each_tensor_once(optimizer: str) -> None:
    """A tensor that the update changes is written, every other one only read."""
    before, after, _ = run(optimizer)
    tensors = script.TENSORS[optimizer]
    changed = sum(not np.array_equal(a, b) for a, b in zip(before[:tensors], after[:tensors], strict=True))
    (step,) = passes(optimizer, fused=True)
    assert (step.reads, step.writes) == (tensors, changed)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adagrad", "rmsprop"])
def test_updates_are_those_of_the_workloads(optimizer: str) -> None:
    before, after, _ = run(optimizer)
    w, g, *states = before[: script.TENSORS[optimizer]]
    reference = optimizers.load(optimizer)
    named = {"mu": script.MU, "rho": script.MU, "eps": script.EPSILON}
    known = {name: value for name, value in named.items() if hasattr(reference, name)}
    reference = type(reference)(**known)
    new_w, new_state = reference.update(w, g, states[0] if states else None, script.RATE, 1.0)
    np.testing.assert_allclose(after[0], new_w, rtol=1e-12)
    if states:
        np.testing.assert_allclose(after[2], new_state, rtol=1e-12)


def test_adam_by_hand() -> None:
    (w, g, m, v, _), after, _ = run("adam")
    m2, v2 = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
    np.testing.assert_allclose(after[2], m2, rtol=1e-12)
    np.testing.assert_allclose(after[3], v2, rtol=1e-12)
    np.testing.assert_allclose(after[0], w - 1e-3 * m2 / (1.01 * np.sqrt(v2) + 1e-8), rtol=1e-12)


def test_a_training_step_has_eight_gemms_of_the_right_shapes() -> None:
    """Operands of the shapes that Y = X W, dW = X' dY and dX = dY W' have, stored as training stores them."""
    widths, batch = (5, 4, 3, 2), 7
    found = list(script.step_gemms(widths, batch))
    assert len(found) == 8
    stored = {(batch, width) for width in widths} | set(pairwise(widths))
    for m, n, k, transa, transb in found:
        assert ((k, m) if transa else (m, k)) in stored
        assert ((n, k) if transb else (k, n)) in stored
    assert sorted({(transa, transb) for *_, transa, transb in found}) == [
        (False, False),
        (False, True),
        (True, False),
    ]


def test_gemms_of_a_step_by_hand() -> None:
    """784-512-10, batch 128: two forward products, two of dW and one of dX."""
    assert list(script.step_gemms((784, 512, 10), 128)) == [
        (128, 512, 784, False, False),
        (784, 512, 128, True, False),
        (128, 10, 512, False, False),
        (512, 10, 128, True, False),
        (128, 512, 10, False, True),
    ]


def test_cases_span_what_is_asked() -> None:
    cases = script.update_cases(10**9)
    assert {case.parameters for case in cases} >= {10**power for power in range(3, 10)}
    assert {(case.optimizer, case.form) for case in cases} == {
        (optimizer, form) for optimizer in ("sgd", "momentum", "adagrad", "rmsprop", "adam")
        for form in ("fused", "unfused")
    }  # fmt: skip
    assert max(case.parameters for case in script.update_cases(5000)) == 3000
    gemms = script.gemm_cases(["fp32", "bf16"])
    assert len(set(gemms)) == len(gemms)
    assert min(case.m * case.n * case.k for case in gemms) < 10**3  # bound by its launch
    assert {case.dtype for case in gemms} == {"fp32", "bf16"}


class FakeGpu:
    """A GPU on which everything takes as long as its case says."""

    name = "NVIDIA H100 80GB HBM3"

    def __init__(self, free: int) -> None:
        self.free = free

    def free_bytes(self) -> int:
        return self.free

    def update(self, case: Any) -> Any:
        return case

    gemm = update

    def time_us(self, case: Any) -> float:
        return 1.5 + (case.parameters if hasattr(case, "parameters") else case.m)

    def clocks(self) -> tuple[str, str]:
        return "1980", "2619"


def test_files_are_tables_that_validation_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gpu = FakeGpu(free=16_000)
    cases = script.update_cases(3000)
    path = tmp_path / "updates.csv"
    count = script.write_csv(
        path, "updates", "made up", script.UPDATE_COLUMNS, script.measure_updates(gpu, cases)
    )
    table = read_table(path)
    assert len(table.rows) == count and all(isinstance(row, Update) and not row.eager for row in table.rows)
    # 3000 parameters need 24 kB at least, 1000 at most 20 kB: those above 14.4 kB are left out by name.
    assert {row.parameters for row in table.rows if isinstance(row, Update)} == {1000}
    assert all(row.time_us == 1001.5 for row in table.rows)
    assert "left out, 20,000 bytes are needed: adam unfused 1000" in capsys.readouterr().err
    path = tmp_path / "gemms.csv"
    gemms = script.gemm_cases(["bf16"])
    script.write_csv(path, "gemms", "same tensors", script.GEMM_COLUMNS, script.measure_gemms(gpu, gemms))
    rows = read_table(path).rows
    assert [(row.m, row.n, row.k, row.transa, row.transb) for row in rows if isinstance(row, Gemm)] == [
        tuple(case[1:]) for case in gemms
    ]
    assert not any(row.eager for row in rows)
    assert all(row.weight_copies == 1 for row in rows if isinstance(row, Gemm))


def test_what_was_measured_stays_when_a_later_case_fails(tmp_path: Path) -> None:
    path = tmp_path / "updates.csv"

    class Failing(FakeGpu):
        def time_us(self, case: Any) -> float:
            if case.optimizer == "adam":
                assert len(read_table(path).rows) == 8  # it is in the file already
                raise RuntimeError("out of memory")
            return 1.0

    rows = script.measure_updates(Failing(10**9), script.update_cases(1000))
    with pytest.raises(RuntimeError):
        script.write_csv(path, "updates", "made up", script.UPDATE_COLUMNS, rows)
    assert len(read_table(path).rows) == 8


@pytest.mark.parametrize(
    "torch, said",
    [
        ("sys.modules['torch'] = None", "PyTorch is needed and not installed"),
        (
            "sys.modules['torch'] = types.SimpleNamespace("
            "cuda=types.SimpleNamespace(is_available=lambda: False))",
            "PyTorch finds no CUDA device",
        ),
    ],
)
def test_without_pytorch_or_gpu_it_says_so_and_leaves(torch: str, said: str, tmp_path: Path) -> None:
    out = tmp_path / "measured"
    code = (
        f"import runpy, sys, types; {torch}; sys.argv = ['measure_gpu.py', '--out', {str(out)!r}]; "
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and said in done.stderr
    assert not out.exists()


def test_list_needs_nothing_and_bad_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--list", "--what", "updates", "--largest", "1000"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "sgd fused 1000"
    for bad in (["--largest", "10"], ["--dtypes", "fp64"], ["--what", "nothing"]):
        with pytest.raises(SystemExit) as leave:
            script.main(bad)
        assert leave.value.code == 2
