"""Conservation in the warp core: instructions, multiplies, bytes and cycles add up, by tile and layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from simulator.machines.simt import WARP_THREADS
from simulator.simt.tiles import ALIGNED, Alignment, PlacedTile, catalogue, thread_tile
from simulator.simt.warp import Layout, loop_of
from simulator.simt.warp.instructions import PIPE_OF, BlockProgram, Instruction, Op, Pipe, WarpProgram
from simulator.simt.warp.sm import Sm
from simulator.simt.warp.state import Activity
from simulator.simt.warp.timing import Loop

MACHINES = [
    ("p100", "float32"),
    ("v100", "float32"),
    ("v100", "int8"),
    ("v100", "float16"),
    ("a100_40", "float32"),
    ("a100_40", "bfloat16"),
    ("a100_40", "int8"),
    ("h100", "bfloat16"),
    ("h100", "int8"),
]
LAYOUTS = [Layout(True, True), Layout(True, False), Layout(False, True), Layout(False, False)]
ALL_LAYOUTS = [("v100", "float32"), ("a100_40", "bfloat16")]
# Rows of operands and results that are less aligned than 16 bytes.
LESS = [
    ("v100", "float16", LAYOUTS[0], Alignment(2, 4)),
    ("v100", "float16", LAYOUTS[3], Alignment(4, 2)),
    ("a100_40", "bfloat16", LAYOUTS[0], Alignment(8, 2)),
    ("a100_40", "bfloat16", LAYOUTS[1], Alignment(4, 4)),
    ("a100_40", "bfloat16", LAYOUTS[0], Alignment(2, 8)),
    ("a100_40", "bfloat16", LAYOUTS[3], Alignment(2, 2)),
    ("a100_40", "int8", LAYOUTS[0], Alignment(1, 4)),
    ("h100", "bfloat16", LAYOUTS[0], Alignment(16, 2)),
    ("h100", "bfloat16", LAYOUTS[2], Alignment(4, 16)),
]
CASES = [
    *(
        (name, dtype, layout, ALIGNED)
        for name, dtype in MACHINES
        for layout in (LAYOUTS if (name, dtype) in ALL_LAYOUTS else LAYOUTS[:1])
    ),
    *LESS,
]


def some_tiles(machine, dtype: str, alignment: Alignment) -> list[PlacedTile]:
    """The first, the last, a sliced and a narrow tile of a catalogue."""
    tiles = catalogue(machine, dtype, alignment)
    narrow = min(tiles, key=lambda placed: placed.tile.block_m * placed.tile.block_n)
    sliced = max(tiles, key=lambda placed: placed.tile.slices)
    return list(dict.fromkeys([tiles[0], tiles[-1], sliced, narrow]))


class Run:
    """A simulated tile and the instructions that its warps should have issued."""

    def __init__(self, machine, placed: PlacedTile, layout: Layout, results: int) -> None:
        self.placed, self.blocks = placed, min(2, placed.occupancy.blocks)
        self.loop: Loop = loop_of(machine, placed, self.blocks, layout, result_alignment=results)
        self.program: BlockProgram = self.loop.program()
        self.k_tiles = placed.tile.stages + 2
        self.code = [warp.unrolled(self.k_tiles) for warp in self.program.warps]
        self.activity: Activity = Sm(
            self.loop.core, self.program, self.blocks, self.k_tiles, keep_log=True
        ).run()

    def instructions(self) -> Iterator[Instruction]:
        """All of them, block by block and warp by warp."""
        for _ in range(self.blocks):
            for code in self.code:
                yield from code


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def runs(request: pytest.FixtureRequest, load) -> list[Run]:
    name, dtype, layout, alignment = request.param
    machine = load(name)
    tiles = some_tiles(machine, dtype, alignment)
    return [Run(machine, placed, layout, alignment.results) for placed in tiles]


def test_instructions_issued_are_those_of_the_programs(runs: list[Run]) -> None:
    for run in runs:
        expected = Counter(instruction.op for instruction in run.instructions())
        found = {op: sum(row[op] for row in run.activity.issued) for op in Op}
        assert found == {op: expected[op] for op in Op}
        width = len(run.code)
        positions: dict[int, int] = {}
        for issue in run.activity.log:  # each warp issues its program in order, once
            assert issue.position == positions.get(issue.warp, 0)
            positions[issue.warp] = issue.position + 1
        assert positions == {
            warp: len(run.code[warp % width]) for warp in range(run.blocks * width) if run.code[warp % width]
        }


def test_multiplies_are_m_times_n_times_k(runs: list[Run]) -> None:
    for run in runs:
        tile = run.placed.tile
        per_k_tile = tile.block_m * tile.block_n * run.placed.block_k
        assert run.program.macs_per_k_tile == per_k_tile
        assert sum(i.macs for i in run.instructions()) == run.blocks * run.k_tiles * per_k_tile
        widths = {instruction.macs for instruction in run.instructions() if instruction.macs}
        assert len(widths) == 1  # a multiply instruction has one width, which the rates know
        multiplied = sum(len(cycles) for cycles in run.activity.multiplied)
        assert multiplied * widths.pop() == run.blocks * run.k_tiles * per_k_tile


def test_bytes_of_global_memory(runs: list[Run]) -> None:
    """Every operand byte of a k-tile crosses once, every result once, in whole sectors: those that a row, or
    what one instruction stores of it, begins and ends in, too. Row r starts r times the alignment after one,
    if that is less than 16 bytes.
    """
    for run in runs:
        tile, item, loop = run.placed.tile, run.placed.item_bytes, run.loop
        loaded = 0
        for extent, along_k in zip((tile.block_m, tile.block_n), loop.layout, strict=True):
            rows, row_bytes = (extent, tile.k_bytes) if along_k else (tile.k_bytes // item, extent * item)
            loaded += sum(sectors_of(row * (loop.alignment.operands % 16), row_bytes) for row in range(rows))
        assert run.activity.sectors_in == run.blocks * run.k_tiles * loaded
        size = 4 if item == 1 else item
        stored = tile.block_m * tile.block_n * size // 32
        if loop.alignment.results < 16:
            row_bytes = tile.warp_n * size
            piece = min(row_bytes, WARP_THREADS * loop.alignment.results)
            stored = tile.math_warps * sum(
                sectors_of(row * loop.alignment.results + start, piece)
                for row in range(tile.warp_m)
                for start in range(0, row_bytes, piece)
            )
        assert run.activity.sectors_out == run.blocks * stored


def sectors_of(start: int, size: int) -> int:
    return (start + size - 1) // 32 - start // 32 + 1


def test_accesses_of_global_memory_are_as_wide_as_rows_are_aligned(runs: list[Run]) -> None:
    for run in runs:
        tile, loop = run.placed.tile, run.loop
        if run.placed.pipe != "mma":
            continue
        body = [instruction for warp in run.program.warps for instruction in warp.bodies[0]]
        accesses = [i for i in body if i.op in (Op.LDG, Op.COPY)]
        k_tile = (tile.block_m + tile.block_n) * tile.k_bytes
        assert len(accesses) * WARP_THREADS * loop.alignment.operands == k_tile
        assert {i.op for i in accesses} == {
            Op.COPY if loop.rates.asynchronous_copies and loop.alignment.operands >= 4 else Op.LDG
        }
        stores = [i for warp in run.program.warps for i in warp.epilogue if i.op is Op.STG]
        size = 4 if run.placed.item_bytes == 1 else run.placed.item_bytes
        stored = tile.block_m * tile.block_n * size
        assert len(stores) * WARP_THREADS * loop.alignment.results == stored


def test_bytes_of_shared_memory(runs: list[Run]) -> None:
    """What is stored is what was loaded; each warp reads its rows and columns, each lane its own copy."""
    for run in runs:
        placed, tile = run.placed, run.placed.tile
        k_tile = (tile.block_m + tile.block_n) * tile.k_bytes
        body = [instruction for warp in run.program.warps for instruction in warp.bodies[0]]
        written = sum(i.wavefronts for i in body if i.op in (Op.COPY, Op.STS))
        assert placed.pipe == "wgmma" or written * 128 >= k_tile
        loads = sum(1 for i in body if i.op is Op.LDS)
        if placed.pipe in ("fma", "dp4a"):
            words = tile.k_bytes // 4 // tile.slices
            assert loads * WARP_THREADS * 16 == tile.math_warps * words * WARP_THREADS * 4 * sum(
                thread_tile(tile)
            )
        elif placed.pipe == "mma":
            copies = 1 if run.loop.rates.asynchronous_copies else 2
            sides = 16 * (-(-tile.warp_m // 16) + -(-tile.warp_n // 16))
            assert loads * 512 == copies * tile.math_warps // tile.slices * sides * tile.k_bytes
        else:
            rows = tile.block_m + tile.block_m // 64 * tile.block_n
            multiplies = [i for i in body if i.op is Op.WGMMA]  # each in whole wavefronts
            rounded = 128 * sum(i.wavefronts for i in multiplies) - rows * tile.k_bytes
            assert 0 <= rounded < 128 * len(multiplies)
        assert run.activity.wavefronts == sum(i.wavefronts for i in run.instructions())


def test_cycles_of_pipes(runs: list[Run]) -> None:
    for run in runs:
        expected: Counter[Pipe] = Counter()
        for instruction in run.instructions():
            expected[PIPE_OF[instruction.op]] += instruction.interval
        assert {pipe: sum(row[pipe] for row in run.activity.busy) for pipe in Pipe} == {
            pipe: expected[pipe] for pipe in Pipe
        }
        # No pipe of a sub-core, and no shared memory, can be busier than the time there is.
        for row in run.activity.busy:
            assert max(row[pipe] for pipe in (Pipe.ALU, Pipe.FMA, Pipe.TENSOR)) <= run.activity.cycles


def test_a_scheduler_never_issues_more_than_it_can(runs: list[Run]) -> None:
    for run in runs:
        slots: dict[tuple[int, int], list[int]] = {}
        for issue in run.activity.log:
            slots.setdefault((issue.cycle, issue.sub_core), []).append(issue.warp)
        for warps in slots.values():
            assert len(warps) <= run.loop.core.slots
            assert len(set(warps)) == 1
        issuing = Counter(sub_core for _, sub_core in slots)
        assert run.activity.issuing == [issuing[s] for s in range(run.loop.core.sub_cores)]


def test_every_cycle_is_an_issue_or_has_a_reason(runs: list[Run]) -> None:
    for run in runs:
        for issuing, stalls in zip(run.activity.issuing, run.activity.stalls, strict=True):
            assert min(stalls) >= 0
            assert issuing + sum(stalls) == run.activity.cycles


def test_nothing_overwrites_a_stage_that_is_still_read(runs: list[Run]) -> None:
    """By issue: what brings a k-tile follows the last read of the k-tile that lay in its stage before."""
    for run in runs:
        stages, width = run.placed.tile.stages, len(run.code)
        reads: dict[tuple[int, int], int] = {}  # (block, k-tile): the last read's cycle
        writes: dict[tuple[int, int], int] = {}  # (block, k-tile): the first write's cycle
        for issue in run.activity.log:
            block, warp = divmod(issue.warp, width)
            program, instruction = run.program.warps[warp], run.code[warp][issue.position]
            k_tile, offset = k_tile_of(program, issue.position)
            if not 0 <= k_tile < run.k_tiles:
                continue
            if instruction.op is Op.WGMMA:
                reads[block, k_tile] = issue.cycle
            elif instruction.op is Op.LDS:  # after the barrier of a k-tile: the next one's
                body = program.bodies[k_tile % len(program.bodies)]
                synced = next(i for i, other in enumerate(body) if other.op is Op.SYNC)
                reads[block, k_tile + (offset > synced)] = issue.cycle
            elif instruction.op in (Op.STS, Op.COPY):
                brought = k_tile + program.ahead
                writes.setdefault((block, brought), issue.cycle)
        assert reads
        assert all(
            writes[block, k_tile + stages] > cycle
            for (block, k_tile), cycle in reads.items()
            if (block, k_tile + stages) in writes and k_tile + stages < run.k_tiles
        )


def k_tile_of(program: WarpProgram, position: int) -> tuple[int, int]:
    """The k-tile to which an instruction belongs (-1: prologue), and its place in the k-tile."""
    position -= len(program.prologue)
    if position < 0:
        return -1, 0
    k_tile = 0
    while position >= (length := len(program.bodies[k_tile % len(program.bodies)])):
        position -= length
        k_tile += 1
    return k_tile, position
