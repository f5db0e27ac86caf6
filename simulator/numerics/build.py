"""Compiles the native core (``native/*.c``, and the fast engine's) into a shared library that is loaded
through ctypes.

Only the standard library is imported, because ``setup.py`` loads this file by path before the
package's dependencies exist. The library's name carries a hash of its sources, flags and platform
and the library itself repeats it: a library of other sources is never loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SOURCES = PACKAGE / "native"
_ROOMS = ("fast", "compiler", "validate")
OTHER_SOURCES = tuple(PACKAGE.parent / room / "native" for room in _ROOMS)  # no two files of a name
PREFIX = "_native-"

# -ffp-contract=off: no multiplication and addition is ever fused except where the source says so.
# The two -fno options only drop errno and exception flags, which lets loops with selections be
# vectorised.
_FLAGS = (
    *("-O3", "-std=gnu11", "-fPIC", "-pthread", "-fvisibility=hidden"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)
_X86_FLAGS = {
    "avx2.c": ("-mavx2", "-mfma"),
    "avx512.c": ("-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl"),
}
_COMPILERS = ("cc", "gcc", "clang", "g++")
_TIMEOUT_S = 300


class BuildError(Exception):
    """The library could not be built; one line says why."""


def _sources(*patterns: str) -> list[Path]:
    """The files of all directories."""
    directories = (SOURCES, *OTHER_SOURCES)
    found = (path for at in directories for pattern in patterns for path in at.glob(pattern))
    return sorted(found, key=lambda path: path.name)


def _variant_flags(source: Path) -> tuple[str, ...]:
    """The flags of one source file: each instruction set has its own."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ()
    return _X86_FLAGS.get(source.name, ())


def source_hash() -> str:
    """What identifies a library: its sources, its flags and the platform it was built on."""
    digest = hashlib.sha256(repr((_FLAGS, _X86_FLAGS, sysconfig.get_platform())).encode())
    for source in _sources("*.c", "*.h"):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def library_name() -> str:
    """The file name of the library of the present sources."""
    return f"{PREFIX}{source_hash()}.so"


def _compilers() -> Iterator[list[str]]:
    """Compiler commands to try, ``$CC`` first. g++ is told that the sources are C."""
    if chosen := os.environ.get("CC"):
        yield shlex.split(chosen)
    for name in _COMPILERS:
        if path := shutil.which(name):
            yield [path, "-x", "c"] if name == "g++" else [path]


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"{command[0]}: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or ["failed"]
        raise BuildError(f"{command[0]}: {lines[0].strip()}")


def _compile_with(compiler: list[str], library: Path, objects: Path) -> None:
    def compile_source(source: Path) -> str:
        target = str(objects / f"{source.stem}.o")
        define = f'-DSOURCE_HASH="{source_hash()}"'
        flags = (*_FLAGS, *_variant_flags(source), define)
        _run([*compiler, *flags, "-c", str(source), "-o", target])
        return target

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        built = list(pool.map(compile_source, _sources("*.c")))
    linker = compiler[:1] if compiler[1:] == ["-x", "c"] else compiler
    _run([*linker, "-shared", "-pthread", "-o", str(library), *built, "-lm"])


def build(directory: Path) -> Path:
    """Builds the library into ``directory``, unless it is there; those of other sources stay.

    Raises:
        BuildError: no compiler, or the last compiler's first error.
    """
    library = directory / library_name()
    if library.exists():
        return library
    failure = BuildError("no C compiler (cc, gcc, clang or g++)")
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Built beside its place and renamed: another process sees all of the library or none.
        with tempfile.TemporaryDirectory(dir=directory, prefix="build-") as objects:
            unfinished = Path(objects) / library.name
            for compiler in _compilers():
                try:
                    _compile_with(compiler, unfinished, Path(objects))
                except BuildError as error:
                    failure = error
                    continue
                os.replace(unfinished, library)
                return library
    except OSError as error:
        raise BuildError(f"{directory}: {error.strerror or error}") from error
    raise failure


def remove_stale(directory: Path) -> None:
    """Deletes libraries of other sources from a package directory."""
    for path in directory.glob(f"{PREFIX}*.so"):
        if path.name != library_name():
            with contextlib.suppress(OSError):
                path.unlink()


def cache_directory() -> Path:
    """Where a library goes that an installation did not bring: the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pulsetrain"


def find_or_build() -> Path:
    """The library of the present sources: in the package, in the user's cache, or built into the
    cache.

    Raises:
        BuildError: there is none and it could not be built, or the cache belongs to somebody else.
    """
    packaged = PACKAGE / library_name()
    if packaged.exists():
        return packaged
    try:
        cache = cache_directory()
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = cache.stat()
    except (OSError, RuntimeError) as error:
        raise BuildError(f"no cache directory: {error}") from error
    # Code is loaded from there, so nobody else may be able to put a library into it.
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        raise BuildError(f"{cache}: writable by other users, so no library is loaded from it")
    return build(cache)
