"""What a model says about a measurement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from simulator.machines.simt import SimtMachine
from simulator.measured import baselines
from simulator.measured.gpus import Gpus
from simulator.measured.harness import harness_of
from simulator.measured.rows import OPERATIONS, Elementwise, Gemm, Row, Update
from simulator.measured.updates import moved_bytes, passes, update_us
from simulator.simt.ingredients import Ingredients
from simulator.simt.timing import GemmProblem, KernelTime, KnownKernel, elementwise_time, gemm_time

Model = Literal["roofline", "tile-and-wave", "full"]
MODELS: tuple[Model, ...] = ("roofline", "tile-and-wave", "full")

_ALL = Ingredients()
_ITEM_BYTES = 4
_GRAPH_OPERATIONS: Mapping[str, str] = {  # the graph's names; "u" forms take a number for a tensor
    "add": "add", "mul": "multiply", "div": "divide", "pow": "power",
    "addu": "add", "mulu": "multiply", "divu": "divide", "powu": "power",
    "relu": "maximum", "tanh": "tanh", "sigmoid": "exp", "exp": "exp", "sqrt": "sqrt",
}  # fmt: skip
_TILE = re.compile(r"gemm_(?P<tile>\d+x\d+(_sliced\d+x\d+)?)_[nt]{2}")


@dataclass(frozen=True)
class Prediction:
    """What the models say that the measurement of a row reads.

    ``known_us`` is the full model with the kernel that ran, where the row names one that the catalogue has;
    ``tile`` and ``splits`` are what it chooses for a GEMM itself.
    """

    times_us: Mapping[Model, float]
    known_us: float | None = None
    tile: str = ""
    splits: int = 0


class Predictor:
    """Times of rows by a model, on the machines that stand for their GPUs."""

    def __init__(self, gpus: Gpus, ingredients: Ingredients = _ALL) -> None:
        self.gpus = gpus
        self._ingredients = ingredients

    def predict(self, row: Row) -> Prediction:
        """Everything about a row."""
        if not isinstance(row, Gemm):
            return Prediction({model: self.time_us(row, model) for model in MODELS})
        full = self._gemm(row)
        times: dict[Model, float] = {
            model: self._measured(row, full.time_us if model == "full" else self.kernel_us(row, model))
            for model in MODELS
        }
        return Prediction(times, self.known_us(row), full.timing.tile, full.timing.splits)

    def time_us(self, row: Row, model: Model) -> float:
        """What the measurement should read; the kernel is the model's own choice (blind)."""
        return self._measured(row, self.kernel_us(row, model))

    def known_us(self, row: Gemm) -> float | None:
        """The full model with the kernel that ran; None where the file or the catalogue has none."""
        kernel = known_kernel(row)
        if kernel is None:
            return None
        try:
            result = gemm_time(
                self.gpus.machine(row.gpu),
                problem_of(row),
                kernel=kernel,
                weight_copies=row.weight_copies,
                ingredients=self._ingredients,
            )
        except ValueError:
            return None
        return self._measured(row, result.time_us)

    def _measured(self, row: Row, kernel_us: float) -> float:
        return harness_of(row, self.gpus.machine(row.gpu).name).time_us(kernel_us)

    def kernel_us(self, row: Row, model: Model) -> float:
        """The kernel alone, without the host's part."""
        machine = self.gpus.machine(row.gpu)
        if isinstance(row, Gemm):
            return self._gemm_us(machine, row, model)
        if isinstance(row, Elementwise):
            return self._elementwise_us(machine, row, model)
        return _update_us(machine, row, model)

    def _gemm_us(self, machine: SimtMachine, row: Gemm, model: Model) -> float:
        problem = problem_of(row)
        if model == "roofline":
            return baselines.gemm_roofline_us(machine, problem)
        if model == "tile-and-wave":
            return baselines.gemm_tile_and_wave_us(machine, problem)
        return self._gemm(row).time_us

    def _gemm(self, row: Gemm) -> KernelTime:
        return gemm_time(
            self.gpus.machine(row.gpu),
            problem_of(row),
            weight_copies=row.weight_copies,
            ingredients=self._ingredients,
        )

    def _elementwise_us(self, machine: SimtMachine, row: Elementwise, model: Model) -> float:
        inputs = OPERATIONS[row.op]
        if model == "full":
            op = _GRAPH_OPERATIONS[row.op]
            return elementwise_time(
                machine, op, row.elements, inputs=inputs, ingredients=self._ingredients
            ).time_us
        return _stream_us(machine, model, row.elements, (inputs + 1) * row.elements * _ITEM_BYTES, 1)


def problem_of(row: Gemm) -> GemmProblem:
    """The GEMM of a row."""
    return GemmProblem(row.m, row.k, row.n, row.transa, row.transb, row.dtype)


def known_kernel(row: Gemm) -> KnownKernel | None:
    """The tile and the splits that a measurement names, None where it names no tile."""
    found = _TILE.search(row.launched.kernel) if row.launched else None
    return KnownKernel(found["tile"], row.launched.grid[2]) if row.launched and found else None


def _update_us(machine: SimtMachine, row: Update, model: Model) -> float:
    if model == "full":
        return update_us(machine, row.optimizer, row.fused, row.parameters)
    kernels = len(passes(row.optimizer, row.fused))
    moved = moved_bytes(row.optimizer, row.fused, row.parameters)
    return _stream_us(machine, model, row.parameters, moved, kernels)


def _stream_us(machine: SimtMachine, model: Model, elements: int, moved: int, kernels: int) -> float:
    if model == "roofline":
        return baselines.stream_roofline_us(machine, moved)
    return kernels * baselines.stream_tile_and_wave_us(machine, elements, moved // kernels)
