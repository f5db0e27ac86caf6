"""``pulsetrain step``: every cycle, multiply-accumulate and byte is accounted for, recounted here apart.

The multiply-accumulates follow from the widths and the batch, the bytes from the shapes of parameters, state
and batch, the matrix unit's cycles from the per-PE oracle, which executes the step's schedule.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.api import Step, build_step, load_machine
from simulator.cli.options import make_workload
from simulator.cli.step import example_arguments
from simulator.interpreter import run_program
from simulator.isa import Flag, Opcode, UnitId, sub_lines, units_of
from simulator.machines.systolic import SystolicMachine
from tests.oracles.pe_arithmetic import Arithmetic
from tests.oracles.pe_array import PairStream, RowStream, SumDrain, WeightShift
from tests.oracles.pe_output import run_output
from tests.oracles.pe_schedule import parameters_of
from tests.oracles.pe_stationary import run_stationary
from tests.support.command import call
from workloads import mlp

STATES = {"sgd": [], "momentum": [""], "adam": ["m", "v"], "rmsprop_momentum": ["s", "v"]}


@dataclass(frozen=True)
class Net:
    """What is trained: enough to recount its arithmetic and its bytes."""

    widths: tuple[int, ...]
    batch: int
    optimizer: str = "adam"
    dropout: float = 1.0
    more: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """The command's options."""
        inputs, *hidden, outputs = self.widths
        options = {
            "inputs": inputs,
            "hidden": ",".join(map(str, hidden)),
            "outputs": outputs,
            "batch": self.batch,
            "optimizer": self.optimizer,
            "dropout": self.dropout,
        }
        return [f"--{name}={value}" for name, value in options.items()] + list(self.more)

    def macs(self) -> list[int]:
        """Of every GEMM: forward, the weights' gradients, and the inputs' of every layer but the first."""
        each = [self.batch * a * b for a, b in pairwise(self.widths)]
        return sorted(each + each + each[1:])

    def tensors(self) -> dict[str, tuple[tuple[int, int], int]]:
        """Rows, columns and how often they cross the chip's edge: carried ones come and go, others do one."""
        found: dict[str, tuple[tuple[int, int], int]] = {
            "x": ((self.batch, self.widths[0]), 1),
            "y": ((self.batch, self.widths[-1]), 1),
            "out.2": ((1, 1), 1),  # the loss
        }
        for layer, (a, b) in enumerate(pairwise(self.widths)):
            for name, shape in (("weight", (a, b)), ("bias", (1, b))):
                found[f"params.{layer}.{name}"] = (shape, 2)
                for part in STATES[self.optimizer]:
                    found[f"state.{layer}.{name}" + (f".{part}" if part else "")] = (shape, 2)
        if self.dropout < 1.0:
            for layer, width in enumerate(self.widths[1:-1]):
                found[f"masks.{layer}"] = ((self.batch, width), 1)
        return found


NETS = {
    "one layer": Net((5, 3), 4, "sgd"),
    "two layers": Net((10, 12, 4), 9),
    "deep": Net((17, 9, 8, 7, 3), 13, "momentum", more=("--activation", "tanh", "--l2", "0.01")),
    "residual, dropout": Net((11, 16, 16, 5), 16, "rmsprop_momentum", 0.8, ("--residual",)),
    "one sample": Net((20, 33, 2), 1, more=("--loss", "quadratic", "--activation", "sigmoid")),
    "wide": Net((130, 70, 10), 40, "sgd"),
}

FILES = {
    "ws.toml": """
        inherit = "edge_8x8"
        name = "uneven"
        [matrix_unit]
        rows = 4
        cols = 2
        pe_latency_cycles = 3
        horizontal_hop_cycles = 2
        [vector_unit]
        lanes = 2
        [accumulators]
        lines = 20
        """,
    "single.toml": """
        inherit = "edge_8x8"
        name = "single"
        [matrix_unit]
        rows = 4
        cols = 4
        weight_buffers = 1
        vertical_hop_cycles = 2
        [sequencer]
        queue_depth = 2
        """,
    "serial.toml": """
        inherit = "edge_8x8"
        name = "serial"
        [matrix_unit]
        rows = 2
        cols = 4
        dataflow = "is"
        overlap = false
        [weight_fifo]
        depth_tiles = 1
        """,
    "os.toml": """
        inherit = "edge_8x8"
        name = "sums"
        [matrix_unit]
        rows = 4
        cols = 8
        dataflow = "os"
        pe_latency_cycles = 2
        vertical_hop_cycles = 2
        [accumulators]
        lines = 8
        adder_latency_cycles = 4
        """,
    "tiny.toml": """
        inherit = "edge_8x8"
        name = "tiny"
        [unified_buffer]
        capacity_bytes = 1536
        """,
}
MACHINES = ("edge_8x8", "tpu_v2", "tpu_v4", *FILES)


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)


