"""Builds an array with Verilator or Icarus and runs cocotb tests on it; a build is kept and used again."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools.runner import get_runner

from simulator.cosim.bench.toolchain import applied, environment, locked, version
from simulator.cosim.build import cache_folder
from simulator.errors import CheckError, ConfigError

_VERILATE = ("--no-public-flat-rw", "--x-initial", "unique", "-Wno-fatal")
_TIMESCALE = ("1ns", "1ps")
_TAIL = 3000


@dataclass(frozen=True)
class Outcome:
    """Of a cocotb run: how many tests, the messages of those that failed, and all that was printed."""

    tests: int
    failures: tuple[str, ...]
    log: str


def simulate(
    sources: Sequence[Path | str],
    toplevel: str,
    test_module: str,
    *,
    parameters: Mapping[str, int] | None = None,
    simulator: str = "verilator",
    testcase: str | None = None,
    variables: Mapping[str, str] | None = None,
    includes: Sequence[Path] = (),
    build_args: Sequence[str] = (),
    wave: Path | None = None,
    seed: int = 1,
    check: bool = True,
) -> Outcome:
    """Build ``toplevel`` and run the cocotb tests of a Python module on it.

    Packages come first among ``sources``; ``includes`` are folders. ``variables`` reach the tests as
    environment variables. ``wave`` is the file to write the waveform to (Verilator: VCD, Icarus: FST).

    Raises:
        ConfigError: no such simulator, or the build or the simulation fails; the message says why.
        CheckError: with ``check``, a test has failed; the message is its report.
    """
    files = [Path(source).resolve() for source in sources]
    needed = environment(simulator)
    if simulator == "verilator":
        build_args = [*_VERILATE, *build_args]
    key = hashlib.sha256()
    key.update(repr((simulator, version(simulator), toplevel, sorted((parameters or {}).items()))).encode())
    key.update(repr((build_args, wave is not None)).encode())
    folders = [Path(folder).resolve() for folder in includes]
    included = (path for folder in folders for path in sorted(folder.glob("*.*v*")) if path.is_file())
    for file in (*files, *included):
        key.update(str(file).encode() + file.read_bytes())
    folder = cache_folder() / "bench" / f"{toplevel}-{key.hexdigest()[:20]}"
    folder.mkdir(parents=True, exist_ok=True)

    with tempfile.TemporaryDirectory(prefix="bench-") as name, applied(needed):
        work = Path(name)
        log, results = work / "log", work / "results.xml"
        runner = get_runner(simulator)
        with locked(folder / "lock"):
            if not (folder / "built").exists():
                if simulator == "verilator":
                    files = [_control_file(folder, toplevel), *files]
                try:
                    runner.build(
                        sources=files, hdl_toplevel=toplevel, build_dir=folder, always=True, log_file=log,
                        parameters=parameters or {}, includes=folders, build_args=build_args,
                        waves=wave is not None, timescale=_TIMESCALE,
                    )  # fmt: skip
                except (RuntimeError, subprocess.CalledProcessError, SystemExit):
                    raise ConfigError(f"bench: {toplevel} does not build:\n{_tail(log)}") from None
                (folder / "built").touch()
        with suppress(SystemExit, RuntimeError):  # how the runner says that a test, or the simulator, failed
            runner.test(
                test_module, toplevel, hdl_toplevel_lang="verilog", build_dir=folder, test_dir=work,
                parameters=parameters or {}, results_xml=str(results), testcase=testcase, seed=seed,
                extra_env=variables or {}, waves=wave is not None, log_file=log, timescale=_TIMESCALE,
            )  # fmt: skip
        if not results.exists():
            raise ConfigError(f"bench: {simulator} ended without results:\n{_tail(log)}")
        tests, failures = _read(results)
        printed = log.read_text(errors="replace")
        if wave is not None:
            written = folder / f"{toplevel}.fst" if simulator == "icarus" else work / "dump.vcd"
            shutil.copy(written, wave)
    if not tests:
        name = f" named {testcase}" if testcase else ""
        raise ConfigError(f"bench: no cocotb test in {test_module}{name}")
    if failures and check:
        raise CheckError("\n\n".join(failures))
    return Outcome(tests, failures, printed)


def _control_file(folder: Path, toplevel: str) -> Path:
    """Makes the top module's signals visible to cocotb, and only those: all of them cost much speed."""
    path = folder / "visible.vlt"
    path.write_text(f'`verilator_config\npublic_flat_rw -module "{toplevel}" -var "*"\n')
    return path


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_TAIL:] if log.exists() else ""


def _read(results: Path) -> tuple[int, tuple[str, ...]]:
    """The number of tests and the messages of the failed ones, of a JUnit file."""
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    failures = []
    for case in cases:
        for entry in (*case.findall("failure"), *case.findall("error")):
            failures.append(f"{case.get('name')}: {entry.get('message') or entry.text or ''}")
    return len(cases), tuple(failures)
