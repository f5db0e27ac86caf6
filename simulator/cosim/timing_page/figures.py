"""The pipeline diagrams, each from a small Program's run in RTL: its event log and its waveform."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from simulator.cosim.run import RtlRun
from simulator.cosim.timing_page.listing import Listing, run
from simulator.cosim.timing_page.svg import Arrow, Box, Lane, draw
from simulator.cosim.vcd import Changes, read_vcd
from simulator.isa import UNIT_NAMES, UNIT_OF_OPCODE, Flag, Function, Opcode, UnitId
from simulator.machines.loader import load_machine
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.timing import instruction_times

_SMALL = ("matrix_unit.rows=4", "matrix_unit.cols=4", "vector_unit.lanes=4")
_EVENTS = "harness.harness.events_o [13:0]"
_DISPATCH = 12
_TILE = Flag.SWAP | Flag.RELEASE


def machine(*overrides: str) -> SystolicMachine:
    """The 4 x 4 machine of the diagrams: ``edge_8x8`` with a smaller array."""
    described = load_machine("edge_8x8", (*_SMALL, *overrides))
    assert isinstance(described, SystolicMachine)
    return described


class Drawn:
    """A Program's run with its waveform, cut into lanes."""

    def __init__(self, described: SystolicMachine, program: Program) -> None:
        with tempfile.TemporaryDirectory() as folder:
            wave = Path(folder) / "run.vcd"
            self.run: RtlRun = run(described, program, wave)
            self._wave: Changes = read_vcd(wave)
        self._machine, self._program = described, program
        self._row: dict[int, int] = {}  # of each instruction among its unit's
        self._opcodes = [Opcode(int(opcode)) for opcode in program.records["opcode"]]
        self._first = next(time for time, value in self._wave[_EVENTS] if int(value, 2) >> _DISPATCH & 1)

    def unit(self, unit: UnitId) -> list[Lane]:
        """Its instructions: filled while busy, lighter until the last write; where they overlap, in rows."""
        events, rows = self.run.trace.events, list[list[Box]]()
        occupancy = instruction_times(self._machine, self._program.records).occupancy
        kinds: defaultdict[Opcode, int] = defaultdict(int)
        for i, opcode in enumerate(self._opcodes):
            if UNIT_OF_OPCODE[opcode] != unit:
                continue
            start, end = int(events["start"][i]), int(events["end"][i])
            text = opcode.name if opcode is Opcode.HALT else f"{opcode.name} {kinds[opcode]}"
            row = next((n for n, boxes in enumerate(rows) if boxes[-1].end <= start), len(rows))
            rows += [[]] if row == len(rows) else []
            rows[row].append(Box(start, min(start + int(occupancy[i]), end), end, text, kinds[opcode]))
            self._row[i] = row
            kinds[opcode] += 1
        return [Lane(UNIT_NAMES[unit] if n == 0 else "", tuple(boxes)) for n, boxes in enumerate(rows)]

    def shifter(self) -> Lane:
        """The tiles as they enter the array."""
        lines = self._machine.matrix_unit.rows
        starts = self.run.trace.shifts["start"].tolist()
        boxes = [Box(start, start + lines, start + lines, str(j), j) for j, start in enumerate(starts)]
        return Lane("weight shifter: tile", tuple(boxes))

    def signal(self, name: str, label: str, per_colour: int) -> Lane:
        """The cycles in which a signal is high, numbered in groups of ``per_colour``."""
        (full,) = (known for known in self._wave if known.endswith(f".{name}"))
        changes = dict(self._wave[full])
        value, boxes = "0", list[Box]()
        for cycle in range(self.run.rtl_cycles):
            value = changes.get(self._first + 2 * cycle, value)
            if value == "1":
                group, number = divmod(len(boxes), per_colour)
                boxes.append(Box(cycle, cycle + 1, cycle + 1, str(number), group))
        return Lane(label, tuple(boxes))

    def tokens(self, lanes: Mapping[UnitId, int]) -> list[Arrow]:
        """One arrow per token between units, by their first lane: the k-th wait takes the k-th post."""
        records, events, arrows = self._program.records, self.run.trace.events, []
        units = [UNIT_OF_OPCODE[opcode] for opcode in self._opcodes]
        for producer, at in lanes.items():
            for consumer, to in lanes.items():
                posts, waits = (
                    [i for i, u in enumerate(units) if u == own and records[mask][i] >> other & 1]
                    for own, mask, other in ((producer, "post", consumer), (consumer, "wait", producer))
                )
                for post, wait in zip(posts, waits, strict=True):
                    ends = at + self._row[post], int(events["end"][post])
                    arrows.append(Arrow(*ends, to + self._row[wait], int(events["start"][wait])))
        return arrows


