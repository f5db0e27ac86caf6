"""Reads a waveform in VCD, as Verilator writes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

Changes = Mapping[str, Sequence[tuple[int, str]]]


def read_vcd(path: Path) -> Changes:
    """Signal, with its scopes and its range -> ``(time, value in binary)`` of every change."""
    scope: list[str] = []
    codes: dict[str, tuple[str, int]] = {}
    by_code: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    time = 0
    with path.open() as lines:
        for line in lines:
            words = line.split()
            if not words:
                continue
            if words[0] == "$scope":
                scope.append(words[2])
            elif words[0] == "$upscope":
                scope.pop()
            elif words[0] == "$var":
                codes[".".join([*scope, " ".join(words[4:-1])])] = (words[3], int(words[2]))
            elif line[0] == "#":
                time = int(line[1:])
            elif line[0] == "b":
                by_code[words[1]].append((time, words[0][1:]))
            elif line[0] in "01":
                by_code[words[0][1:]].append((time, line[0]))
    return {
        name: [(at, value.zfill(width)) for at, value in by_code[code]]
        for name, (code, width) in codes.items()
    }
