"""Measurements of GPU kernels, read from tidy CSV files with every cell checked.

A file is one table. Lines that start with ``#`` say what it is; some words in them matter: ``column-major``
(``M, N, K, transA, transB`` are those of a cuBLAS call), ``CUDA graphs`` (no host between the kernels) and
``same tensors`` (a GEMM is repeated on one copy of its weights, as it also is where kernels are named or in
column-major files; others are taken to go round several, so that L2 holds no small weight by accident).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.errors import ConfigError
from simulator.machines.simt import Dtype

MAX_SIZE = 2**24
MAX_ELEMENTS = 2**40
MAX_TIME_US = 1e9
DTYPES: Mapping[str, Dtype] = {
    "fp32": "float32",
    "float32": "float32",
    "bf16": "bfloat16",
    "bfloat16": "bfloat16",
    "fp16": "float16",
    "float16": "float16",
    "int8": "int8",
}
OPERATIONS: Mapping[str, int] = {  # tensors that a kernel reads; it writes one
    "add": 2, "mul": 2, "div": 2, "pow": 2,
    "addu": 1, "mulu": 1, "divu": 1, "powu": 1, "relu": 1, "tanh": 1, "sigmoid": 1, "exp": 1, "sqrt": 1,
}  # fmt: skip
WEIGHT_COPIES = 5  # as the collector of the bf16 set has them
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
FORMS = ("fused", "unfused")


@dataclass(frozen=True)
class Launched:
    """The library's kernel and its grid, where the file names them."""

    kernel: str
    grid: tuple[int, int, int]


@dataclass(frozen=True)
class Gemm:
    """``C[m,n] = A[m,k] @ B[k,n]``, row-major; an operand is stored transposed as flagged.

    The benchmark went round ``weight_copies`` copies of B.
    """

    gpu: str
    dtype: Dtype
    m: int
    n: int
    k: int
    transa: bool
    transb: bool
    time_us: float
    eager: bool
    launched: Launched | None = None
    weight_copies: int = 1

    @property
    def layout(self) -> str:
        """How the operands are stored."""
        return f"{'T' if self.transa else 'N'},{'T' if self.transb else 'N'}"

    @property
    def label(self) -> str:
        """The row in one word or two."""
        return f"{self.m}x{self.n}x{self.k} {self.layout}"


@dataclass(frozen=True)
class Elementwise:
    """An operation over ``elements`` float32 elements."""

    gpu: str
    op: str
    elements: int
    time_us: float
    eager: bool

    @property
    def label(self) -> str:
        """The row in one word or two."""
        return f"{self.op} of {self.elements:,}"


@dataclass(frozen=True)
class Update:
    """One optimizer step over ``parameters`` float32 parameters, as one kernel or as one per operation."""

    gpu: str
    optimizer: str
    fused: bool
    parameters: int
    time_us: float
    eager: bool

    @property
    def label(self) -> str:
        """The row in one word or two."""
        return f"{self.optimizer} {FORMS[not self.fused]} of {self.parameters:,}"


Row = Gemm | Elementwise | Update


def family_of(row: Row) -> tuple[object, ...]:
    """Rows that tell much the same and must not be split: of GEMMs those of equal (N, K), as neighbours in M.

    The (N, K) of a GEMM is the stored weight's shape, whatever the order of the operands.
    """
    if isinstance(row, Gemm):
        return (row.n, row.k)
    if isinstance(row, Elementwise):
        return (row.op, row.elements.bit_length())
    return (row.optimizer, row.fused, row.parameters.bit_length())


@dataclass(frozen=True)
class Table:
    """A file of measurements of one kind: ``cells`` are the rows as they stand there, under ``columns``."""

    name: str
    rows: tuple[Row, ...]
    comments: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]

    @property
    def eager(self) -> bool:
        """Whether a host launched every kernel on its own, as far as the file says."""
        return self.rows[0].eager