def weight_stationary() -> str:
    """Two tiles through a 4 x 4 array, down to the edges of the array."""
    rows, listing = 6, Listing()
    for _ in range(2):
        listing.add(Opcode.WLOAD, item=1)
    for tile in range(2):
        listing.add(Opcode.MATMUL, item=1, rows=rows, tail=4, flags=_TILE, dst=16 * tile)
    drawn = Drawn(machine(), listing.program())
    unit = "gen_ws.u_matrix_unit"
    lanes = [
        Lane("weights"),
        *drawn.unit(UnitId.WEIGHT_LOADER),
        drawn.shifter(),
        *(drawn.signal(f"{unit}.top[{c}].valid", f"into column {c}: line", 4) for c in range(4)),
        Lane("rows"),
        *drawn.unit(UnitId.MATRIX),
        *(drawn.signal(f"{unit}.left[{r}].valid", f"into PE row {r}: row", rows) for r in range(4)),
        Lane("sums"),
        *(drawn.signal(f"{unit}.bottom_valid[{c}]", f"out of column {c}: row", rows) for c in range(4)),
        drawn.signal(f"{unit}.valid_o", "de-skewed: row", rows),
        drawn.signal("u_accumulators.last_valid", "accumulators write", rows),
    ]
    return draw("Weight-stationary: two tiles through a 4 x 4 array", lanes)


def tiles_back_to_back() -> str:
    """Four tiles with two weight buffers, with one, and without overlap."""
    lanes = []
    for title, overrides in (
        ("two weight buffers", ()),
        ("one weight buffer", ("matrix_unit.weight_buffers=1",)),
        ("one, no overlap", ("matrix_unit.weight_buffers=1", "matrix_unit.overlap=false")),
    ):
        listing = Listing()
        for _ in range(4):
            listing.add(Opcode.WLOAD, item=1)
        for tile in range(4):
            listing.add(Opcode.MATMUL, item=1, rows=8, tail=4, flags=_TILE, dst=16 * tile)
        drawn = Drawn(machine(*overrides), listing.program())
        lanes += [Lane(title), drawn.shifter(), *drawn.unit(UnitId.MATRIX)]
    return draw("Four tiles of 8 rows back to back", lanes, cell=10)


def output_stationary() -> str:
    """Two output tiles: pairs of lines enter, the sums are drained."""
    steps, listing = 6, Listing()
    for tile in range(2):
        listing.add(Opcode.MATMUL, item=1, rows=steps)
        listing.add(Opcode.DRAIN, rows=4, dst=16 * tile)
    drawn = Drawn(machine("matrix_unit.dataflow=os"), listing.program())
    unit = "gen_os.u_matrix_unit"
    lanes = [
        *drawn.unit(UnitId.MATRIX),
        Lane("operands"),
        *(drawn.signal(f"{unit}.left[{r}].valid", f"into PE row {r}: k =", steps) for r in range(4)),
        *(drawn.signal(f"{unit}.top[{c}].valid", f"into column {c}: k =", steps) for c in range(4)),
        Lane("sums"),
        drawn.signal(f"{unit}.valid_o", "lines out, in turn:", 4),
        drawn.signal("u_accumulators.last_valid", "accumulators write:", 4),
    ]
    return draw("Output-stationary: two tiles through a 4 x 4 array", lanes)


def load_compute_store() -> str:
    """Three blocks from memory through the vector unit and back, held in order by tokens."""
    blocks, listing = 3, Listing()
    dma, vector = UnitId.DMA, UnitId.VECTOR
    for block in range(blocks):
        listing.add(Opcode.LOAD, item=2, rows=4, dst=64 * block, post=(vector,))
    for block in range(blocks):
        source, result = 64 * block, 1024 + 64 * block
        listing.add(
            Opcode.VEC, function=Function.NEGATIVE, item=2, rows=4, wait=(dma,), post=(dma,), src0=source,
            dst=result,
        )  # fmt: skip
        listing.add(Opcode.STORE, item=2, rows=4, wait=(vector,), src0=result, src1=source)
    drawn = Drawn(machine("hbm.latency_cycles=6"), listing.program())
    lanes: list[Lane] = []
    first = {}
    for unit in (UnitId.DMA, UnitId.VECTOR, UnitId.SEQUENCER):
        first[unit] = len(lanes)
        lanes += drawn.unit(unit)
    arrows = drawn.tokens(first)
    return draw("LOAD, VEC and STORE with their tokens", lanes, arrows)


FIGURES: Mapping[str, Callable[[], str]] = {
    "timing-weight-stationary": weight_stationary,
    "timing-tiles": tiles_back_to_back,
    "timing-output-stationary": output_stationary,
    "timing-tokens": load_compute_store,
}

