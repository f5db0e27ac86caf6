"""Many machines side by side: a column of numbers for every field that timing depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError

from simulator.errors import ConfigError, OutOfDomain
from simulator.machines.messages import allowed, shown
from simulator.machines.systolic import SystolicMachine

Column = npt.NDArray[Any]

# Fields that decide how a Program is made; machines that share one agree in them, and in ``line_elements``.
SHARED = ("matrix_unit.rows", "matrix_unit.cols", "matrix_unit.dataflow")
# Fields that decide who waits for whom: machines that agree in them are timed together.
STRUCTURE = (
    "sequencer.queue_depth",
    "weight_fifo.depth_tiles",
    "matrix_unit.weight_buffers",
    "matrix_unit.overlap",
)
RATES = ("host_link.bytes_per_cycle", "hbm.bytes_per_cycle")
CYCLES = (
    "host_link.latency_cycles",
    "hbm.latency_cycles",
    "unified_buffer.read_latency_cycles",
    "matrix_unit.pe_latency_cycles",
    "matrix_unit.horizontal_hop_cycles",
    "matrix_unit.vertical_hop_cycles",
    "accumulators.adder_latency_cycles",
    "vector_unit.lanes",
    "vector_unit.alu_latency_cycles",
    "vector_unit.divide_cycles",
    "vector_unit.sqrt_cycles",
    "vector_unit.table_cycles",
)


class Designs:
    """Machines that differ in latencies, bandwidths and depths alone.

    Shapes: a column has an entry for every machine; the columns of RATES have two, numerator and denominator.
    """

    def __init__(self, machine: SystolicMachine, columns: Mapping[str, Column], size: int) -> None:
        self._machine = machine  # what no column says
        self._columns = columns
        self._size = size

    def __len__(self) -> int:
        return self._size

    @classmethod
    def of(cls, machines: Sequence[SystolicMachine]) -> Designs:
        """These machines, in this order.

        Raises:
            OutOfDomain: they do not agree in what a Program is made for.
        """
        if not machines:
            raise OutOfDomain("no machines")
        first = machines[0]
        for index, machine in enumerate(machines):
            for path in (*SHARED, "line_elements"):
                if _get(machine, path) != _get(first, path):
                    raise OutOfDomain(
                        f"machine {index}: {path} = {_get(machine, path)}, machine 0: "
                        f"{_get(first, path)}; a Program is made for one"
                    )
        columns: dict[str, Column] = {}
        for path in (*STRUCTURE, *CYCLES):
            columns[path] = np.array([_get(machine, path) for machine in machines], dtype=np.int64)
        for path in RATES:
            rates = [_get(machine, path) for machine in machines]
            columns[path] = np.array([(rate.numerator, rate.denominator) for rate in rates], dtype=np.int64)
        return cls(first, columns, len(machines))

    @classmethod
    def vary(cls, machine: SystolicMachine, fields: Mapping[str, Sequence[Any] | Column]) -> Designs:
        """``machine`` with fields that differ, ``{"hbm.latency_cycles": [100, 200]}``; lists run parallel.

        A field that does not change cycles, such as ``clock.mhz``, may be named; it is not looked at.

        Raises:
            ConfigError: there is no such field, it does not take these values, or lists differ in length.
            OutOfDomain: a Program is made for one value of this field.
        """
        sizes = {len(values) for values in fields.values()}
        if len(sizes) != 1 or 0 in sizes:
            raise ConfigError("fields to vary: lists of one length are needed, of at least one value")
        columns: dict[str, Column] = {}
        for path, values in fields.items():
            if path in SHARED:
                raise OutOfDomain(f"{path}: a Program is made for one")
            if path in RATES:
                values = _rates(values)
                _check_field(machine, path, {Fraction(*rate) for rate in np.unique(values, axis=0).tolist()})
                columns[path] = values
            else:
                column = np.asarray(values)
                if column.ndim != 1 or column.dtype.kind not in "biuf":
                    raise ConfigError(f"{path}: a list of numbers is needed")
                distinct = np.unique(column).tolist()
                # What is allowed is a range, or a few values.
                _check_field(machine, path, distinct if len(distinct) < 4 else (distinct[0], distinct[-1]))
                if path in (*STRUCTURE, *CYCLES):
                    columns[path] = column.astype(np.int64)
        if "vector_unit.lanes" in columns:
            sides = max(machine.matrix_unit.rows, machine.matrix_unit.cols)
            if (np.maximum(columns["vector_unit.lanes"], sides) != machine.line_elements).any():
                raise OutOfDomain("vector_unit.lanes: a Program is made for lines of one length")
        return cls(machine, columns, sizes.pop())

    def one(self, index: int) -> SystolicMachine:
        """One of the machines, as far as timing looks at it."""
        return self._view(lambda column: _scalar(column[index]), {})

    def groups(self) -> list[npt.NDArray[np.intp]]:
        """Places of machines that share a structure."""
        group = np.zeros(self._size, dtype=np.int64)
        for path in STRUCTURE:
            if path in self._columns:
                column = self._columns[path]
                group = group * (int(column.max()) + 1) + column
        order = np.argsort(group, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(group[order])) + 1)

    def together(self, places: npt.NDArray[np.intp]) -> SystolicMachine:
        """Machines of one group as one, whose numbers are columns of shape (machines, 1)."""
        first = {path: _scalar(self._columns[path][places[0]]) for path in STRUCTURE if path in self._columns}
        return self._view(lambda column: _column(column[places]), first)

    def _view(self, take: Any, fixed: Mapping[str, Any]) -> SystolicMachine:
        """An object with the fields that ``simulator.timing`` reads."""
        tables: dict[str, dict[str, Any]] = {}
        for path in (*SHARED, *STRUCTURE, *RATES, *CYCLES):
            table, field = path.split(".")
            if path in fixed:
                value = fixed[path]
            elif path in self._columns:
                value = take(self._columns[path])
            else:
                value = _get(self._machine, path)
            tables.setdefault(table, {})[field] = value
        view = {table: SimpleNamespace(**fields) for table, fields in tables.items()}
        line, clock = self._machine.line_elements, self._machine.clock
        return cast(SystolicMachine, SimpleNamespace(**view, line_elements=line, clock=clock))


def _get(machine: SystolicMachine, path: str) -> Any:
    value: Any = machine
    for name in path.split("."):
        value = getattr(value, name)
    return value


def _check_field(machine: SystolicMachine, path: str, values: Iterable[Any]) -> None:
    """A field takes these values.

    Raises:
        ConfigError: names the field, the value and what is allowed.
    """
    name, _, field = path.partition(".")
    table = getattr(machine, name, None)
    if not isinstance(table, BaseModel) or field not in type(table).model_fields:
        raise ConfigError(f"{path}: a systolic machine has no such field")
    schema = type(table)
    for value in values:
        try:
            schema.model_validate({**dict(table), field: value})
        except ValidationError:
            raise ConfigError(f"{path} = {shown(value)}: {allowed(schema.model_fields[field])}") from None


def _scalar(entry: Any) -> Any:
    return Fraction(*entry.tolist()) if np.ndim(entry) else int(entry)


def _column(column: Column) -> Any:
    if column.ndim == 1:
        return column[:, None]
    return SimpleNamespace(numerator=column[:, :1], denominator=column[:, 1:])


def _rates(values: Sequence[Any] | Column) -> Column:
    """(n, 2): numerators and denominators of rates given so, as integers or as fractions."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        found = values if values.ndim == 2 else np.stack([values, np.ones_like(values)], axis=1)
        if found.shape[1] != 2 or found.min() < 1 or found.max() >= 2**31:
            raise ConfigError("bytes_per_cycle: numerators and denominators from 1 to 2^31 - 1 are needed")
        return found.astype(np.int64)
    try:
        exact = (str(value) if isinstance(value, float) else value for value in values)
        rates = [Fraction(value) for value in exact]
        return np.array([(rate.numerator, rate.denominator) for rate in rates], dtype=np.int64)
    except (ValueError, OverflowError, ZeroDivisionError, TypeError) as error:
        raise ConfigError(f"bytes_per_cycle: {error}") from None
