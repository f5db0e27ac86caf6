"""Writing a report folder so that it is never half there.

Everything is written into a temporary folder beside the target first. Then

* a target that does not exist (or is an empty folder) is put in place by renaming the temporary folder;
* a target that exists keeps what is not ours; our files replace the old ones one by one, each atomically, the
  page last, and files of an older report that the new one does not have are removed.

Whatever fails, the temporary folder and folders made on the way are removed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from simulator.errors import ConfigError


def check_folder(out: Path) -> None:
    """Find out before the work whether a report can be written to ``out``; leaves nothing behind.

    Raises:
        ConfigError: it cannot; one line with the reason.
    """
    with _staging(out):
        pass


def write_folder(out: Path, files: Mapping[str, bytes], last: str, ours: frozenset[str]) -> None:
    """Put ``files`` (relative path -> bytes) into ``out``, ``last`` last; ``ours`` are paths reports may own.

    Raises:
        ConfigError: the folder cannot be written; one line with the reason.
    """
    with _staging(out) as staging:
        for name, data in files.items():
            path = staging / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if not out.exists() or not any(out.iterdir()):
            staging.chmod(0o777 & ~_umask())
            os.replace(staging, out)
            return
        for name in files:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
        for name in [*(name for name in files if name != last), last]:
            os.replace(staging / name, out / name)
        for name in sorted(ours - set(files)):
            (out / name).unlink(missing_ok=True)


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out``; what is left of it, and of new parents of a failure, is removed."""
    made: list[Path] = []
    staging: Path | None = None
    done = False
    try:
        if out.exists() and not out.is_dir():
            raise ConfigError(f"out = {out}: it is a file; a folder or a new path is allowed")
        for parent in reversed([p for p in out.absolute().parents if not p.exists()]):
            parent.mkdir()
            made.append(parent)
        if out.exists() and not os.access(out, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.absolute().parent))
        yield staging
        done = out.exists()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"out = {out}: no report can be written there ({reason})") from None
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        if not done:
            for parent in reversed(made):
                with suppress(OSError):
                    parent.rmdir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