def read_table(path: Path) -> Table:
    """The measurements of a file.

    Raises:
        ConfigError: names file, line, field, value and what is allowed.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            lines = handle.read().splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    comments = tuple(line.lstrip("# ").rstrip() for line in lines if line.startswith("#"))
    numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if len(numbered) < 2:
        raise ConfigError(f"{path}: a header and at least one row are needed")
    columns = [name.strip() for name in _cells(path, *numbered[0])]
    make = _kind(path, columns)
    about = " ".join(comments)
    rows, written = [], []
    for number, line in numbered[1:]:
        cells = [cell.strip() for cell in _cells(path, number, line)]
        if len(cells) != len(columns):
            raise ConfigError(f"{path}:{number}: {len(cells)} columns; {len(columns)} are needed")
        rows.append(make(_Line(f"{path}:{number}", dict(zip(columns, cells, strict=True)), about)))
        written.append(tuple(cells))
    return Table(path.stem, tuple(rows), comments, tuple(columns), tuple(written))


def _cells(path: Path, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        raise ConfigError(f"{path}:{number}: not a line of a CSV file ({error})") from error


@dataclass(frozen=True)
class _Line:
    """A row's cells by column, where it stands, and what the file says about itself."""

    where: str
    cells: dict[str, str]
    about: str

    def text(self, name: str) -> str:
        value = self.cells[name]
        if not value:
            raise ConfigError(f"{self.where}: {name} is empty; a value is needed")
        return value

    def one_of(self, name: str, allowed: Sequence[str] | Mapping[str, Any]) -> str:
        value = self.cells[name]
        if value not in allowed:
            raise ConfigError(f"{self.where}: {name} = {value!r}; {', '.join(allowed)} are allowed")
        return value

    def whole(self, name: str, highest: int) -> int:
        value = self.cells[name]
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 16 else 0
        if not 1 <= number <= highest:
            raise ConfigError(f"{self.where}: {name} = {value!r}; an integer from 1 to {highest} is allowed")
        return number

    def time(self) -> float:
        value = self.cells["time_us"]
        try:
            time_us = float(value)
        except ValueError:
            time_us = math.nan
        if not 0 < time_us <= MAX_TIME_US:
            raise ConfigError(
                f"{self.where}: time_us = {value!r}; a number above 0, up to {MAX_TIME_US:g}, is allowed"
            )
        return time_us


def _gemm(line: _Line) -> Gemm:
    m, n, k = (line.whole(name, MAX_SIZE) for name in ("M", "N", "K"))
    transa, transb = (line.one_of(name, ("N", "T")) == "T" for name in ("transA", "transB"))
    if "column-major" in line.about:
        # The same memory read row-major: the transposed product, its operands exchanged.
        m, n, transa, transb = n, m, transb, transa
    launched = None
    if "kernel" in line.cells:
        grid = (line.whole("gx", 2**31), line.whole("gy", 2**31), line.whole("gz", 2**31))
        launched = Launched(line.text("kernel"), grid)
    dtype = DTYPES[line.one_of("dtype", DTYPES)]
    eager = launched is not None and "CUDA graphs" not in line.about
    one = launched is not None or any(said in line.about for said in ("column-major", "same tensors"))
    copies = 1 if one else WEIGHT_COPIES
    return Gemm(line.text("gpu"), dtype, m, n, k, transa, transb, line.time(), eager, launched, copies)


def _elementwise(line: _Line) -> Elementwise:
    elements = line.whole("rows", MAX_ELEMENTS) * line.whole("cols", MAX_ELEMENTS)
    if elements > MAX_ELEMENTS:
        raise ConfigError(f"{line.where}: rows x cols = {elements}; up to {MAX_ELEMENTS} is allowed")
    op = line.one_of("op", OPERATIONS)
    return Elementwise(line.text("gpu"), op, elements, line.time(), "CUDA graphs" not in line.about)


def _update(line: _Line) -> Update:
    optimizer = line.one_of("optimizer", OPTIMIZERS)
    fused = line.one_of("form", FORMS) == "fused"
    parameters = line.whole("parameters", MAX_ELEMENTS)
    eager = "CUDA graphs" not in line.about
    return Update(line.text("gpu"), optimizer, fused, parameters, line.time(), eager)


_KINDS: tuple[tuple[tuple[str, ...], Callable[[_Line], Row]], ...] = (
    (("gpu", "dtype", "M", "N", "K", "transA", "transB", "time_us"), _gemm),
    (("gpu", "op", "rows", "cols", "time_us"), _elementwise),
    (("gpu", "optimizer", "form", "parameters", "time_us"), _update),
)
_WITH_KERNEL = ("gx", "gy", "gz")


def _kind(path: Path, columns: list[str]) -> Callable[[_Line], Row]:
    """What the rows are, from the header; further columns are ignored."""
    if len(set(columns)) != len(columns):
        raise ConfigError(f"{path}: a column is named twice in {','.join(columns)}")
    if "kernel" in columns and (missing := [name for name in _WITH_KERNEL if name not in columns]):
        raise ConfigError(f"{path}: column {missing[0]} is missing; kernel needs {','.join(_WITH_KERNEL)}")
    for needed, make in _KINDS:
        if all(name in columns for name in needed):
            return make
    allowed = " or ".join(",".join(needed) for needed, _ in _KINDS)
    raise ConfigError(f"{path}: columns {','.join(columns)}; {allowed} are needed")
