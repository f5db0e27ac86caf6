"""The checks of a run: emulation, float64 and compiled Program, each against the kernels' values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.api.step import Step
from simulator.errors import ConfigError, ProgramError
from simulator.interpreter import compare_outputs, run_program
from simulator.numerics.bounds import check_float64
from simulator.reference import differences, emulate

_DIGITS = 18  # of the longest N of every N-th step


@dataclass
class Check:
    """One kind of check, summed over the steps that it was made on."""

    name: str
    against: str
    steps: int = 0
    compared: int = 0  # values (float64: values within their bound)
    different: int = 0
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether anything was compared and nothing differed."""
        return self.different == 0 and self.compared > 0


class Checks:
    """Collects the checks of a run."""

    def __init__(self) -> None:
        self.emulation = Check(
            "emulation", "the eager NumPy emulation of the machine's arithmetic, to the bit"
        )
        self.float64 = Check(
            "float64", "plain float64 NumPy, operation by operation, within the derived bound"
        )
        self.program = Check("program", "the compiled Program, interpreted on modelled memories, to the bit")
        self.worst_ratio = 0.0

    def all(self) -> list[Check]:
        """Every kind."""
        return [self.emulation, self.float64, self.program]

    @property
    def different(self) -> int:
        """Values that differ, over all checks."""
        return sum(check.different for check in self.all())

    def emulate(self, step: Step, arguments: tuple[Any, ...], actual: Any) -> Any:
        """Runs the function itself, eagerly, in the machine's arithmetic; returns its result."""
        unit = step.machine.matrix_unit
        expected = emulate(step.function, arguments, rows=unit.rows, dataflow=unit.dataflow)
        report = differences(expected, actual)
        self.emulation.steps += 1
        self.emulation.compared += report.elements
        self.emulation.different += report.different
        if report.different and not self.emulation.detail:
            self.emulation.detail = report.summary()
        return expected

    def bound(self, step: Step, arguments: tuple[Any, ...]) -> None:
        """Compares every operation with float64 on the machine's own operands."""
        execution, _ = step.execute(arguments, keep="all")
        unit = step.machine.matrix_unit
        self.float64.steps += 1
        for report in check_float64(step.graph, execution.values, unit.rows, unit.dataflow):
            self.float64.compared += report.elements
            self.float64.different += report.violations
            self.worst_ratio = max(self.worst_ratio, report.worst)
            if report.violations and not self.float64.detail:
                self.float64.detail = report.message

    def interpret(self, step: Step, arguments: tuple[Any, ...]) -> None:
        """Executes the compiled Program in the order of its Trace and compares what it leaves off chip."""
        inputs, numbers = step.captured.flatten_arguments(arguments)
        outputs = step.plan.run(inputs, numbers).outputs
        scalars = step.graph.scalar_table(numbers)
        try:
            state = run_program(step.program, step.machine, inputs, scalars, trace=step.trace)
            report = compare_outputs(state, step.graph, outputs)
            compared, different, detail = report.elements, report.different, str(report)
        except ProgramError as error:  # the machine cannot even execute it: no value is right
            compared = different = sum(output.size for output in outputs.values())
            detail = str(error)
        self.program.steps += 1
        self.program.compared += compared
        self.program.different += different
        if different and not self.program.detail:
            self.program.detail = detail


@dataclass(frozen=True)
class CheckPlan:
    """Which steps the emulation checks: every one, every N-th with the first and last, or the last alone."""

    every: int  # 0: the last step alone

    @classmethod
    def parse(cls, text: str) -> CheckPlan:
        """From ``all``, ``final`` or a number.

        Raises:
            ConfigError: anything else.
        """
        if text == "all":
            return cls(1)
        if text == "final":
            return cls(0)
        if text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0:
            return cls(int(text))
        raise ConfigError(f"check = {text!r}: all, final or a positive number N (every N-th step) is allowed")

    def wants(self, step: int, last: bool) -> bool:
        """Whether the step (counted from 0) is emulated."""
        return last or (self.every > 0 and step % self.every == 0)