def systolic(name: str) -> SystolicMachine:
    machine = load_machine(name)
    assert isinstance(machine, SystolicMachine)
    return machine


def summary(machine: str, net: Net, *more: str) -> dict[str, Any]:
    outcome = call("step", "--machine", machine, *net.arguments, *more, "--json")
    assert outcome.code == 0, outcome.err
    return outcome.json


def step_of(machine: SystolicMachine, net: Net) -> tuple[Step, tuple[Any, ...]]:
    """The same step through the API."""
    assert not net.more
    options = {
        "hidden": ",".join(map(str, net.widths[1:-1])),
        "batch": str(net.batch),
        "activation": "relu",
        "loss": "cross_entropy",
        "output": None,
        "residual": False,
        "dropout": net.dropout,
        "l2": 0.0,
        "optimizer": net.optimizer,
        "lr": None,
        "schedule": "constant",
        "initializer": "he",
        "seed": 0,
    }
    workload = make_workload(net.widths[0], net.widths[-1], options)
    arguments = example_arguments(workload, net.batch)
    function = mlp.make_train_step(workload.config, workload.optimizer)
    return build_step(function, arguments, machine, name="train"), arguments


def line_bytes(machine: SystolicMachine, shape: tuple[int, int]) -> int:
    """A float32 tensor in whole lines: panels of a line's columns, a line per row."""
    width = max(machine.matrix_unit.rows, machine.matrix_unit.cols, machine.vector_unit.lanes)
    rows, cols = shape
    return math.ceil(cols / width) * rows * width * 4


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("machine", MACHINES)
def test_account(machine: str, net: str) -> None:
    result, described, trained = summary(machine, NETS[net]), systolic(machine), NETS[net]
    check_cycles(described, result)
    check_macs(described, trained, result)
    check_bytes(described, trained, result)


def check_cycles(machine: SystolicMachine, result: dict[str, Any]) -> None:
    cycles, units, operations = result["cycles"], result["units"], result["operations"]
    assert set(units) == {
        *("sequencer", "dma", "weight_loader", "matrix_unit", "vector_unit", "transposer", "weight_shifter")
    }
    for name, unit in units.items():
        assert unit["busy"] + sum(unit["stalls"].values()) == cycles
        assert min(unit["busy"], *unit["stalls"].values()) >= 0
        # The operations share out the busy cycles and, by reason, the waiting.
        assert sum(operation["busy"][name] for operation in operations) == unit["busy"]
        waits: Counter[str] = Counter()
        for operation in operations:
            waits.update(operation["stalls"][name])
        assert +waits == +Counter(unit["stalls"])
    # One dispatch per instruction and HALT's own cycle.
    assert units["sequencer"]["busy"] == result["instructions"] + 1
    assert result["stalls"] == units["matrix_unit"]["stalls"]
    assert result["time_us"] == pytest.approx(cycles / machine.clock.mhz)
    assert max(operation["end"] for operation in operations) == cycles


def check_macs(machine: SystolicMachine, net: Net, result: dict[str, Any]) -> None:
    gemms = [operation["macs"] for operation in result["operations"] if operation["name"] == "matmul"]
    assert result["gemms"] == len(gemms) == 3 * (len(net.widths) - 1) - 1
    assert sorted(gemms) == net.macs()
    assert sum(operation["macs"] for operation in result["operations"]) == sum(net.macs()) == result["macs"]
    unit = machine.matrix_unit
    assert result["utilization"] == pytest.approx(result["macs"] / (unit.rows * unit.cols * result["cycles"]))
    assert sum(result["counters"]["macs_executed"].values()) >= result["macs"]


