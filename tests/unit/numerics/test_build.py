"""The native library: built once, never stale, and done without when there is no compiler."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simulator.errors import ConfigError
from simulator.numerics import build, core, kernels
from tests.unit.numerics.vectors import BACKENDS, random_bits

ROOT = Path(__file__).parents[3]
NATIVE = BACKENDS[:-1]

PROBE = """
import json, numpy as np
from simulator.numerics import core, kernels
a = np.arange(600, dtype=np.uint16).reshape(20, 30) * np.uint16(109)
c = kernels.gemm(a, a, transpose_b=True, rows=8, dataflow="ws")
print(json.dumps([core.backend(), c.view(np.uint32).ravel().tolist()]))
"""


def probe(**environment: str) -> tuple[str, list[int]]:
    """The backend that a fresh process with these variables uses, and some bits from it."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("CC", core.VARIABLE)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], cwd=ROOT, capture_output=True, text=True, check=True,
        env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip
    assert done.stderr == ""
    backend, bits = json.loads(done.stdout)
    return backend, bits


def test_where_there_is_a_compiler_there_is_a_native_core():
    """Without this a source that does not compile would only mean fewer tests."""
    if shutil.which("cc"):
        assert NATIVE
        if platform.machine() == "x86_64":
            assert "baseline" in NATIVE and len(NATIVE) <= 3


def test_all_backends_can_be_forced_by_the_variable():
    results = {name: probe(**{core.VARIABLE: name}) for name in BACKENDS}
    assert [backend for backend, _ in results.values()] == [
        *(f"native ({name})" for name in NATIVE), "numpy (forced)"
    ]  # fmt: skip
    assert all(bits == results["numpy"][1] for _, bits in results.values())


def test_without_a_compiler_numpy_computes_with_the_same_bits(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(build, "PACKAGE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv(core.VARIABLE, raising=False)
    monkeypatch.setattr(core, "_state", core._State())
    a = random_bits(60, seed=1).astype(np.uint16).reshape(6, 10)
    bits = kernels.gemm(a, a, transpose_b=True, rows=4, dataflow="ws")
    assert core.backend() == "numpy fallback: no C compiler (cc, gcc, clang or g++)"
    kernels.gemm(a, a, transpose_b=True, rows=4, dataflow="ws")
    said = capsys.readouterr().err  # once, however much is computed
    assert said == f"pulsetrain: {core.backend()}; the same bits, but slowly\n"
    with pytest.raises(ConfigError, match="no native core: no C compiler"), core.forced("avx2"):
        pass
    monkeypatch.undo()
    again = kernels.gemm(a, a, transpose_b=True, rows=4, dataflow="ws")
    assert np.array_equal(bits.view(np.uint32), again.view(np.uint32))


@pytest.mark.parametrize("count", ["0", "65", "two", "1.5"])
def test_a_wrong_number_of_threads_is_one_line(count):
    done = subprocess.run(
        [sys.executable, "-c", "from simulator.numerics import core; core.active()"],
        cwd=ROOT, capture_output=True, text=True,
        env=dict(os.environ) | {"PYTHONPATH": str(ROOT), core.THREADS_VARIABLE: count},
    )  # fmt: skip
    message = f"ConfigError: {core.THREADS_VARIABLE}={count}: expected a number from 1 to 64"
    assert done.stderr.splitlines()[-1].endswith(message)


def test_the_number_of_threads_is_the_variables(monkeypatch):
    bits = {probe(**{core.THREADS_VARIABLE: count})[1][0] for count in ("1", "2", "7")}
    assert len(bits) == 1
    monkeypatch.setenv(core.THREADS_VARIABLE, "7")
    monkeypatch.setattr(core, "_state", core._State())
    assert core.threads() == 7
    monkeypatch.undo()
    core.active().set_threads(core._default_threads())


def test_a_failing_compiler_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "false")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.BuildError, match=r"^false: "):
        build.build(tmp_path / "library")
    assert list((tmp_path / "library").iterdir()) == []


def test_the_name_follows_the_sources(tmp_path, monkeypatch):
    for source in build.SOURCES.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    before = build.library_name()
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    assert build.library_name() == before
    (tmp_path / "reduce.h").write_text("/* changed */")
    assert build.library_name() != before


def test_libraries_of_other_sources_are_ignored_and_removed(tmp_path, monkeypatch):
    stale, present = tmp_path / "_native-0123456789abcdef.so", tmp_path / build.library_name()
    stale.touch()
    present.touch()
    monkeypatch.setattr(build, "PACKAGE", tmp_path)
    assert build.find_or_build() == present
    build.remove_stale(tmp_path)
    assert list(tmp_path.iterdir()) == [present]


def test_a_renamed_library_is_refused(tmp_path, monkeypatch):
    library = build.find_or_build()
    monkeypatch.setattr(build, "source_hash", lambda: "0" * 16)
    with pytest.raises(ConfigError, match="stale library"):
        core.Native(library)


def test_a_cache_that_others_can_write_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "PACKAGE", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "pulsetrain").mkdir()
    (tmp_path / "pulsetrain").chmod(0o777)
    with pytest.raises(build.BuildError, match="writable by other users"):
        build.find_or_build()


@pytest.mark.parametrize("name", ["sse", "AVX2", "numpy "])
def test_an_unknown_backend_is_refused(name):
    with pytest.raises(ConfigError, match="expected one of numpy, baseline, avx2, avx512"), core.forced(name):
        pass


def test_another_rounding_mode_in_the_process_changes_nothing():
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    upward = 0x800  # FE_UPWARD of x86
    one = float("1")  # not a constant, which Python would add up beforehand
    x = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    half = kernels.to_bfloat16(x).reshape(10, 100)
    for name in NATIVE:
        with core.forced(name):

            def compute():
                return [
                    kernels.gemm(half, half, transpose_b=True, rows=8, dataflow="ws"),
                    kernels.elementwise("divide", x, x[::-1].copy()),
                    kernels.reduce("reduce_sum", x, (0,)),
                ]  # fmt: skip

            before = compute()
            if libm.fesetround(upward) != 0:
                pytest.skip("no such rounding mode on this machine")
            try:
                after = compute()
                still_upward = one + 2.0**-60 > 1.0
            finally:
                libm.fesetround(0)
            assert still_upward, "the caller's rounding mode is given back"
            for a, b in zip(before, after, strict=True):
                assert np.array_equal(a, b)
