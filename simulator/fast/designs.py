"""Many machines side by side: a column of numbers for every field that timing depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ValidationError

from simulator.errors import ConfigError, OutOfDomain
from simulator.fast.machine import (
    CYCLES,
    LINE,
    NUMBERS,
    PLACE,
    RATES,
    SHARED,
    STRUCTURE,
    machine_of,
    numbers,
    numbers_of,
)
from simulator.fast.shapes import as_array
from simulator.machines.arguments import check_systolic, check_systolic_machines, given
from simulator.machines.columns import MachineColumns
from simulator.machines.fields import RATE_ALLOWED, parse_rate
from simulator.machines.messages import allowed, shown
from simulator.machines.systolic import SystolicMachine

Column = npt.NDArray[Any]
Places = npt.NDArray[np.int64]


class Designs:
    """Machines that differ in latencies, bandwidths and depths alone.

    Shapes: ``numbers`` (NUMBERS, machines), a column for every machine.
    """

    def __init__(self, numbers: npt.NDArray[np.int64], mhz: float) -> None:
        self.numbers = numbers
        self._mhz = mhz

    def __len__(self) -> int:
        return len(self.numbers[0])

    @classmethod
    def of(cls, machines: Sequence[SystolicMachine]) -> Designs:
        """These machines, in this order.

        Raises:
            ConfigError: one is no systolic machine.
            OutOfDomain: they do not agree in what a Program is made for, or there are none.
        """
        check_systolic_machines(machines)
        if not machines:
            raise OutOfDomain("no machines")
        first = machines[0]
        for index, machine in enumerate(machines):
            for path in (*SHARED, LINE):
                if _get(machine, path) != _get(first, path):
                    raise OutOfDomain(
                        f"machine {index}: {path} = {_get(machine, path)}, machine 0: "
                        f"{_get(first, path)}; a Program is made for one"
                    )
        return cls(numbers_of(MachineColumns(machines)), first.clock.mhz)

    @classmethod
    def vary(cls, machine: SystolicMachine, fields: Mapping[str, Sequence[Any] | Column]) -> Designs:
        """``machine`` with fields that differ, ``{"hbm.latency_cycles": [100, 200]}``; lists run parallel.

        A field that does not change cycles, such as ``clock.mhz``, may be named; it is not looked at.

        Raises:
            ConfigError: there is no such field, it does not take these values, or lists differ in length.
            OutOfDomain: a Program is made for one value of this field.
        """
        check_systolic(machine)
        if not isinstance(fields, Mapping):
            raise ConfigError(f"fields = {given(fields)}: lists by field are needed")
        sizes = {len(values) if isinstance(values, Sized) else 0 for values in fields.values()}
        if len(sizes) != 1 or 0 in sizes:
            raise ConfigError("fields to vary: lists of one length are needed, of at least one value")
        found = np.empty((NUMBERS, sizes.pop()), dtype=np.int64)
        found[:] = np.array(numbers(machine), dtype=np.int64)[:, None]
        for path, values in fields.items():
            if path in SHARED:
                raise OutOfDomain(f"{path}: a Program is made for one")
            if path in RATES:
                found[PLACE[path] : PLACE[path] + 2] = _rates(path, values).T
                continue
            column = as_array(path, values)
            check_column(machine, path, column)
            if path in (*STRUCTURE, *CYCLES):
                found[PLACE[path]] = column
        sides = max(machine.matrix_unit.rows, machine.matrix_unit.cols)
        if (np.maximum(found[PLACE["vector_unit.lanes"]], sides) != machine.line_elements).any():
            raise OutOfDomain("vector_unit.lanes: a Program is made for lines of one length")
        return cls(found, machine.clock.mhz)

    def one(self, index: int) -> SystolicMachine:
        """One of the machines, as far as timing looks at it."""
        return machine_of(tuple(self.numbers[:, index].tolist()), self._mhz)

    def groups(self) -> list[Places]:
        """Places of machines that share a structure."""
        group, groups = np.zeros(len(self), dtype=np.int64), 1
        for path in STRUCTURE:
            column = self.numbers[PLACE[path]]
            group = group * (int(column.max()) + 1) + column
            groups *= int(column.max()) + 1
        # Sorting 16-bit integers takes time in proportion to their number.
        order = np.argsort(group.astype(np.uint16) if groups < 1 << 16 else group, kind="stable")
        return np.split(order.astype(np.int64), np.flatnonzero(np.diff(group[order])) + 1)


def _get(machine: SystolicMachine, path: str) -> Any:
    value: Any = machine
    for name in path.split("."):
        value = getattr(value, name)
    return value


def check_column(machine: SystolicMachine, path: str, column: Column) -> None:
    """A field of a machine takes all these values.

    Raises:
        ConfigError: names the field, the value and what is allowed.
    """
    if column.ndim != 1 or column.size == 0 or column.dtype.kind not in "biuf":
        raise ConfigError(f"{path} = {given(column.tolist())}: a list of numbers is needed")
    # What is allowed is a few values, a range of integers, or a range of floats that may have gaps.
    if column.dtype.kind == "f":
        values = np.unique(column)
        whole = np.isfinite(values) & (values == np.floor(values))
        # An integer's field takes no float, be it whole; the one to name is one that is not.
        _check_field(machine, path, [*values[~whole].tolist(), *values[whole].tolist()])
    else:
        _check_field(machine, path, {column.min().item(), column.max().item()})


def _check_field(machine: SystolicMachine, path: str, values: Iterable[Any]) -> None:
    """A field takes these values.

    Raises:
        ConfigError: names the field, the value and what is allowed.
    """
    name, _, field = str(path).partition(".")
    table = getattr(machine, name, None)
    if not isinstance(table, BaseModel) or field not in type(table).model_fields:
        raise ConfigError(f"{path}: a systolic machine has no such field")
    schema = type(table)
    for value in values:
        try:
            schema.model_validate({**dict(table), field: value})
        except ValidationError:
            raise ConfigError(f"{path} = {shown(value)}: {allowed(schema.model_fields[field])}") from None


def _rates(path: str, values: Sequence[Any] | Column) -> Places:
    """(n, 2): numerators and denominators of rates given so, as integers or as fractions.

    Raises:
        ConfigError: names the field, the value and what is allowed.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        found = values if values.ndim == 2 else np.stack([values, np.ones_like(values)], axis=-1)
        if found.ndim != 2 or found.shape[1] != 2 or found.min() < 1 or found.max() >= 2**31:
            raise ConfigError(f"{path}: numerators and denominators from 1 to 2^31 - 1 are needed")
        return found.astype(np.int64)
    return np.array([_rate(path, value) for value in values], dtype=np.int64)


def _rate(path: str, value: Any) -> tuple[int, int]:
    """A rate as machine files take it."""
    try:
        return parse_rate(value.item() if isinstance(value, np.generic) else value).as_integer_ratio()
    except ValueError:
        raise ConfigError(f"{path} = {shown(value)}: {RATE_ALLOWED}") from None