def check_bytes(machine: SystolicMachine, net: Net, result: dict[str, Any]) -> None:
    rows = {row["tensor"]: row for row in result["traffic"]}
    assert len(rows) == len(result["traffic"])
    needed = {name: times * line_bytes(machine, shape) for name, (shape, times) in net.tensors().items()}
    assert {name: rows[name]["needed_bytes"] for name in needed} == needed
    for name, row in rows.items():
        assert row["total_bytes"] == row["needed_bytes"] + row["extra_bytes"]
        assert row["total_bytes"] == row["hbm_bytes"] + row["host_bytes"] == sum(row["by_reason"].values())
        resident = name.startswith(("params", "state"))
        assert not resident or row["host_bytes"] == 0
        if name in ("x", "y", "out.2", "scalars") or name.startswith("masks"):
            assert row["by_reason"]["input"] + row["by_reason"]["output"] <= row["host_bytes"]
        if name not in needed and name != "scalars":  # an intermediate: only for lack of room
            assert row["needed_bytes"] == 0 and row["extra_bytes"] == row["hbm_bytes"] > 0
    assert rows["scalars"]["needed_bytes"] % line_bytes(machine, (1, 1)) == 0
    counters = result["counters"]
    moved = {
        memory: counters[f"{memory}_read_bytes"] + counters[f"{memory}_written_bytes"]
        for memory in ("hbm", "host")
    }
    for memory, amount in moved.items():
        assert sum(row[f"{memory}_bytes"] for row in rows.values()) == amount
        assert sum(operation[f"{memory}_bytes"] for operation in result["operations"]) == amount
    if machine.buffer_granules * machine.line_elements > 100 * sum(needed.values()):
        assert sum(row["extra_bytes"] for row in rows.values()) == 0


@pytest.mark.parametrize("machine", MACHINES)
def test_bytes_are_those_of_the_instructions(machine: str) -> None:
    """LOADs and STOREs, counted one by one, and one line of the scalar table per number."""
    described, net = systolic(machine), Net((10, 12, 4), 9)
    step, _ = step_of(described, net)
    moves = [record for record in step.program.records if record["opcode"] in (Opcode.LOAD, Opcode.STORE)]
    moved = sum(
        (int(record["rows"]) * int(record["panels"]) << int(record["item"])) * described.line_elements
        for record in moves
    )
    result = summary(machine, net)
    assert sum(row["total_bytes"] for row in result["traffic"]) == moved
    (scalars,) = (row for row in result["traffic"] if row["tensor"] == "scalars")
    assert scalars["needed_bytes"] == len(step.graph.scalars) * line_bytes(described, (1, 1))


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_a_small_buffer_costs_bytes_and_changes_nothing(dataflow: str) -> None:
    net = Net((20, 30, 10), 24)
    left: list[dict[str, np.ndarray]] = []
    extra = []
    for capacity in (1536, 8192, 262144):
        sets = ("--set", f"unified_buffer.capacity_bytes={capacity}", "--dataflow", dataflow)
        result = summary("edge_8x8", net, *sets)
        check_bytes(systolic("edge_8x8"), net, result)
        reasons: Counter[str] = Counter()
        for row in result["traffic"]:
            reasons.update(row["by_reason"])
        extra.append(reasons["refetch"] + reasons["spill"] + reasons["fill"])
        if capacity == 1536:
            assert reasons["spill"] > 0 and reasons["fill"] > 0 and reasons["refetch"] > 0
        machine = systolic("edge_8x8")
        machine = machine.model_copy(
            update={
                "unified_buffer": machine.unified_buffer.model_copy(update={"capacity_bytes": capacity}),
                "matrix_unit": machine.matrix_unit.model_copy(update={"dataflow": dataflow}),
            }
        )
        left.append(left_off_chip(machine, net))
    assert extra[0] > extra[1] > extra[2] == 0
    for other in left[1:]:
        assert other.keys() == left[0].keys()
        for path, bits in left[0].items():
            np.testing.assert_array_equal(other[path], bits)


def left_off_chip(machine: SystolicMachine, net: Net) -> dict[str, np.ndarray]:
    """The bits of every output after the step has run in the order of its Trace."""
    step, arguments = step_of(machine, net)
    rng = np.random.default_rng(0)
    inputs, numbers = step.captured.flatten_arguments(arguments)
    inputs = {path: rng.standard_normal(value.shape).astype(value.dtype) for path, value in inputs.items()}
    scalars = step.graph.scalar_table(numbers)
    state = run_program(step.program, machine, inputs, scalars, trace=step.trace)
    return {path: state.read(path).view(np.uint32) for path in step.graph.outputs}


# -- the matrix unit, recounted on the per-PE oracle ---------------------------------------------------------

INTEGER = Arithmetic(integer=True)


