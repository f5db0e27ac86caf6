"""From symbolic instructions to a Program: what is on chip when, loads, stores and spills, addresses and
tokens.

The unified buffer is managed like a cache whose future is known: a block stays until its last use; where
room is short, the block whose next use is farthest away leaves (Belady), stored first if it exists nowhere
else. Loads are issued some instructions ahead into room that is free anyway; stores some instructions
late, so that the one in-order DMA unit does not wait for a result while loads queue behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from simulator.compiler.emit import Emitter
from simulator.compiler.space import NO_HAZARDS, FreeSpace, Hazards, Segment, later
from simulator.compiler.symbolic import NO_TILE, Lowering, Symbolic
from simulator.compiler.tensors import Operand, Tensor
from simulator.errors import CompileError
from simulator.isa import UNIT_OF_OPCODE, Flag, Opcode, UnitId, join_sub_lines, split_memory_address
from simulator.machines.systolic import SystolicMachine
from simulator.program import Placement, Space, Traffic

NEVER = 1 << 60
STORE_DELAY = 8  # symbolic instructions between a block's last write and its store
LOOK_AHEAD = 64  # symbolic instructions whose loads are issued early, into room that is free
EVICT_AHEAD = 16  # symbolic instructions for whose loads a block leaves early
FEW_BLOCKS = 16  # fewer blocks than this in the unified buffer: whole frames only
SETTLED = 256  # instructions after which a place's past is taken as one

_SPACE_FLAGS = {
    Space.HBM: Flag.NONE,
    Space.HBM_CURRENT: Flag.CURRENT,
    Space.HBM_NEXT: Flag.NEXT,
    Space.HOST: Flag.HOST,
}
# A unit's own order does not finish one instruction before the next starts, except the vector unit's.
_OVERLAPPING = (UnitId.DMA, UnitId.TRANSPOSER)


@dataclass(slots=True)
class Block:
    """The state of one block during scheduling."""

    tensor: int
    uses: deque[int]
    last_write: int
    stores: list[Placement]  # where the finished block goes
    home: Placement | None = None  # where a copy lies off chip
    home_whole: bool = True  # the home is laid out as the whole tensor, not as this block alone
    segment: Segment | None = None
    dirty: bool = False
    begun: bool = False  # some line has been written
    fetched: bool = False
    spilled: bool = False
    written: Hazards = NO_HAZARDS
    read: Hazards = NO_HAZARDS


@dataclass
class Schedule:
    """The scheduler's state; ``run`` does the work."""

    machine: SystolicMachine
    low: Lowering
    homes: dict[int, Placement]  # tensor -> where it comes from
    outputs: dict[int, list[Placement]]  # tensor -> where it goes
    tensor_names: list[int]  # tensor -> index of its name in the Program
    spill_address: int  # first free granule of HBM
    emitter: Emitter = field(default_factory=Emitter)
    spills: list[Placement] = field(default_factory=list)

    def run(self) -> Emitter:
        """Schedules everything; returns the emitter with the finished records."""
        low = self.low
        frame = low.geometry.chunk * low.geometry.line * 4 // low.geometry.line
        few = self.machine.buffer_granules // frame < FEW_BLOCKS
        self._space = FreeSpace(self.machine.buffer_granules, frame if few else 0)
        self._blocks = self._future()
        self._resident: set[int] = set()
        self._pending: deque[tuple[int, int]] = deque()  # (due, block) of stores
        self._slots = max(1, self.machine.accumulators.lines // low.geometry.accumulate)
        self._slot_of: dict[int, int] = {}
        self._slot_read = [NO_HAZARDS] * self._slots
        self._slot_written = [NO_HAZARDS] * self._slots
        self._ahead = 0
        for index, instruction in enumerate(low.instructions):
            self._step(index, instruction)
        while self._pending:
            self._store_next()
        self.emitter.halt()
        return self.emitter

    # -- what will be needed ---------------------------------------------------------------------------------

    def _future(self) -> list[Block]:
        low = self.low
        blocks = [
            Block(tensor, deque(), -1, self.outputs.get(tensor, []), self.homes.get(tensor))
            for tensor in low.block_tensor
        ]
        for index, instruction in enumerate(low.instructions):
            for used in self._touched(instruction):
                uses = blocks[used].uses
                if not uses or uses[-1] != index:
                    uses.append(index)
            if instruction.dst is not None:
                blocks[instruction.dst.block].last_write = index
        return blocks

    @staticmethod
    def _touched(instruction: Symbolic) -> list[int]:
        touched = [source.block for source in instruction.sources if source is not None]
        if instruction.dst is not None:
            touched.append(instruction.dst.block)
        return touched

    # -- one instruction -------------------------------------------------------------------------------------

    def _step(self, index: int, instruction: Symbolic) -> None:
        while self._pending and self._pending[0][0] <= index:
            self._store_next()
        touched = self._touched(instruction)
        pinned = set(touched)
        for block in touched:
            if self._blocks[block].segment is None:
                self._bring(block, index, pinned, instruction.operation)
        self._place(instruction)
        for number in pinned:
            block_state = self._blocks[number]
            block_state.uses.popleft()
            if block_state.last_write == index and block_state.stores:
                self._pending.append((index + STORE_DELAY, number))
            elif not block_state.uses and not self._is_pending(number):
                self._drop(number)
        self._look_ahead(index)

    def _is_pending(self, number: int) -> bool:
        return any(number == waiting for _, waiting in self._pending)

    def _place(self, instruction: Symbolic) -> None:
        unit = UNIT_OF_OPCODE[instruction.opcode]
        after = NO_HAZARDS
        for source in instruction.sources:
            if source is not None:
                after = later(after, self._blocks[source.block].written)
        if instruction.dst is not None:
            target = self._blocks[instruction.dst.block]
            after = later(after, later(target.written, target.read))
        if unit not in _OVERLAPPING:
            after = _without(after, unit)
        elif instruction.dst is not None:
            # In-order writes and earlier reads need no token to the unit itself; reading what it wrote does.
            own = max(
                (self._blocks[s.block].written[unit] for s in instruction.sources if s is not None),
                default=-1,
            )
            after = (*after[:unit], own, *after[unit + 1 :])
        slot = self._slot(instruction)
        if slot >= 0:
            if instruction.opcode == Opcode.VEC:
                after = later(after, self._slot_written[slot])
            elif not (instruction.opcode == Opcode.MATMUL and self.machine.matrix_unit.dataflow == "os"):
                after = later(after, self._slot_read[slot])
        emitted = self.emitter.emit(
            instruction.opcode,
            after,
            operation=instruction.operation,
            traffic=Traffic.NONE,
            macs=instruction.macs,
            tensor=-1,
            **self._fields(instruction, slot),
        )
        mark = _mark(unit, emitted)
        for source in instruction.sources:
            if source is not None:
                state = self._blocks[source.block]
                state.read = later(state.read, mark)
        if instruction.dst is not None:
            state = self._blocks[instruction.dst.block]
            state.written = later(state.written, mark)
            state.dirty, state.begun = True, True
        if slot >= 0:
            if instruction.opcode == Opcode.VEC:
                self._slot_read[slot] = later(self._slot_read[slot], mark)
            else:
                self._slot_written[slot] = later(self._slot_written[slot], mark)

    def _slot(self, instruction: Symbolic) -> int:
        if instruction.tile == NO_TILE:
            return -1
        if instruction.tile not in self._slot_of:
            self._slot_of[instruction.tile] = instruction.tile % self._slots
        return self._slot_of[instruction.tile]

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
            fields["dst"] = self._address(instruction.dst)
            fields["dst_stride"] = instruction.dst.stride
        line = slot * self.low.geometry.accumulate + instruction.tile_line
        for index, source in enumerate(instruction.sources):
            if source is None:
                fields[f"src{index}"] = line
            else:
                fields[f"src{index}"] = self._address(source)
                fields[f"src{index}_stride"] = source.stride
        if instruction.opcode in (Opcode.MATMUL, Opcode.DRAIN, Opcode.WLOAD):
            fields["src2"] = join_sub_lines(instruction.sub0, instruction.sub1)
            for name in ("src0_stride", "src1_stride", "panels"):
                fields.pop(name, None)
            if slot >= 0 and "dst" not in fields and instruction.opcode != Opcode.WLOAD:
                os_matmul = self.machine.matrix_unit.dataflow == "os" and instruction.opcode == Opcode.MATMUL
                fields["dst"] = 0 if os_matmul else line
        if instruction.opcode == Opcode.TRANSPOSE:
            for name in ("src0_stride", "dst_stride", "panels"):
                fields.pop(name, None)
        return fields

    def _address(self, operand: Operand) -> int:
        block = self._blocks[operand.block]
        assert block.segment is not None
        return block.segment.address + (operand.offset << self._tensor(operand.block).item)

    def _tensor(self, block: int) -> Tensor:
        return self.low.tensors[self.low.block_tensor[block]]

    # -- on and off chip -------------------------------------------------------------------------------------

    def _look_ahead(self, index: int) -> None:
        """Loads what the next instructions read, from the faster memory first.

        One DMA unit serves HBM and host; changing between them costs a wait for the transfers under way.
        """
        coming = list(self._room_ahead(index))
        coming.sort(key=lambda entry: self._of_host(entry[0]))
        for number, operation in coming:
            self._load(number, operation)

    def _of_host(self, number: int) -> bool:
        home = self._blocks[number].home
        return home is not None and home.space == Space.HOST

    def _room_ahead(self, index: int) -> Iterator[tuple[int, int]]:
        """Room for blocks that the next instructions read; for the very next, other blocks leave.

        Perfect foresight evicts the block that was just used, for it is needed last. If it left only when
        the next block is wanted, that load would wait for the last reader and the next reader for the load;
        leaving some instructions early, they overlap.
        """
        instructions = self.low.instructions
        self._ahead = max(self._ahead, index + 1)
        while self._ahead < min(index + 1 + LOOK_AHEAD, len(instructions)):
            for number in self._touched(instructions[self._ahead]):
                block = self._blocks[number]
                if block.segment is None and block.home is not None:
                    size = self._granules(number)
                    segment = self._space.allocate(size)
                    while segment is None and self._ahead - index <= EVICT_AHEAD:
                        if not self._evict_clean(self._ahead):
                            return
                        segment = self._space.allocate(size)
                    if segment is None:
                        return
                    self._occupy(number, segment)
                    yield number, instructions[self._ahead].operation
            self._ahead += 1

    def _evict_clean(self, use: int) -> bool:
        """A block that exists off chip and is needed after ``use`` leaves; whether there was one."""
        victim, farthest = -1, use
        for number in self._resident:
            block = self._blocks[number]
            if not block.dirty and block.home is not None:
                needed = self._next_use(number)
                if needed > farthest and not self._is_pending(number):
                    victim, farthest = number, needed
        if victim < 0:
            return False
        self._drop(victim)
        return True

    def _granules(self, number: int) -> int:
        block = number - self._tensor(number).first_block
        return self._tensor(number).granules(block)

    def _bring(self, number: int, index: int, pinned: set[int], operation: int) -> None:
        """Makes room for a block and loads it if it exists."""
        size = self._granules(number)
        segment = self._space.allocate(size)
        while segment is None:
            self._make_room(index, pinned, size)
            segment = self._space.allocate(size)
        self._occupy(number, segment)
        block = self._blocks[number]
        if block.home is not None:
            self._load(number, operation)
        else:
            assert not block.begun, "a block that left was stored"

    def _occupy(self, number: int, segment: Segment) -> None:
        block = self._blocks[number]
        block.segment = segment
        block.written, block.read = NO_HAZARDS, segment.hazards
        self._resident.add(number)

    def _make_room(self, index: int, pinned: set[int], size: int) -> None:
        """One block leaves: one that only waits for its store, otherwise the one that is needed last.

        A block that is still being written stays while there is another: lines that nothing has written yet
        cannot be stored.
        """
        for position, (_, waiting) in enumerate(self._pending):
            if waiting not in pinned and not self._blocks[waiting].uses:
                del self._pending[position]
                self._store(waiting)
                return
        candidates = [number for number in self._resident if number not in pinned]
        if not candidates:
            raise CompileError(
                f"unified_buffer.capacity_bytes = {self.machine.unified_buffer.capacity_bytes}: an operand "
                f"block of {size * self.machine.line_elements} bytes does not fit beside the "
                f"{len(pinned) - 1} others that its instruction needs; a larger buffer is needed"
            )
        finished = [number for number in candidates if self._blocks[number].last_write < index]
        victim = max(finished or candidates, key=lambda number: (self._next_use(number), number))
        block = self._blocks[victim]
        if self._is_pending(victim):
            self._pending = deque(entry for entry in self._pending if entry[1] != victim)
            self._store(victim)
        if block.segment is None:
            return
        if block.dirty:
            self._spill(victim)
        self._drop(victim)
        self._ahead = min(self._ahead, index + 1)

    def _next_use(self, number: int) -> int:
        uses = self._blocks[number].uses
        return uses[0] if uses else NEVER

    def _drop(self, number: int) -> None:
        """The block's room is free; the next owner waits for all who used it."""
        block = self._blocks[number]
        assert block.segment is not None
        past = later(block.written, block.read)
        self._space.release(block.segment._replace(hazards=past), len(self.emitter) - SETTLED)
        block.segment = None
        self._resident.discard(number)

    def _transfer(self, number: int, placement: Placement, whole: bool) -> tuple[dict[str, int], int]:
        """Fields of a LOAD or STORE of a block, and the stride in memory."""
        tensor = self._tensor(number)
        p0, p1, r0, r1 = tensor.bounds(number - tensor.first_block)
        address = placement.address
        stride = r1 - r0
        if whole:
            address += (p0 * tensor.rows + r0) << tensor.item
            stride = tensor.rows
        low, high = split_memory_address(address)
        fields = {
            "rows": r1 - r0,
            "panels": p1 - p0,
            "item": tensor.item,
            "src1": low,
            "src2": high,
            "flags": int(_SPACE_FLAGS[placement.space]),
        }
        return fields, stride if p1 - p0 > 1 else 0

    def _load(self, number: int, operation: int) -> None:
        block = self._blocks[number]
        assert block.home is not None and block.segment is not None
        fields, memory_stride = self._transfer(number, block.home, block.home_whole)
        stride = fields["rows"] if fields["panels"] > 1 else 0
        traffic = Traffic.REFETCH
        if block.spilled:
            traffic = Traffic.FILL
        elif not block.fetched and not block.begun:
            traffic = Traffic.INPUT
        emitted = self.emitter.emit(
            Opcode.LOAD,
            _without(later(block.written, block.read), UnitId.DMA),
            operation=operation,
            traffic=traffic,
            tensor=self.tensor_names[block.tensor],
            dst=block.segment.address,
            dst_stride=stride,
            src0_stride=memory_stride,
            **fields,
        )
        block.written = later(block.written, _mark(UnitId.DMA, emitted))
        block.fetched, block.dirty = True, False

    def _write_out(self, number: int, placement: Placement, whole: bool, traffic: Traffic) -> None:
        block = self._blocks[number]
        assert block.segment is not None
        fields, memory_stride = self._transfer(number, placement, whole)
        stride = fields["rows"] if fields["panels"] > 1 else 0
        emitted = self.emitter.emit(
            Opcode.STORE,
            block.written,
            operation=self._writer(block),
            traffic=traffic,
            tensor=self.tensor_names[block.tensor],
            src0=block.segment.address,
            src0_stride=stride,
            dst_stride=memory_stride,
            **fields,
        )
        block.read = later(block.read, _mark(UnitId.DMA, emitted))
        block.dirty = False
        block.home, block.home_whole = placement, whole

    def _writer(self, block: Block) -> int:
        return self.low.instructions[block.last_write].operation if block.last_write >= 0 else -1

    def _spill(self, number: int) -> None:
        block, tensor = self._blocks[number], self._tensor(number)
        _, _, r0, r1 = tensor.bounds(number - tensor.first_block)
        lines = tensor.lines(number - tensor.first_block)
        placement = Placement(
            f"spill.{len(self.spills)}",
            Space.HBM,
            self.spill_address,
            r1 - r0,
            lines // (r1 - r0) * tensor.line,
            tensor.dtype,
        )
        self.spill_address += -(-(lines << tensor.item) // 4) * 4
        self.spills.append(placement)
        self._write_out(number, placement, False, Traffic.SPILL)
        block.spilled = True

    def _store_next(self) -> None:
        _, number = self._pending.popleft()
        self._store(number)

    def _store(self, number: int) -> None:
        """Stores a finished block to every place that wants it; room without further use is freed."""
        block = self._blocks[number]
        for placement in block.stores:
            self._write_out(number, placement, True, Traffic.OUTPUT)
        block.spilled = False
        if not block.uses:
            self._drop(number)


def _mark(unit: UnitId, instruction: int) -> Hazards:
    return (*NO_HAZARDS[:unit], instruction, *NO_HAZARDS[unit + 1 :])


def _without(hazards: Hazards, unit: UnitId) -> Hazards:
    return (*hazards[:unit], -1, *hazards[unit + 1 :])
