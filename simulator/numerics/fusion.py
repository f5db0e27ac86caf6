"""Fuses elementwise operations of one shape into vector programs, and orders what runs.

A program may hold any operations between which no path leads through another operation: then it can run
at one time, when all that it reads is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.numerics.broadcasting import broadcast_rows
from simulator.numerics.encode import MAX_VALUES
from simulator.numerics.lowering import Elementwise, Operation, Other, Value
from simulator.numerics.signatures import Shape


@dataclass(frozen=True)
class Program:
    """Elementwise operations in order, and the values that they read from outside in their shapes."""

    shape: Shape
    steps: tuple[Elementwise, ...]
    loads: tuple[tuple[int, Shape], ...]

    @property
    def reads(self) -> tuple[int, ...]:
        """What has to be there."""
        return tuple(value for value, _ in self.loads)

    @property
    def writes(self) -> tuple[int, ...]:
        """All values of the program."""
        return tuple(step.writes for step in self.steps)

    def may_overwrite(self, source: int, result: int) -> bool:
        """Whether ``result`` may be written where ``source`` lies, element by element: it is read as it
        lies, and by no step after the one that writes."""
        if any(value == source and shape != self.shape for value, shape in self.loads):
            return False
        position = self.writes.index(result)
        return not any(source in step.reads for step in self.steps[position + 1 :])


class _Groups:
    """Operations in groups, one or more each; ``after`` are, as bits, the groups that a group comes after."""

    def __init__(self, operations: Sequence[Operation], values: Sequence[Value]) -> None:
        self._operations, self._values = operations, values
        self._producer: dict[int, int] = {}  # by value: its group
        self.members: dict[int, list[int]] = {}
        self._after: dict[int, int] = {}
        for index in range(len(operations)):
            self._add(index)

    def _add(self, index: int) -> None:
        operation = self._operations[index]
        before = dict.fromkeys(self._producer[value] for value in operation.reads if value in self._producer)
        self.members[index] = [index]
        self._after[index] = 0
        for group in before:
            self._after[index] |= self._after[group] | 1 << group
        group = index
        if isinstance(operation, Elementwise):
            for other in before:
                if other in self.members and self._fit(group, other):
                    group = self._merge(group, other)
        self._producer[operation.writes] = group

    def _fit(self, one: int, other: int) -> bool:
        """Whether two groups can be one program."""
        if not isinstance(self._operations[other], Elementwise):
            return False
        if self._shape(one) != self._shape(other):
            return False
        # A group in between would have to run after one part of the program and before the other.
        for first, last in ((one, other), (other, one)):
            between = self._after[last] & ~(1 << first)
            if any(between >> group & 1 and self._after[group] >> first & 1 for group in self.members):
                return False
        members = sorted(self.members[one] + self.members[other])
        program = make_program([self._operations[i] for i in members], self._values)
        if len(program.loads) + len(program.steps) > MAX_VALUES:
            return False
        return broadcast_rows([shape for _, shape in program.loads], program.shape) is not None

    def _shape(self, group: int) -> Shape:
        return self._values[self._operations[group].writes].shape

    def _merge(self, one: int, other: int) -> int:
        """Puts ``one`` into ``other``."""
        both = 1 << one | 1 << other
        self.members[other] = sorted(self.members[other] + self.members.pop(one))
        after = (self._after.pop(one) | self._after[other]) & ~both
        self._after[other] = after
        for group in self._after:
            if self._after[group] & both:
                self._after[group] = (self._after[group] | after | 1 << other) & ~(1 << one)
        for value, group in self._producer.items():
            if group == one:
                self._producer[value] = other
        return other


def make_program(steps: Sequence[Operation], values: Sequence[Value]) -> Program:
    """The program of these elementwise operations."""
    made = [step for step in steps if isinstance(step, Elementwise)]
    inside = {step.writes for step in made}
    loads: dict[tuple[int, Shape], None] = {}
    for step in made:
        loads.update(
            dict.fromkeys(
                load for load in zip(step.reads, step.shapes, strict=True) if load[0] not in inside
            )
        )
    return Program(values[made[0].writes].shape, tuple(made), tuple(loads))


Stage = Program | Other


def fuse(operations: Sequence[Operation], values: Sequence[Value]) -> list[Stage]:
    """The operations as stages, in an order in which they can run.

    What reads a fresh result runs next, while that is in the caches; what reads nothing but sources (bfloat16
    weights) runs when it is needed.
    """
    stages: dict[int, Stage] = {}
    for group, members in sorted(_Groups(operations, values).members.items()):
        first = operations[members[0]]
        chosen = [operations[member] for member in members]
        stages[group] = first if isinstance(first, Other) else make_program(chosen, values)
    producer = {value: group for group, stage in stages.items() for value in written(stage)}
    needs = {
        group: list(dict.fromkeys(producer[value] for value in stage.reads if value in producer))
        for group, stage in stages.items()
    }
    readers: dict[int, list[int]] = {group: [] for group in stages}
    for group, before in needs.items():
        for other in before:
            readers[other].append(group)
    ordered: dict[int, None] = {}

    def run(group: int) -> None:
        waiting = [group]
        while waiting:
            now = waiting[-1]
            missing = [other for other in needs[now] if other not in ordered]
            if missing:
                waiting += reversed(missing)
                continue
            waiting.pop()
            if now in ordered:
                continue
            ordered[now] = None
            ready = [r for r in readers[now] if r not in ordered and all(n in ordered for n in needs[r])]
            light = [r for r in ready if not (isinstance(stage := stages[r], Other) and stage.heavy)]
            waiting += reversed(light)

    for group in [*(g for g in stages if needs[g]), *stages]:
        run(group)
    return [stages[group] for group in ordered]


def written(stage: Stage) -> tuple[int, ...]:
    """The values that a stage computes."""
    return stage.writes if isinstance(stage, Program) else (stage.writes,)
