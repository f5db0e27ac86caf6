"""The measurements that come with pulsetrain: a part of each public set, licence and source in each file.

``python -m simulator.measured.samples FOLDER`` takes them from the whole sets.
"""

from __future__ import annotations

import random
import sys
from importlib.resources import as_file, files
from pathlib import Path

ROWS = 400
_SEED = 5


def sample_paths() -> list[Path]:
    """The files, by name."""
    with as_file(files("simulator.measured").joinpath("data")) as folder:
        return sorted(folder.glob("*.csv"))


def sample(text: str, rows: int = ROWS) -> str:
    """Comments, header and ``rows`` rows at random, in the file's order; a note says so."""
    lines = text.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    header, *body = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(body) > rows:
        chosen = sorted(random.Random(_SEED).sample(range(len(body)), rows))
        comments.append(f"# sample: {rows} of the set's {len(body)} rows, at random")
        body = [body[i] for i in chosen]
    return "\n".join([*comments, header, *body]) + "\n"


def main(arguments: list[str]) -> None:
    """Writes a sample of every CSV file of a folder."""
    (folder,) = arguments
    for path in sorted(Path(folder).glob("*.csv")):
        text = sample(path.read_text(encoding="utf-8"))
        (Path(__file__).parent / "data" / path.name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
