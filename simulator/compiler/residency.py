"""What is on chip when: blocks come, stay and leave, with the LOADs and STOREs that it takes.

The unified buffer is managed like a cache whose future is known: a block stays until its last use; where room
is short, the block whose next use is farthest away leaves (Belady), stored first if it exists nowhere else.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from simulator.compiler.emit import Emitter
from simulator.compiler.space import NO_HAZARDS, FreeSpace, Hazards, Segment, later, mark, without
from simulator.compiler.symbolic import Lowering, Symbolic, touched
from simulator.compiler.tensors import Operand, Tensor
from simulator.errors import CompileError
from simulator.isa import Flag, Opcode, UnitId, split_memory_address
from simulator.machines.systolic import SystolicMachine
from simulator.program import Placement, Space, Traffic

NEVER = 1 << 60
FEW_BLOCKS = 16  # fewer blocks than this in the unified buffer: whole frames only
SETTLED = 256  # instructions after which a place's past is taken as one

SPACE_FLAGS = {
    Space.HBM: Flag.NONE,
    Space.HBM_CURRENT: Flag.CURRENT,
    Space.HBM_NEXT: Flag.NEXT,
    Space.HOST: Flag.HOST,
}


def does_not_fit(machine: SystolicMachine, size: int, needed: int) -> CompileError:
    """The error of a block of ``size`` granules, one of those that an instruction needs together."""
    return CompileError(
        f"unified_buffer.capacity_bytes = {machine.unified_buffer.capacity_bytes}: an operand "
        f"block of {size * machine.line_elements} bytes does not fit beside the "
        f"{needed - 1} others that its instruction needs; a larger buffer is needed"
    )


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
class Residency:
    """All blocks, and the room that they share."""

    machine: SystolicMachine
    low: Lowering
    instructions: list[Symbolic]  # in their final order
    homes: dict[int, Placement]  # tensor -> where it comes from
    outputs: dict[int, list[Placement]]  # tensor -> where it goes
    spill_address: int  # first free granule of HBM
    emitter: Emitter = field(default_factory=Emitter)
    spills: list[Placement] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)  # of what crosses the chip's edge
    pending: deque[tuple[int, int]] = field(default_factory=deque)  # (due, block) of stores

    def __post_init__(self) -> None:
        frame = 4 * self.low.geometry.chunk
        few = self.machine.buffer_granules // frame < FEW_BLOCKS
        self.space = FreeSpace(self.machine.buffer_granules, frame if few else 0)
        self.blocks = self._future()
        self._resident: set[int] = set()
        self.evicted = False  # a block has left that may be needed soon; whoever looks ahead clears this

    def _future(self) -> list[Block]:
        low = self.low
        blocks = [
            Block(tensor, deque(), -1, self.outputs.get(tensor, []), self.homes.get(tensor))
            for tensor in low.block_tensor
        ]
        for index, instruction in enumerate(self.instructions):
            for used in touched(instruction):
                uses = blocks[used].uses
                if not uses or uses[-1] != index:
                    uses.append(index)
            if instruction.dst is not None:
                blocks[instruction.dst.block].last_write = index
        return blocks

    def tensor(self, number: int) -> Tensor:
        """The tensor of a block."""
        return self.low.tensors[self.low.block_tensor[number]]

    def granules(self, number: int) -> int:
        """Size of a block."""
        tensor = self.tensor(number)
        return tensor.granules(number - tensor.first_block)

    def address(self, operand: Operand) -> int:
        """Where an operand's first line lies now."""
        segment = self.blocks[operand.block].segment
        assert segment is not None
        return segment.address + (operand.offset << self.tensor(operand.block).item)

    def is_pending(self, number: int) -> bool:
        """Whether the block waits for its store."""
        return any(number == waiting for _, waiting in self.pending)

    # -- coming and going ------------------------------------------------------------------------------------

    def evict_clean(self, use: int) -> bool:
        """A block that exists off chip and is needed after ``use`` leaves; whether there was one."""
        farthest, victim = use, -1
        for number in self._resident:
            block = self.blocks[number]
            if not block.dirty and block.home is not None:
                needed = self._next_use(number)
                if needed > use and (needed, number) > (farthest, victim) and not self.is_pending(number):
                    farthest, victim = needed, number
        if victim < 0:
            return False
        self.drop(victim)
        return True

    def bring(self, number: int, index: int, pinned: set[int], operation: int) -> None:
        """Makes room for a block and loads it if it exists."""
        size = self.granules(number)
        segment = self.space.allocate(size)
        while segment is None:
            self._make_room(index, pinned, size)
            segment = self.space.allocate(size)
        self.occupy(number, segment)
        block = self.blocks[number]
        if block.home is not None:
            self.load(number, operation)
        else:
            assert not block.begun, "a block that left was stored"

    def occupy(self, number: int, segment: Segment) -> None:
        block = self.blocks[number]
        block.segment = segment
        block.written, block.read = NO_HAZARDS, segment.hazards
        self._resident.add(number)

    def _make_room(self, index: int, pinned: set[int], size: int) -> None:
        """One block leaves: one that only waits for its store, otherwise the one that is needed last.

        A block that is still being written stays: lines that nothing has written yet cannot be stored.
        """
        for position, (_, waiting) in enumerate(self.pending):
            if waiting not in pinned and not self.blocks[waiting].uses:
                del self.pending[position]
                self._store(waiting)
                return
        candidates = [
            number
            for number in self._resident
            if number not in pinned and self.blocks[number].last_write < index
        ]
        if not candidates:
            raise does_not_fit(self.machine, size, len(pinned))
        victim = max(candidates, key=lambda number: (self._next_use(number), number))
        block = self.blocks[victim]
        if self.is_pending(victim):
            self.pending = deque(entry for entry in self.pending if entry[1] != victim)
            self._store(victim)
        if block.segment is None:
            return
        if block.dirty:
            self._spill(victim)
        self.drop(victim)
        self.evicted = True

    def _next_use(self, number: int) -> int:
        uses = self.blocks[number].uses
        return uses[0] if uses else NEVER

    def drop(self, number: int) -> None:
        """The block's room is free; the next owner waits for all who used it."""
        block = self.blocks[number]
        assert block.segment is not None
        past = later(block.written, block.read)
        self.space.release(block.segment._replace(hazards=past), len(self.emitter) - SETTLED)
        block.segment = None
        self._resident.discard(number)

    def _transfer(self, number: int, placement: Placement, whole: bool) -> tuple[dict[str, int], int]:
        """Fields of a LOAD or STORE of a block, and the stride in memory."""
        tensor = self.tensor(number)
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
            "flags": int(SPACE_FLAGS[placement.space]),
        }
        return fields, stride if p1 - p0 > 1 else 0

    def load(self, number: int, operation: int) -> None:
        block = self.blocks[number]
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
            without(later(block.written, block.read), UnitId.DMA),
            operation=operation,
            traffic=traffic,
            tensor=self._name(number, block.home),
            dst=block.segment.address,
            dst_stride=stride,
            src0_stride=memory_stride,
            **fields,
        )
        block.written = later(block.written, mark(UnitId.DMA, emitted))
        block.fetched, block.dirty = True, False

    def _write_out(self, number: int, placement: Placement, whole: bool, traffic: Traffic) -> None:
        block = self.blocks[number]
        assert block.segment is not None
        fields, memory_stride = self._transfer(number, placement, whole)
        stride = fields["rows"] if fields["panels"] > 1 else 0
        emitted = self.emitter.emit(
            Opcode.STORE,
            block.written,
            operation=self._writer(block),
            traffic=traffic,
            tensor=self._name(number, placement),
            src0=block.segment.address,
            src0_stride=stride,
            dst_stride=memory_stride,
            **fields,
        )
        block.read = later(block.read, mark(UnitId.DMA, emitted))
        block.dirty = False
        block.home, block.home_whole = placement, whole

    def _name(self, number: int, placement: Placement) -> int:
        """What is moved, as the user knows it; a spill is named by its tensor."""
        spilled = placement.path.startswith("spill.")
        name = self.tensor(number).name if spilled else placement.path
        return self.names.setdefault(name, len(self.names))

    def _writer(self, block: Block) -> int:
        return self.instructions[block.last_write].operation if block.last_write >= 0 else -1

    def _spill(self, number: int) -> None:
        block, tensor = self.blocks[number], self.tensor(number)
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

    def store_next(self) -> None:
        _, number = self.pending.popleft()
        self._store(number)

    def _store(self, number: int) -> None:
        """Stores a finished block to every place that wants it; room without further use is freed."""
        block = self.blocks[number]
        for placement in block.stores:
            self._write_out(number, placement, True, Traffic.OUTPUT)
        block.spilled = False
        if not block.uses:
            self.drop(number)
