"""Cells and area of every unit, from Yosys on the core's own RTL."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from simulator.cosim.build import SOURCES
from simulator.cosim.synth.liberty import Liberty
from simulator.cosim.synth.yosys import read, run
from simulator.energy.area_table import Area

SIZES = (4, 8, 16)
QUEUES = 5
_LIMIT = 1800.0
# Transistors of static CMOS; a 2-input NAND has 4.
_TRANSISTORS = {
    "$_NOT_": 2, "$_AND_": 6, "$_OR_": 6, "$_XOR_": 10, "$_MUX_": 10, "$_DFF_P_": 24, "$_DFF_PN0_": 28,
    "$_DFF_PN1_": 28,
}  # fmt: skip


def synthesise(
    top: str, parameters: Mapping[str, int], liberty: Liberty | None, boxes: tuple[str, ...] = ()
) -> Area:
    """One module, flattened, without the modules in ``boxes`` and without its seeded faults.

    Raises:
        ConfigError: there is no Yosys.
        SynthesisError: Yosys refuses the module.
    """
    options = [f"--blackboxed-module {box}" for box in boxes]
    source = (SOURCES / f"{top}.sv").read_text()
    faults = [name for name in ("cfg_mutant_i", "mutant_i") if f" {name}" in source.split(");\n", 1)[0]]
    with tempfile.TemporaryDirectory() as folder:
        words, generic, mapped = (Path(folder) / name for name in ("words", "generic", "mapped"))
        commands = [read(top, parameters, options=options), f"hierarchy -top {top}", "proc", "flatten"]
        for port in faults:
            commands += [f"delete -input {top}/w:{port}", f"connect -set {port} 8'd0"]
        commands += [
            "opt -full", "wreduce", "peepopt", "opt_clean", "alumacc", "opt",
            f"tee -q -o {words} stat -json", "memory -nomap", "opt_clean", "opt -full", "techmap",
            "opt -full", "dfflegalize -cell $_DFF_P_ 01 -cell $_DFF_PN0_ 01 -cell $_DFF_PN1_ 01",
            "opt_clean", "design -save gates", "abc -g simple", "opt_clean",
            f"tee -q -o {generic} stat -json",
        ]  # fmt: skip
        if liberty is not None:
            commands += [
                "design -load gates", f"dfflibmap -liberty {liberty.path}", f"abc -liberty {liberty.path}",
                "opt_clean", f"tee -q -o {mapped} stat -liberty {liberty.path} -json",
            ]  # fmt: skip
        run(commands, _LIMIT)
        bits = _memory_bits(words)
        counts = _design(generic)
        kinds = {k: n for k, n in counts["num_cells_by_type"].items() if k.startswith("$_")}
        flops = sum(number for kind, number in kinds.items() if "DFF" in kind)
        um2 = float(_design(mapped).get("area", 0)) if liberty is not None else 0.0
    shown = " ".join(f"{name}={value}" for name, value in parameters.items())
    transistors = sum(_TRANSISTORS[kind] * number for kind, number in kinds.items())
    return Area(
        top, shown, bits, flops, sum(kinds.values()), round(transistors / 4), um2,
        liberty.name if liberty else "",
    )  # fmt: skip


def _design(path: Path) -> dict[str, Any]:
    text = path.read_text()
    result: dict[str, Any] = json.loads(text[text.index("{") :])["design"]
    return result


def _memory_bits(path: Path) -> int:
    return int(_design(path).get("num_memory_bits", 0))


def table(liberty: Liberty | None, report: Callable[[Area], None] = lambda area: None) -> list[Area]:
    """All rows: single units first, then what grows with the array.

    An array is so many PEs and nothing else, as in a tiled layout; the lanes of the vector unit likewise.
    """
    rows: list[Area] = []

    def add(area: Area) -> Area:
        rows.append(area)
        report(area)
        return area

    pe = add(synthesise("pe", {}, liberty))
    lane = add(synthesise("vector_lane", {}, liberty))
    add(synthesise("bf16_fma", {}, liberty))
    sequencer = add(synthesise("sequencer", {}, liberty))
    queue = add(synthesise("issue_queue", {"QUEUE_DEPTH": 16, "INFLIGHT": 64}, liberty))
    tokens = add(synthesise("token_counters", {}, liberty))
    control = sequencer + queue.times(QUEUES) + tokens
    add(control.named("control", f"sequencer, {QUEUES} queues, tokens"))
    for n in SIZES:
        size = f"{n}x{n}"
        array = {"ROWS": n, "COLS": n}
        pes = add(pe.times(n * n).named("systolic_array", size))
        edges = synthesise("matrix_unit", {**array, "LINE": n, "PE_INSTANCES": 1}, liberty, ("pe",))
        parts = [control, add((edges + pes).named("matrix_unit", size))]
        loader = synthesise("weight_loader", {**array, "LINE": n}, liberty)
        fifo = synthesise("weight_fifo", {**array, "FIFO_DEPTH": 4}, liberty)
        parts.append(add((loader + fifo).named("weight_fifo and loader", f"{size}, 4 tiles")))
        sums = synthesise("accumulators", {"COLS": n, "LINE": n, "ACC_LINES": 1024}, liberty)
        parts.append(add(sums.named("accumulators", f"{n} columns, 1024 lines")))
        shell = synthesise("vector_unit", {"LANES": n, "LINE": n}, liberty, ("vector_lane",))
        parts.append(add((shell + lane.times(n)).named("vector_unit", f"{n} lanes")))
        parts.append(add(synthesise("transposer", {"LINE": n}, liberty).named("transposer", size)))
        dma = {"LINE": n, "PORTS": 1, "INFLIGHT": 64}
        parts.append(add(synthesise("dma", dma, liberty).named("dma", f"lines of {n}, 1 per cycle")))
        buffer = synthesise("unified_buffer", {"LINE": n, "UB_GRANULES": 32768}, liberty)
        parts.append(add(buffer.named("unified_buffer", f"32768 x {n} bytes")))
        add(sum(parts[1:], parts[0]).named("core", size))
    return rows


def to_csv(rows: list[Area]) -> str:
    """The file ``simulator/energy/area.csv``."""
    out = io.StringIO()
    out.write(
        "# Cells and area of the RTL's units. Do not edit: written by python -m simulator.cosim.synth\n"
    )
    names = [field.name for field in fields(Area)]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values: dict[str, Any] = {name: getattr(row, name) for name in names}
        values["um2"] = round(row.um2)
        writer.writerow([value or "" for value in values.values()])
    return out.getvalue()
