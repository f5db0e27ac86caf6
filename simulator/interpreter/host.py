"""What the host does: lays tensors out off chip before a step and reads them back after it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.graph import ITEM_BYTES, STORAGE
from simulator.interpreter.core import Core
from simulator.interpreter.memory import Memory
from simulator.numerics.kernels import canonical
from simulator.program import Placement, Program, Space, Traffic
from simulator.units import ceil_div

Array = npt.NDArray[Any]

SCALARS = "scalars"


def stored_form(array: Array) -> Array:
    """The bits of a tensor in the machine's memories: bool as float32 0.0 or 1.0, NaNs canonical.

    Shapes:
        result: that of ``array``, unsigned integers
    """
    array = np.asarray(array)
    array = array.astype(np.float32) if array.dtype == np.bool_ else canonical(array)
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape)


def as_matrix(array: Array) -> Array:
    """The 2-D layout of a tensor: leading dimensions are rows, a 1-D array is one row, a scalar 1 x 1."""
    return array.reshape(-1, array.shape[-1]) if array.ndim else array.reshape(1, 1)


@final
class MemoryState:
    """The machine's memories before or after a Program."""

    def __init__(self, core: Core, program: Program) -> None:
        self.core = core
        self.program = program

    def read(self, path: str, space: Space | None = None) -> Array:
        """A tensor in its 2-D layout, of its storage type.

        Without ``space`` a path that lies in several is read from ``HBM_NEXT``, where the step leaves it.

        Raises:
            KeyError: the path is not placed (there).
        """
        placement = self.result_placement(path, space)
        return self.read_tensor(placement, (placement.rows, placement.cols))

    def result_placement(self, path: str, space: Space | None = None) -> Placement:
        """Where the value of ``path`` is after a step."""
        carried = ((p.path, p.space) == (path, Space.HBM_NEXT) for p in self.program.placements)
        if space is None and any(carried):
            space = Space.HBM_NEXT
        return self.program.placement(path, space)

    def read_bits(self, placement: Placement) -> Array:
        """The stored elements as unsigned integers.

        Shapes:
            result: (placement.rows, placement.cols)
        """
        lines = _lines(self.core, placement)
        return lines.transpose(1, 0, 2).reshape(placement.rows, -1)[:, : placement.cols].copy()

    def read_tensor(self, placement: Placement, shape: Sequence[int]) -> Array:
        """A tensor in its own shape and storage type.

        Raises:
            ProgramError: the placement has another number of elements.
        """
        bits = self.read_bits(placement)
        if math.prod(shape) != bits.size:
            size = f"{placement.rows} x {placement.cols}"
            raise ProgramError(f"{placement.path}: {size} is not of shape {tuple(shape)}")
        if placement.dtype == "bool":
            values: Array = bits.view(np.float32) != 0
        else:
            values = bits.view(STORAGE[placement.dtype])
        return values.reshape(shape)

    def write(self, placement: Placement, array: Array) -> None:
        """Lay a tensor out; the elements beyond its columns stay what they are.

        Raises:
            ProgramError: its type or number of rows and columns is not the placement's.
        """
        array = np.asarray(array)
        if array.dtype != STORAGE[placement.dtype]:
            raise ProgramError(f"{placement.path}: {array.dtype} given, {placement.dtype} is placed")
        self._write_bits(placement, as_matrix(stored_form(array)))

    def write_scalars(self, placement: Placement, scalars: Sequence[Array]) -> None:
        """The scalar table: one row per entry, raw 4-byte values.

        Raises:
            ProgramError: another number of entries, or an entry that is not of 4 bytes.
        """
        if any(np.asarray(entry).dtype.itemsize != 4 for entry in scalars):
            raise ProgramError("the scalar table holds float32 and int32 alone")
        bits = [stored_form(np.asarray(entry)).reshape(1) for entry in scalars]
        self._write_bits(placement, np.stack(bits) if bits else np.zeros((0, 1), np.uint32))

    def _write_bits(self, placement: Placement, matrix: Array) -> None:
        if matrix.shape != (placement.rows, placement.cols):
            given = " x ".join(map(str, matrix.shape))
            placed = f"{placement.rows} x {placement.cols}"
            raise ProgramError(f"{placement.path}: {given} given, {placed} is placed")
        lines, width = _lines(self.core, placement), self.core.width
        for panel, block in enumerate(lines):
            part = matrix[:, panel * width : (panel + 1) * width]
            block[:, : part.shape[1]] = part


def _lines(core: Core, placement: Placement) -> Array:
    """A view of all lines of a placement: (panels, rows, W)."""
    memory: Memory = core.off_chip[placement.space]
    dtype = np.dtype(f"u{ITEM_BYTES[placement.dtype]}")
    panels = ceil_div(placement.cols, core.width)
    return memory.lines(placement.address, dtype, placement.rows, panels, placement.rows)


def prepare(state: MemoryState, inputs: Mapping[str, Array], scalars: Sequence[Array]) -> None:
    """Write inputs, constants and the scalar table; an input that is not placed is one that is not used.

    Raises:
        ProgramError: an input that the Program loads is missing, or one does not fit its placement.
    """
    program = state.program
    values = {**program.constants, **inputs}
    written: set[str] = set()
    for placement in program.placements:
        if placement.space is Space.HBM_NEXT or placement.path in written:
            continue
        if placement.path == SCALARS:
            state.write_scalars(placement, scalars)
        elif placement.path in values:
            state.write(placement, values[placement.path])
        else:
            continue
        written.add(placement.path)
    inputs_loaded = program.tensor[program.traffic == Traffic.INPUT]
    loaded = {program.tensors[tensor] for tensor in inputs_loaded if tensor >= 0}
    missing = sorted(loaded - written)
    if missing:
        raise ProgramError(f"the Program loads {missing[0]!r}, which is not given or not placed")
