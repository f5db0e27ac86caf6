"""The cycles of one whole GEMM without its Program, for millions of shapes and machines at a time.

``gemm_cycles`` gives what ``gemm`` would: the Program that the compiler makes of ``C[m,n] = A[m,k] B[k,n]``
on a weight-stationary array with two weight buffers, timed from its first load to the end of its HALT. Inside
its domain the array sets the pace: with the first tile and the first rows there, nothing but the array waits
for anything, so the total is a sum. The domain is a list of inequalities, each of which says that one of the
waits of ``docs/timing.md`` does not happen. They suffice; some points beyond them would have the same sum.

All numbers are whole and held as doubles, which are exact far beyond the cycles that are let through.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.errors import ConfigError, OutOfDomain
from simulator.fast.designs import check_column
from simulator.fast.gemm_form import Doubles, gemm_form
from simulator.fast.program import Longs
from simulator.fast.shapes import Inside, as_array, common_shape, item_bytes, shapes
from simulator.machines.arguments import check_systolic, given
from simulator.machines.systolic import SystolicMachine

AT_A_TIME: Final = 16384
RATE: Final = "hbm.bytes_per_cycle"
# Fields that the form depends on, and that may differ from point to point.
FIELDS: Final = {
    RATE: "rate",
    "hbm.latency_cycles": "memory",
    "hbm.capacity_bytes": "memory_bytes",
    "unified_buffer.capacity_bytes": "buffer_bytes",
    "unified_buffer.read_latency_cycles": "read",
    "weight_fifo.depth_tiles": "fifo",
    "matrix_unit.rows": "rows",
    "matrix_unit.cols": "cols",
    "matrix_unit.pe_latency_cycles": "pe",
    "matrix_unit.horizontal_hop_cycles": "across",
    "matrix_unit.vertical_hop_cycles": "down",
    "accumulators.lines": "sums",
    "accumulators.adder_latency_cycles": "adder",
    "vector_unit.lanes": "lanes",
    "vector_unit.alu_latency_cycles": "alu",
    "sequencer.queue_depth": "queue",
}


def gemm_cycles(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    dtype: str = "bfloat16",
    fields: Mapping[str, npt.ArrayLike] | None = None,
) -> Longs:
    """Cycles of each of many GEMMs, operands and result in HBM and not transposed.

    ``fields`` lets the machine differ from point to point, ``{"matrix_unit.rows": [64, 128]}``; a rate is
    then whole bytes per cycle.

    Shapes: m, k, n and fields broadcast together.

    Raises:
        OutOfDomain: the form does not hold for a point; names the first and why.
        ConfigError: an argument is none that is allowed, or shapes do not broadcast.
    """
    columns = _columns(machine, m, k, n, dtype, fields)
    found, inside = _in_parts(columns)
    if not inside.all():
        at = int(np.argmin(inside))
        shape = inside.shape
        point = {name: np.broadcast_to(column, shape).flat[at] for name, column in columns.items()}
        _, limits = gemm_form(SimpleNamespace(**point))
        broken = next(name for name, holds in limits.items() if not holds)
        sizes = " x ".join(f"{point[name]:.0f}" for name in ("m", "k", "n"))
        raise OutOfDomain(f"GEMM {sizes} (point {at}): no closed form, as {broken}")
    return found


def gemm_cycles_where(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    dtype: str = "bfloat16",
    fields: Mapping[str, npt.ArrayLike] | None = None,
) -> tuple[Longs, Inside]:
    """The same, and which points are in the domain; the cycles of the others are 0."""
    return _in_parts(_columns(machine, m, k, n, dtype, fields))


def _in_parts(columns: Mapping[str, Doubles]) -> tuple[Longs, Inside]:
    """A few thousand points at a time, so that their numbers stay in the processor's cache."""
    shape = np.broadcast_shapes(*(column.shape for column in columns.values()))
    flat = {
        name: column.reshape(1) if column.size == 1 else np.broadcast_to(column, shape).reshape(-1)
        for name, column in columns.items()
    }
    size = int(np.prod(shape))
    cycles, inside = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.bool_)
    for start in range(0, size, AT_A_TIME):
        part = slice(start, start + AT_A_TIME)
        point = {name: column if len(column) == 1 else column[part] for name, column in flat.items()}
        total, limits = gemm_form(SimpleNamespace(**point))
        holds: Any = True
        for limit in limits.values():
            holds = holds & limit
        inside[part] = holds
        cycles[part] = total * holds
    return cycles.reshape(shape), inside.reshape(shape)


def _columns(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    dtype: str,
    fields: Mapping[str, npt.ArrayLike] | None,
) -> dict[str, Doubles]:
    """All numbers that the form needs, as doubles.

    Raises:
        OutOfDomain: the array is none that the form is for.
        ConfigError: an argument is none that is allowed.
    """
    check_systolic(machine)
    unit = machine.matrix_unit
    if unit.dataflow != "ws" or unit.weight_buffers != 2 or not unit.overlap:
        raise OutOfDomain(
            f"{machine.name}: a closed form exists for weight-stationary arrays with two weight buffers "
            "that overlap"
        )
    sizes = dict(zip("mkn", shapes(m, k, n), strict=True))
    varied = {} if fields is None else _varied(machine, fields)
    if varied:
        common_shape(sizes | varied)
    found: dict[str, Doubles] = {"item": np.array(float(item_bytes(dtype)))}
    for path, name in FIELDS.items():
        table, field = path.split(".")
        value = getattr(getattr(machine, table), field)
        found[name] = np.array(float(value.numerator))
        if name == "rate":
            found["per"] = np.array(float(value.denominator))
    for path, column in varied.items():
        found[FIELDS[path]] = column.astype(np.float64)
        if path == RATE:
            found["per"] = np.array(1.0)
    return found | {name: column.astype(np.float64) for name, column in sizes.items()}


def _varied(machine: SystolicMachine, fields: Mapping[str, npt.ArrayLike]) -> dict[str, npt.NDArray[Any]]:
    """Columns of the fields that differ, checked."""
    if not isinstance(fields, Mapping):
        raise ConfigError(f"fields = {given(fields)}: numbers by field are needed")
    columns = {}
    for path, values in fields.items():
        if path not in FIELDS:
            raise ConfigError(f"{path}: not among the fields that may differ: {', '.join(FIELDS)}")
        columns[path] = as_array(path, values)
        check_column(machine, path, columns[path].reshape(-1))
        if path == RATE and columns[path].dtype.kind not in "iu":
            raise ConfigError(f"{path} = {given(values)}: whole bytes per cycle are allowed here")
    return columns
