"""``python -m tests.bench [NAME ...]``: one table of how fast everything is; ``--json`` keeps it."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from tests.bench import described, harness, table

BENCHES = tuple(sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py")))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="NAME", help=f"{', '.join(BENCHES)}; all if none")
    parser.add_argument("--json", type=Path, help="file that the results are written to as well")
    parser.add_argument("--against", type=Path, help="earlier results: how much slower each row is now")
    parser.add_argument("--repeats", type=int, default=harness.REPEATS)
    parser.add_argument("--quick", action="store_true", help="small cases: only shows that everything runs")
    options = parser.parse_args(arguments)
    if unknown := set(options.benches) - set(BENCHES):
        parser.error(f"no bench {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")

    before = json.loads(options.against.read_text()) if options.against else None
    machine = described.machine()
    print(table.heading(machine), flush=True)
    results: list[harness.Result] = []
    for name in options.benches or BENCHES:
        rows = importlib.import_module(f"tests.bench.bench_{name}").rows(options.quick)
        found = harness.measure(rows, options.repeats)
        print(table.text(found, before), flush=True)
        results += found
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(table.as_json(machine, results), indent=2) + "\n")


if __name__ == "__main__":
    main()
