"""From symbolic instructions to records: who waits for whom, accumulators, loads ahead, stores behind.

Loads are issued some instructions early, stores some instructions late, so that the one in-order DMA unit
does not wait for a result while loads queue behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

from simulator.compiler.emit import Emitter
from simulator.compiler.residency import Residency
from simulator.compiler.space import NO_HAZARDS, later, mark, without
from simulator.compiler.symbolic import NO_TILE, Symbolic, touched
from simulator.isa import UNIT_OF_OPCODE, Opcode, UnitId, join_sub_lines
from simulator.program import Space, Traffic

STORE_DELAY = 8  # symbolic instructions between a block's last write and its store
LOOK_AHEAD = 64  # symbolic instructions whose loads are issued early, into room that is free
EVICT_AHEAD = 16  # symbolic instructions for whose loads a block leaves early

# A unit's own order does not finish one instruction before the next starts, except the vector unit's.
_OVERLAPPING = (UnitId.DMA, UnitId.TRANSPOSER)


class Schedule:
    """Places every instruction of a lowering; ``run`` does the work."""

    def __init__(self, chip: Residency) -> None:
        self._chip = chip
        self._emitter = chip.emitter
        self._output_stationary = chip.machine.matrix_unit.dataflow == "os"
        self._tile_lines = chip.low.geometry.accumulate
        self._slots = max(1, chip.machine.accumulators.lines // self._tile_lines)
        self._slot_read = [NO_HAZARDS] * self._slots
        self._slot_written = [NO_HAZARDS] * self._slots
        self._ahead = 0

    def run(self) -> Emitter:
        """Schedules everything; returns the emitter with the finished records."""
        for index, instruction in enumerate(self._chip.instructions):
            self._step(index, instruction)
        while self._chip.pending:
            self._chip.store_next()
        self._emitter.halt()
        return self._emitter

    def _step(self, index: int, instruction: Symbolic) -> None:
        chip = self._chip
        while chip.pending and chip.pending[0][0] <= index:
            chip.store_next()
        needed = touched(instruction)
        pinned = set(needed)
        for number in needed:
            if chip.blocks[number].segment is None:
                chip.bring(number, index, pinned, instruction.operation)
        self._place(instruction)
        for number in dict.fromkeys(needed):
            block = chip.blocks[number]
            block.uses.popleft()
            if block.last_write == index and block.stores:
                chip.pending.append((index + STORE_DELAY, number))
            elif not block.uses and not chip.is_pending(number):
                chip.drop(number)
        if chip.evicted:
            self._ahead, chip.evicted = index + 1, False
        self._look_ahead(index)

    def _place(self, instruction: Symbolic) -> None:
        unit = UNIT_OF_OPCODE[instruction.opcode]
        after = NO_HAZARDS
        for source in instruction.sources:
            if source is not None:
                after = later(after, self._chip.blocks[source.block].written)
        if instruction.dst is not None:
            target = self._chip.blocks[instruction.dst.block]
            after = later(after, later(target.written, target.read))
        if unit not in _OVERLAPPING:
            after = without(after, unit)
        elif instruction.dst is not None:
            # In-order writes and earlier reads need no token to the unit itself; reading what it wrote does.
            own = max(
                (self._chip.blocks[s.block].written[unit] for s in instruction.sources if s is not None),
                default=-1,
            )
            after = (*after[:unit], own, *after[unit + 1 :])
        slot = self._slot(instruction)
        if slot >= 0:
            if instruction.opcode == Opcode.VEC:
                after = later(after, self._slot_written[slot])
            elif not (instruction.opcode == Opcode.MATMUL and self._output_stationary):
                after = later(after, self._slot_read[slot])
        emitted = self._emitter.emit(
            instruction.opcode,
            after,
            operation=instruction.operation,
            traffic=Traffic.NONE,
            macs=instruction.macs,
            tensor=-1,
            **self._fields(instruction, slot),
        )
        done = mark(unit, emitted)
        for source in instruction.sources:
            if source is not None:
                state = self._chip.blocks[source.block]
                state.read = later(state.read, done)
        if instruction.dst is not None:
            state = self._chip.blocks[instruction.dst.block]
            state.written = later(state.written, done)
            state.dirty, state.begun = True, True
        if slot >= 0:
            if instruction.opcode == Opcode.VEC:
                self._slot_read[slot] = later(self._slot_read[slot], done)
            else:
                self._slot_written[slot] = later(self._slot_written[slot], done)

    def _slot(self, instruction: Symbolic) -> int:
        """Accumulator tiles take turns in equal slots."""
        return -1 if instruction.tile == NO_TILE else instruction.tile % self._slots

    def _fields(self, instruction: Symbolic, slot: int) -> dict[str, int]:
        fields = {
            "function": int(instruction.function),
            "flags": int(instruction.flags),
            "item": instruction.item,
            "tail": instruction.tail,
            "rows": instruction.rows,
            "panels": instruction.panels,
        }
        if instruction.dst is not None:
            fields["dst"] = self._chip.address(instruction.dst)
            fields["dst_stride"] = instruction.dst.stride
        line = slot * self._tile_lines + instruction.tile_line
        for index, source in enumerate(instruction.sources):
            if source is None:
                fields[f"src{index}"] = line
            else:
                fields[f"src{index}"] = self._chip.address(source)
                fields[f"src{index}_stride"] = source.stride
        if instruction.opcode in (Opcode.MATMUL, Opcode.DRAIN, Opcode.WLOAD):
            fields["src2"] = join_sub_lines(instruction.sub0, instruction.sub1)
            for name in ("src0_stride", "src1_stride", "panels"):
                fields.pop(name, None)
            if slot >= 0 and "dst" not in fields and instruction.opcode != Opcode.WLOAD:
                os_matmul = self._output_stationary and instruction.opcode == Opcode.MATMUL
                fields["dst"] = 0 if os_matmul else line
        if instruction.opcode == Opcode.TRANSPOSE:
            for name in ("src0_stride", "dst_stride", "panels"):
                fields.pop(name, None)
        return fields

    def _look_ahead(self, index: int) -> None:
        """Loads what the next instructions read, from the faster memory first.

        One DMA unit serves HBM and host; changing between them costs a wait for the transfers under way.
        """
        coming = list(self._room_ahead(index))
        coming.sort(key=lambda entry: self._of_host(entry[0]))
        for number, operation in coming:
            self._chip.load(number, operation)

    def _of_host(self, number: int) -> bool:
        home = self._chip.blocks[number].home
        return home is not None and home.space == Space.HOST

    def _room_ahead(self, index: int) -> Iterator[tuple[int, int]]:
        """Room for blocks that the next instructions read; for the very next, other blocks leave.

        Perfect foresight evicts the block that was just used, for it is needed last. If it left only when
        the next block is wanted, that load would wait for the last reader and the next reader for the load;
        leaving some instructions early, they overlap.
        """
        instructions = self._chip.instructions
        self._ahead = max(self._ahead, index + 1)
        while self._ahead < min(index + 1 + LOOK_AHEAD, len(instructions)):
            for number in touched(instructions[self._ahead]):
                block = self._chip.blocks[number]
                if block.segment is None and block.home is not None:
                    size = self._chip.granules(number)
                    segment = self._chip.space.allocate(size)
                    while segment is None and self._ahead - index <= EVICT_AHEAD:
                        if not self._chip.evict_clean(self._ahead):
                            return
                        segment = self._chip.space.allocate(size)
                    if segment is None:
                        return
                    self._chip.occupy(number, segment)
                    yield number, instructions[self._ahead].operation
            self._ahead += 1