@pytest.mark.parametrize("machine", ["ws.toml", "single.toml", "serial.toml", "tiny.toml"])
def test_oracle_recounts_stationary(machine: str) -> None:
    described, net = systolic(machine), Net((9, 7, 5), 10)
    step, _ = step_of(described, net)
    units = summary(machine, net)["units"]
    shifts, streams, lines = stationary_schedule(step)
    report = run_stationary(parameters_of(described), INTEGER, shifts, streams, lines)
    assert not report.violations
    assert len(report.entries) == units["matrix_unit"]["busy"]
    assert len(shifts) * described.matrix_unit.rows == units["weight_shifter"]["busy"]
    issued = np.flatnonzero(units_of(step.program.records) == UnitId.MATRIX)
    assert [report.end(event) for event in range(len(issued))] == step.trace.events["end"][issued].tolist()


def stationary_schedule(step: Step) -> tuple[list[WeightShift], list[RowStream], int]:
    """What enters the array when: tiles from the Trace's shifts, rows from the MATMULs' starts."""
    machine, records, trace = step.machine, step.program.records, step.trace
    rows, cols = machine.matrix_unit.rows, machine.matrix_unit.cols
    rng = np.random.default_rng(0)
    shifts = [
        WeightShift(int(start), rng.integers(-128, 128, (rows, cols)).astype(np.int32))
        for start in trace.shifts["start"]
    ]
    _, written = sub_lines(records)
    streams: list[RowStream] = []
    tile = -1
    for index in np.flatnonzero(units_of(records) == UnitId.MATRIX):
        record = records[index]
        flags = Flag(int(record["flags"]))
        tile += bool(flags & Flag.SWAP)
        streams.append(
            RowStream(
                int(trace.events["start"][index]) + machine.unified_buffer.read_latency_cycles,
                rng.integers(-128, 128, (int(record["rows"]), rows)).astype(np.int32),
                np.arange(rows) < int(record["tail"]),
                tile,
                # Sub-lines of one accumulator line are lines of their own here.
                int(written[index]) * machine.accumulators.lines + int(record["dst"]),
                accumulate=bool(flags & Flag.ACCUMULATE),
                swap=bool(flags & Flag.SWAP),
                release=bool(flags & Flag.RELEASE),
            )
        )
    return shifts, streams, (machine.line_elements // cols) * machine.accumulators.lines


@pytest.mark.parametrize("change", [{}, {"pe_latency_cycles": 1, "vertical_hop_cycles": 1}])
def test_oracle_recounts_output_stationary(change: dict[str, int]) -> None:
    machine, net = systolic("os.toml"), Net((9, 7, 5), 10)
    machine = machine.model_copy(update={"matrix_unit": machine.matrix_unit.model_copy(update=change)})
    step, _ = step_of(machine, net)
    sets = [f"--set=matrix_unit.{name}={value}" for name, value in change.items()]
    units = summary("os.toml", net, *sets)["units"]
    events = output_schedule(step)
    report = run_output(parameters_of(machine), INTEGER, events, machine.accumulators.lines)
    assert not report.violations
    pairs = len(report.entries) * machine.matrix_unit.pe_latency_cycles
    assert pairs + len(report.drained) == units["matrix_unit"]["busy"]
    assert units["weight_shifter"]["busy"] == 0


def output_schedule(step: Step) -> list[PairStream | SumDrain]:
    """Pairs and drains at the cycles that the Trace says."""
    machine, records, trace = step.machine, step.program.records, step.trace
    unit, read = machine.matrix_unit, machine.unified_buffer.read_latency_cycles
    events: list[PairStream | SumDrain] = []
    for index in np.flatnonzero(units_of(records) == UnitId.MATRIX):
        record, start = records[index], int(trace.events["start"][index])
        count = int(record["rows"])
        if record["opcode"] == Opcode.DRAIN:
            events.append(SumDrain(start, int(record["dst"]), count))
            continue
        left, top = (np.ones((count, size), np.int32) for size in (unit.rows, unit.cols))
        events.append(PairStream(start + read, left, top, bool(record["flags"] & Flag.ACCUMULATE)))
    return events


@pytest.mark.parametrize("late", [-1, 1])
def test_oracle_notices_a_cycle(late: int) -> None:
    """One stream a cycle early is a broken rule somewhere, or ends elsewhere."""
    machine = systolic("ws.toml")
    step, _ = step_of(machine, Net((9, 7, 5), 10))
    shifts, streams, lines = stationary_schedule(step)
    gaps = np.diff([stream.cycle for stream in streams])
    busiest = int(np.argmin(gaps)) + (late < 0)
    streams[busiest] = replace(streams[busiest], cycle=streams[busiest].cycle + late)
    assert run_stationary(parameters_of(machine), INTEGER, shifts, streams, lines).violations
