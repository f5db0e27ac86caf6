"""What must be known (neither X nor Z) from reset on, and the comparison of such a run with the models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from simulator.cosim.compare import Comparison, compare
from simulator.cosim.images import Memories
from simulator.cosim.parameters import space_offsets
from simulator.cosim.run import RtlRun, trace_of
from simulator.program import Space
from simulator.systolic import simulate
from tests.cosim.four_state.netlist import write_netlist
from tests.cosim.four_state.simulators import SIMULATORS, Words, samples
from tests.cosim.support import Case, final

TAIL = 20  # cycles after HALT
# Known in every cycle: strobes, enables of every port, tokens, counts and pointers of queues and FIFOs.
ALWAYS = re.compile(
    r"events_o|halted_o|fetch|hbm_resp|host_resp"
    r"|u_tpu_top\.(push|room|valid|issue|done|ren|wen|acc_ren|req_hbm_o|req_host_o|result_valid|drained)"
    r"|u_tpu_top\.u_token_counters\.count_q"
    r"|.*\.u_issue_queue\.(count_q|read_q|write_q|mask_read_q|mask_write_q)"
    r"|.*\.(busy_q|running_q|waiting_q|pc_q|loads_q|stores_q|reading_q|wait_q|adder_wait_q)"
    r"|.*\.u_transposer\.active_q"
    r"|.*\.u_weight_fifo\.\w+_q|.*\.u_matrix_unit\.(releasing_q|flight_write_q|flight_read_q|matmuls_q)"
    r"|.*\.u_array\.(full_q|valid_q|done_q|last_q)"
)
# (enable, what must be known while it is 1), port by port.
GUARDED = (
    ("u_tpu_top.ren", ("u_tpu_top.raddr", "u_tpu_top.ritem")),
    ("u_tpu_top.wen", ("u_tpu_top.waddr", "u_tpu_top.witem", "u_tpu_top.wmask")),
    ("u_tpu_top.acc_ren", ("u_tpu_top.acc_raddr",)),
    ("u_tpu_top.req_hbm_o", ("u_tpu_top.req_addr_o",)),
    ("u_tpu_top.req_host_o", ("u_tpu_top.req_addr_o",)),
    ("u_tpu_top.hbm_resp_i", ("u_tpu_top.hbm_tag_i",)),
    ("u_tpu_top.host_resp_i", ("u_tpu_top.host_tag_i",)),
    ("u_tpu_top.result_valid", ("u_tpu_top.result",)),
    *(
        (f"u_tpu_top.gen_queue[{unit}].u_issue_queue.valid_o",
         (f"u_tpu_top.gen_queue[{unit}].u_issue_queue.instr_o",))
        for unit in range(1, 6)
    ),
)  # fmt: skip


class Checked(NamedTuple):
    """A run from unknown registers and buffers.

    In ``comparison`` an unknown byte counts as right: ``lost`` counts those whose value the Program has
    determined, ``untouched`` the others.
    """

    comparison: Comparison
    unknown: Mapping[str, int]  # control signal that was ever unknown -> first cycle
    watched: int  # signals that must be known in every cycle
    lost: int
    untouched: int


def known(bits: str) -> bool:
    """Whether all bits are 0 or 1."""
    return set(bits) <= {"0", "1"}


def check_four_state(folder: Path, case: Case, simulator: str, mutant: int = 0) -> Checked:
    """Run a Program from registers and buffers that hold X."""
    model = simulate(case.machine, case.program.records)
    netlist = write_netlist(folder, case, mutant)
    wanted = _signals(netlist.read_text())
    words = SIMULATORS[simulator](netlist, wanted, model.cycles + TAIL)

    always = [name for name in wanted if ALWAYS.fullmatch(name)]
    unknown: dict[str, int] = {}
    log, cycle = [], 0
    running = halted = high = reset = False
    for values in samples(folder / "run.vcd"):
        reset = reset or values["rst_ni"] == "0"
        if not reset or values["rst_ni"] == "0":
            continue
        for name in (*always, *_guarded(values)):
            if not known(values[name]):
                unknown.setdefault(name, cycle)
        if values["clk_i"] == "1" and not high and not halted:
            events = int(re.sub("[xz]", "0", values["events_o"]), 2)
            running = running or bool(events >> 12 & 1)
            if events:
                log.append(cycle << 16 | events)
            halted = values["halted_o"] == "1"
            cycle += running
        high = values["clk_i"] == "1"

    expected = final(case, model)
    memories, lost, untouched = _memories(case, words, expected)
    trace, unmatched = trace_of(case.machine, case.program, np.array(log, np.uint64))
    run = RtlRun(
        machine=case.machine, trace=trace, memories=memories, halted=halted, unmatched=unmatched,
        rtl_cycles=cycle, seconds=0.0,
    )  # fmt: skip
    return Checked(compare(case.program, run, model, expected), unknown, len(always), lost, untouched)


def _signals(netlist: str) -> list[str]:
    """The netlist's signals that are looked at."""
    guarded = {name for enable, others in GUARDED for name in (enable, *others)}
    names = re.findall(r"^  wire .*\\(\S+)$", netlist, re.MULTILINE)
    return [name for name in names if ALWAYS.fullmatch(name) or name in guarded]


def _guarded(values: Mapping[str, str]) -> list[str]:
    """The guarded signals with an unknown bit whose port is enabled."""
    found = []
    for enable, others in GUARDED:
        ports = values[enable]
        if "1" not in ports:
            continue
        for name in others:
            bits = values[name]
            step = len(bits) // len(ports)
            for at, port in enumerate(ports):
                if port == "1" and not known(bits[at * step : (at + 1) * step]):
                    found.append(name)
    return found


def _determined(case: Case) -> Mapping[str, np.ndarray]:
    """By memory, the bytes that do not depend on what was there before the Program."""
    runs = [final(case, None, seed).named() for seed in (1, 2, 3)]
    return {name: np.all([run[name] == data for run in runs[1:]], axis=0) for name, data in runs[0].items()}


def _memories(case: Case, words: Words, expected: Memories) -> tuple[Memories, int, int]:
    """The memories with the expected values in the place of unknown bytes; how many of these are determined
    by the Program, and how many are not.
    """
    named, determined = expected.named(), _determined(case)
    lost = untouched = 0

    def merged(name: str, memory: str, first: int) -> np.ndarray:
        nonlocal lost, untouched
        out = named[name].copy()
        found = [word[at : at + 8] for word in words[memory] for at in range(len(word) - 8, -1, -8)]
        for at, bits in enumerate(found[first : first + len(out)]):
            if known(bits):
                out[at] = int(bits, 2)
            else:
                lost += int(determined[name][at])
                untouched += int(not determined[name][at])
        return out

    offsets, width = space_offsets(case.program), case.machine.line_elements
    off_chip = {
        space: merged(f"memory {space.name}", "hbm", offsets[space] * width)
        for space in expected.off_chip
        if space is not Space.HOST
    }
    off_chip[Space.HOST] = merged("memory HOST", "host", 0)
    buffer, accumulators = merged("unified buffer", "buffer", 0), merged("accumulators", "accumulators", 0)
    return Memories(buffer, accumulators, off_chip), lost, untouched
