"""One step of a NumPy function on one machine: captured, compiled, timed and ready to be computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simulator.api.engines import ENGINES, time_program
from simulator.api.timed import Progress, Timed, is_long, time_in_parts
from simulator.compiler import compile_graph
from simulator.energy import Energy, systolic_energy
from simulator.errors import CheckError, DeadlockError, ProgramError
from simulator.graph import Graph
from simulator.machines.arguments import check_choice, check_systolic
from simulator.machines.systolic import SystolicMachine
from simulator.metrics import Metrics, measure
from simulator.program import Program
from simulator.trace import Trace
from simulator.validate import validate

if TYPE_CHECKING:
    from simulator.capture import Captured
    from simulator.numerics.execute import Execution, Plan

Function = Callable[..., Any]


@dataclass(frozen=True)
class Step:
    """A function on a machine, for one set of argument shapes.

    Program, Trace and metrics are made when they are first asked for; values do not need them.
    """

    function: Function
    captured: Captured
    machine: SystolicMachine
    engine: str
    progress: Progress | None = None  # told of long Programs

    @property
    def graph(self) -> Graph:
        """What the function computes."""
        return self.captured.graph

    @cached_property
    def plan(self) -> Plan:
        """The graph prepared for computing values; imported here, as timing alone needs none of it."""
        from simulator.numerics.execute import Plan

        unit = self.machine.matrix_unit
        return Plan(self.graph, rows=unit.rows, dataflow=unit.dataflow)

    @cached_property
    def program(self) -> Program:
        """The validated instructions.

        Raises:
            CompileError: the graph does not fit the machine.
            CheckError: what the compiler made is not valid.
        """
        program = compile_graph(self.graph, self.machine)
        validate_compiled(program, self.machine)
        return program

    @cached_property
    def trace(self) -> Trace:
        """What happens when, in cycles."""
        return time_program(self.machine, self.program, self.engine)

    @cached_property
    def timed(self) -> Timed:
        """Metrics, and how many instructions there are.

        A Program too long to be in memory is timed in parts: there is no Trace then.
        """
        if is_long(self.graph, self.machine):
            return time_in_parts(self.graph, self.machine, self.engine, progress=self.progress)
        return Timed(measure(self.machine, self.program, self.trace), len(self.program))

    @property
    def metrics(self) -> Metrics:
        """Cycles, stalls, traffic and utilization."""
        return self.timed.metrics

    @cached_property
    def energy(self) -> Energy:
        """Energy of one execution."""
        return systolic_energy(self.machine, self.metrics.counters)

    def execute(
        self, arguments: tuple[Any, ...], *, keep: Any = None, follows: bool = False, consume: bool = False
    ) -> tuple[Execution, Mapping[str, Any]]:
        """The values of one execution, and the run-time numbers it was given.

        ``follows``: what is carried from step to step is an earlier execution's result, known to be as the
        machine makes it. ``consume``: those arrays are given away, and results may be written into them.
        """
        inputs, numbers = self.captured.flatten_arguments(arguments)
        carried = self.graph.carried.keys() if follows else ()
        donated = carried if consume else ()
        return self.plan.run(inputs, numbers, keep=keep, canonical=carried, donated=donated), numbers

    def result(self, execution: Execution, numbers: Mapping[str, Any]) -> Any:
        """The execution's outputs as the function returns them."""
        return self.captured.unflatten_outputs(execution.outputs, numbers)


def validate_compiled(program: Program, machine: SystolicMachine) -> None:
    """Validates what a compiler made: an error is not the user's.

    Raises:
        CheckError: it is not valid.
    """
    try:
        validate(program, machine)
    except (ProgramError, DeadlockError) as error:
        raise CheckError(f"check program: the compiled {program.name} is not valid: {error}") from error


def build_step(
    function: Function,
    arguments: tuple[Any, ...],
    machine: SystolicMachine,
    *,
    carry: Sequence[int] = (0, 1),
    resident: Sequence[int] | None = None,
    name: str = "step",
    engine: str = "event",
    progress: Progress | None = None,
) -> Step:
    """Captures ``function`` for arguments of these shapes.

    ``carry``: positions of arguments whose new values are the first results (parameters, state).
    ``resident``: positions of arguments that live in the machine's memory (default: ``carry``).
    ``progress`` is told how far a Program too long to be in memory has been made.

    Raises:
        CaptureError: the function uses something that the machine cannot do.
        ConfigError: the machine is not systolic, or there is no such engine.
    """
    from simulator.capture import capture

    check_systolic(machine)
    check_choice("engine", engine, ENGINES)
    captured = capture(function, arguments, carry=carry, resident=resident, name=name)
    return Step(function, captured, machine, engine, progress)


def shape_key(arguments: tuple[Any, ...]) -> Any:
    """What arguments must share to share a graph: the shapes and types of all arrays, in their containers."""

    def key(value: Any) -> Any:
        if isinstance(value, dict):
            return tuple((name, key(item)) for name, item in value.items())
        if isinstance(value, list | tuple):
            return tuple(key(item) for item in value)
        shape = getattr(value, "shape", None)
        return (shape, value.dtype) if shape is not None else type(value)

    return key(arguments)
