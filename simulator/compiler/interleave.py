"""Order of instructions: the array's work sets the pace, everything else is fitted around it.

Plain NumPy computes tensor after tensor: it converts a whole weight matrix, then multiplies; it updates all
parameters after the whole backward pass. Taken literally, the array waits while the vector unit works and the
other way round, and whole tensors must be kept in between. Here the array's instructions keep their order,
and

* what one of them needs comes just before it, some of the array's cycles early (so it is ready in time);
* what none of them needs (updates, the loss, bias gradients) goes block by block, from its operands to its
  result, as soon as it can and for as long as vector unit and memory are behind the array; the rest comes
  last.

Values do not depend on the order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from simulator.compiler.symbolic import NO_TILE, Lowering, Symbolic
from simulator.isa import Function, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.units import ceil_div, transfer_cycles

AHEAD = 1  # blocks' worth of the array's cycles by which operands come early
ITERATIVE = {
    Function.DIVIDE: "divide_cycles",
    Function.SQRT: "sqrt_cycles",
    Function.EXP: "table_cycles",
    Function.LOG: "table_cycles",
    Function.TANH: "table_cycles",
}


def interleave(
    low: Lowering, instructions: list[Symbolic], machine: SystolicMachine, off_chip: Collection[int]
) -> list[Symbolic]:
    """The instructions in their order. ``off_chip``: tensors that are loaded from or stored to memory."""
    return _Order(low, instructions, _Costs(low, machine, off_chip)).run()


class _Order:
    def __init__(self, low: Lowering, instructions: list[Symbolic], costs: _Costs) -> None:
        self._costs = costs
        self._ahead = AHEAD * low.geometry.chunk
        self._all = instructions
        self._needs = _dependencies(self._all)
        self._anchors = [index for index, item in enumerate(self._all) if _is_anchor(item)]
        self._gate = self._gates()
        self._emitted = bytearray(len(self._all))
        self._order: list[Symbolic] = []

    def _gates(self) -> list[int]:
        """For every instruction the position of the last anchor that it depends on (or is), -1 for none."""
        position = {index: at for at, index in enumerate(self._anchors)}
        gate: list[int] = []
        for index, needs in enumerate(self._needs):
            gate.append(max((gate[need] for need in needs), default=-1))
            gate[index] = max(gate[index], position.get(index, -1))
        return gate

    def run(self) -> list[Symbolic]:
        aside = self._aside()
        waiting = next(aside, None)
        chain: Iterator[int] = iter(())
        looked = 0
        reach = 0  # array cycles up to the anchor that was looked at
        for at, anchor in enumerate(self._anchors):
            while looked < len(self._anchors) and reach - self._costs.array < self._ahead:
                for need in self._needs[self._anchors[looked]]:
                    if self._gate[need] < at:
                        self._emit_all(self._chain(need))
                reach += _array_cycles(self._all[self._anchors[looked]])
                looked += 1
            self._emit_all(self._chain(anchor))
            while self._costs.behind < self._costs.array:
                index = next(chain, None)
                if index is not None:
                    self._emit(index)
                elif waiting is not None and self._gate[waiting] <= at:
                    chain, waiting = iter(self._chain(waiting)), next(aside, None)
                else:
                    break
        self._emit_all(chain)
        while waiting is not None:
            self._emit_all(self._chain(waiting))
            waiting = next(aside, None)
        return self._order

    def _aside(self) -> Iterator[int]:
        """Results that no anchor needs, in the order in which they can be computed.

        Of those possible at the same time the last one written in NumPy goes first: it pulls in the others of
        its block (Adam's weights their moments), while their operands are there.
        """
        needed = bytearray(len(self._all))
        has_reader = bytearray(len(self._all))
        for anchor in self._anchors:
            needed[anchor] = 1
        for index in range(len(self._all) - 1, -1, -1):
            for need in self._needs[index]:
                has_reader[need] = 1
                needed[need] |= needed[index]
        results = [i for i in range(len(self._all)) if not needed[i] and not has_reader[i]]
        results.sort(key=lambda i: (self._gate[i], -self._all[i].operation, i))
        return iter(results)

    def _chain(self, index: int) -> list[int]:
        """The instruction and all that it needs that is not there yet, what is needed first."""
        chain: list[int] = []
        seen: set[int] = set()
        stack = [(index, False)]
        while stack:
            at, done = stack.pop()
            if done:
                chain.append(at)
            elif not self._emitted[at] and at not in seen:
                seen.add(at)
                stack.append((at, True))
                stack.extend((need, False) for need in reversed(self._needs[at]))
        return chain

    def _emit_all(self, chain: Collection[int] | Iterator[int]) -> None:
        for index in chain:
            self._emit(index)

    def _emit(self, index: int) -> None:
        if not self._emitted[index]:
            self._emitted[index] = 1
            self._order.append(self._all[index])
            self._costs.count(self._all[index])


def _is_anchor(instruction: Symbolic) -> bool:
    """Whether it is of the array or reads its accumulators: these keep their order."""
    return instruction.opcode in (Opcode.WLOAD, Opcode.MATMUL, Opcode.DRAIN) or instruction.tile != NO_TILE


def _array_cycles(instruction: Symbolic) -> int:
    return instruction.rows if instruction.opcode == Opcode.MATMUL else 0


def _dependencies(instructions: list[Symbolic]) -> list[list[int]]:
    """For every instruction those that must come before it: by block, and by accumulator tile."""
    needs: list[list[int]] = []
    writers: dict[int, list[int]] = {}
    readers: dict[int, list[int]] = {}
    for index, instruction in enumerate(instructions):
        before: set[int] = set()
        for source in instruction.sources:
            if source is not None:
                before.update(writers.get(source.block, ()))
        if instruction.dst is not None:
            before.update(writers.get(instruction.dst.block, ()))
            before.update(readers.pop(instruction.dst.block, ()))
            writers.setdefault(instruction.dst.block, []).append(index)
        for source in instruction.sources:
            if source is not None:
                readers.setdefault(source.block, []).append(index)
        before.discard(index)
        needs.append(sorted(before))
    return needs


class _Costs:
    """Rough cycles so far: of the array, and of vector unit or memory, whichever has more.

    They steer the order alone; no reported cycle comes from here.
    """

    def __init__(self, low: Lowering, machine: SystolicMachine, off_chip: Collection[int]) -> None:
        self.array = 0
        self._vector = 0
        self._memory = 0
        self._low, self._machine = low, machine
        self._off_chip = frozenset(off_chip)
        self._moved: set[int] = set()
        unit = machine.vector_unit
        self._beats = ceil_div(machine.line_elements, unit.lanes)
        self._interval = {int(function): getattr(unit, name) for function, name in ITERATIVE.items()}

    @property
    def behind(self) -> int:
        """Cycles of the busier of vector unit and memory."""
        return max(self._vector, self._memory)

    def count(self, instruction: Symbolic) -> None:
        """Adds an instruction."""
        self.array += _array_cycles(instruction)
        if instruction.opcode == Opcode.VEC:
            interval = self._interval.get(instruction.function, 1)
            self._vector += instruction.rows * instruction.panels * self._beats * interval
        for operand in (*instruction.sources, instruction.dst):
            if operand is not None and operand.block not in self._moved:
                self._moved.add(operand.block)
                self._memory += self._transfer(operand.block)

    def _transfer(self, block: int) -> int:
        number = self._low.block_tensor[block]
        if number not in self._off_chip:
            return 0
        tensor = self._low.tensors[number]
        size = tensor.granules(block - tensor.first_block) * self._machine.line_elements
        return transfer_cycles(size, self._machine.hbm.bytes_per_cycle)
