"""Proofs about RTL by bounded checking and k-induction: Yosys translates, Bitwuzla decides.

A property module holds the unit and says what is assumed and asserted (immediate assertions in
``always_comb``). Its input ``rst_ni`` is low in cycle 0 only, and the state before that is any state at all.
Inputs whose names begin with ``any_`` keep one value, whichever, for ever.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from simulator.cosim.build import SOURCES
from simulator.cosim.synth.yosys import read, run

HERE = Path(__file__).parent


class Patch(NamedTuple):
    """A seeded fault: a copy of a source in which ``old``, which must be there once, is ``new``."""

    file: str
    old: str
    new: str


class Model(NamedTuple):
    """A module as SMT-LIB functions of its state, with the names of the inputs that do not change."""

    top: str
    text: str
    constants: Sequence[str]


class Outcome(NamedTuple):
    """``holds``, up to ``depth`` cycles after reset or (``induction``) for ever."""

    holds: bool
    induction: bool
    depth: int
    seconds: float


def translate(
    top: str,
    parameters: Mapping[str, int] | None = None,
    patches: Sequence[Patch] = (),
    *,
    any_outputs: Sequence[str] = (),
) -> Model:
    """A property module of this folder (``top.sv``) with the RTL under it.

    The outputs of modules in ``any_outputs`` are anything at all: arithmetic and data memories.
    """
    with tempfile.TemporaryDirectory() as work:
        copies = []
        for patch in patches:
            copy = Path(work) / patch.file
            text = copy.read_text() if copy.exists() else (SOURCES / patch.file).read_text()
            if text.count(patch.old) != 1:
                raise ValueError(f"{patch.file}: {patch.old!r} is there {text.count(patch.old)} times")
            copy.write_text(text.replace(patch.old, patch.new))
            if copy not in copies:
                copies.append(copy)
        boxes = [f"--blackboxed-module {name}" for name in any_outputs]
        output = Path(work) / "model.smt2"
        run(
            [
                read(top, parameters, options=boxes, first=[*copies, HERE / f"{top}.sv"]),
                f"hierarchy -check -top {top}", "proc", "flatten",
                *(["cutpoint -blackbox"] if any_outputs else []),
                "check -assert", "opt_clean -purge", "memory_map", "opt -fast", "async2sync",
                "chformal -lower", "opt -fast", "dffunmap", "opt_clean -purge",
                f"write_smt2 -stbv -wires {output}",
            ],
            120,
        )  # fmt: skip
        text = output.read_text()
    lines = [line for line in text.splitlines() if not line.startswith(";")]
    names = re.findall(rf"\|{top}_n (any_\w+)\|", text)
    if not re.search(rf"\|{top}_n rst_ni\|", text) or f"(define-fun |{top}_a| " not in text:
        raise ValueError(f"{top}: no rst_ni, or nothing asserted")
    return Model(top, "\n".join(lines) + "\n", sorted(set(names)))


def bounded(model: Model, depth: int, limit: float = 60) -> Outcome:
    """No assertion fails in the ``depth`` cycles after reset, whatever the state before it."""
    begin = time.monotonic()
    query = _unrolled(model, depth + 1, reset=True)
    fails = " ".join(f"(not (|{model.top}_a| s{cycle}))" for cycle in range(1, depth + 1))
    holds = not _satisfiable(query + f"(assert (or {fails} false))\n", limit)
    return Outcome(holds, False, depth, time.monotonic() - begin)


def induction(model: Model, depth: int, limit: float = 60) -> Outcome:
    """None fails in ``depth`` cycles after reset, nor, from any state, in a cycle after as many good ones."""
    begin = time.monotonic()
    if not bounded(model, depth, limit).holds:
        return Outcome(False, False, depth, time.monotonic() - begin)
    query = _unrolled(model, depth + 1, reset=False)
    good = "".join(f"(assert (|{model.top}_a| s{cycle}))\n" for cycle in range(depth))
    holds = not _satisfiable(query + good + f"(assert (not (|{model.top}_a| s{depth})))\n", limit)
    return Outcome(holds, True, depth, time.monotonic() - begin)


def reachable(model: Model, signal: str, depth: int, limit: float = 60) -> bool:
    """Whether a one-bit signal can be 1 within ``depth`` cycles: what is assumed does not exclude it."""
    query = _unrolled(model, depth + 1, reset=True)
    seen = " ".join(f"(|{model.top}_n {signal}| s{cycle})" for cycle in range(1, depth + 1))
    return _satisfiable(query + f"(assert (or {seen} false))\n", limit)


def _unrolled(model: Model, cycles: int, *, reset: bool) -> str:
    top = model.top
    lines = [f"(declare-const s{cycle} |{top}_s|)" for cycle in range(cycles)]
    for cycle in range(cycles):
        low = reset and cycle == 0
        lines.append(f"(assert (= (|{top}_n rst_ni| s{cycle}) {'false' if low else 'true'}))")
        if not low:  # nothing is assumed of the cycle of the reset
            lines.append(f"(assert (|{top}_u| s{cycle}))")
        if cycle:
            lines.append(f"(assert (|{top}_t| s{cycle - 1} s{cycle}))")
            lines += [
                f"(assert (= (|{top}_n {name}| s{cycle - 1}) (|{top}_n {name}| s{cycle})))"
                for name in model.constants
            ]
    return model.text + "\n".join(lines) + "\n"


def _satisfiable(query: str, limit: float) -> bool:
    import bitwuzla

    terms = bitwuzla.TermManager()
    options = bitwuzla.Options()
    options.set(bitwuzla.Option.TIME_LIMIT_PER, int(1000 * limit))
    parser = bitwuzla.Parser(terms, options)
    parser.parse("(set-logic QF_BV)\n" + query, True, False)
    result = str(parser.bitwuzla().check_sat()).split(".")[-1].lower()
    if result not in ("sat", "unsat"):
        raise TimeoutError(f"not decided within {limit:g} s")
    return result == "sat"
