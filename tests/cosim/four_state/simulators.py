"""Two four-state simulators that run a netlist for some cycles: Yosys's own, and Icarus Verilog.

Both hold reset for the first three cycles, write the observed signals as a VCD, and leave the memories.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from simulator.cosim.synth.yosys import run

RESET_CYCLES = 3
COMPARED = {
    "hbm": "u_hbm.mem", "host": "u_host.mem",
    "buffer": "u_tpu_top.u_unified_buffer.mem", "accumulators": "u_tpu_top.u_accumulators.mem",
}  # fmt: skip
Words = dict[str, list[str]]  # memory -> bits of each word

_BENCH = """`timescale 1ns/1ns
module bench;
  reg clk_i = 0, rst_ni = 1;
  integer i;
  harness u_harness (.clk_i(clk_i), .rst_ni(rst_ni));
  initial begin
    $dumpfile("{vcd}");
    $dumpvars(0, {signals});
    #1 rst_ni = 0;
    for (i = 0; i < {cycles}; i = i + 1) begin
      #5 clk_i = 1;
      #5 clk_i = 0;
      if (i == {reset} - 1) #1 rst_ni = 1;
    end
{memories}    $finish;
  end
endmodule
"""


def yosys(netlist: Path, signals: Iterable[str], cycles: int) -> Words:
    """As ``icarus``; all signals are observed."""
    folder = netlist.parent
    after = folder / "after"
    run(
        [
            f"read_rtlil {netlist}", "memory_collect",
            f"sim -clock clk_i -resetn rst_ni -rstlen {RESET_CYCLES} -q -n {cycles} "
            f"-vcd {folder / 'run.vcd'} -w harness",
            f"dump -n -o {after} t:$mem_v2",
        ]
    )  # fmt: skip
    words = {}
    cells = after.read_text().split("cell $mem_v2 ")[1:]
    for name, memory in COMPARED.items():
        (cell,) = (cell for cell in cells if cell.startswith(f"\\{memory}\n"))
        width, bits = (re.search(rf"parameter \\{key} (?:\d+')?(\w+)\n", cell) for key in ("WIDTH", "INIT"))
        assert width and bits
        step = int(width[1])
        words[name] = [bits[1][at : at + step] for at in range(len(bits[1]) - step, -1, -step)]
    return words


def icarus(netlist: Path, signals: Iterable[str], cycles: int) -> Words:
    """Run; ``run.vcd`` beside the netlist has the signals.

    Returns:
        The words of the memories afterwards.
    """
    folder = netlist.parent
    verilog, bench = folder / "harness.v", folder / "bench.v"
    run([f"read_rtlil {netlist}", f"write_verilog -noattr {verilog}"])
    saved = [
        f'    $writememb("{folder / name}.after", u_harness.\\{memory} );\n'
        for name, memory in COMPARED.items()
    ]
    bench.write_text(
        _BENCH.format(
            vcd=folder / "run.vcd", cycles=cycles, reset=RESET_CYCLES, memories="".join(saved),
            signals=", ".join(["clk_i", "rst_ni", *(f"u_harness.\\{name} " for name in signals)]),
        )
    )  # fmt: skip
    binary = folder / "bench.vvp"
    for command in (
        ["iverilog", "-g2005", "-o", str(binary), str(bench), str(verilog)],
        ["vvp", "-n", str(binary)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert not done.returncode, (done.stdout + done.stderr)[-2000:]
    return {
        name: [line for line in (folder / f"{name}.after").read_text().splitlines() if line[0] != "/"]
        for name in COMPARED
    }


SIMULATORS: Mapping[str, Callable[[Path, Iterable[str], int], Words]] = {"yosys": yosys, "icarus": icarus}


def missing(simulator: str) -> str:
    """Why a simulator cannot be used here; empty where it can.

    Yosys is a wheel, and always there. Icarus is on no package index of Python's: it repeats the check where
    it is on PATH, and must be there where ``PULSETRAIN_ICARUS`` is set.
    """
    if simulator != "icarus" or shutil.which("iverilog") or os.environ.get("PULSETRAIN_ICARUS"):
        return ""
    return "no Icarus Verilog (iverilog) on PATH: Yosys's four-state simulator alone"


def samples(vcd: Path) -> Iterator[dict[str, str]]:
    """By signal, the bits after every moment at which anything changed; the same dictionary every time."""
    names: dict[str, list[tuple[str, int]]] = {}
    values: dict[str, str] = {}
    with vcd.open() as lines:
        for line in lines:
            word = line.split()
            if word and word[0] == "$var":
                names.setdefault(word[3], []).append((word[4].removeprefix("\\"), int(word[2])))
            elif word and word[0] == "$enddefinitions":
                break
        for line in lines:
            if line[0] == "#" and values:
                yield values
            elif line[0] in "bB":
                bits, code = line[1:].split()
                for name, width in names[code]:
                    values[name] = bits.rjust(width, bits[0] if bits[0] in "xz" else "0")
            elif line[0] in "01xXzZ":
                for name, _ in names[line[1:].strip()]:
                    values[name] = line[0].lower()
    yield values
