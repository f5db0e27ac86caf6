"""``pulsetrain gemm``: one matrix multiplication, or a CSV of them."""

from __future__ import annotations

import csv
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from simulator.cli.options import (
    dataflow_options,
    emit_json,
    json_option,
    machine_options,
    refuse_engine,
    whole_number,
)
from simulator.errors import CompileError, ConfigError

if TYPE_CHECKING:
    from simulator.api.gemm import GemmResult

REQUIRED = ("m", "k", "n")
OPTIONAL = ("transa", "transb", "dtype")
RESULTS = ("cycles", "time_us", "utilization", "bound")
NOTES = {"tile": "  (columns x rows of C, as cuBLAS names it)", "splits": "  (cuts of k)"}


@click.command()
@machine_options()
@click.option("--shape", metavar="M,K,N", help="C[m,n] = A[m,k] @ B[k,n].")
@click.option("--csv", "csv_in", type=click.Path(), help="A table with columns m,k,n[,transa,transb,dtype].")
@click.option("--out", type=click.Path(), help="Where the table with the results goes.")
@dataflow_options
@click.option("--dtype", default=None, help="bfloat16 or int8 (SIMT: also float16, float32).")
@click.option("--transa", type=click.Choice(["N", "T"]), default="N", help="How A is stored.")
@click.option("--transb", type=click.Choice(["N", "T"]), default="N", help="How B is stored.")
@click.option("--compat", type=click.Choice(["scalesim"]), help="Count as another simulator does.")
@json_option
def command(
    machine: str, overrides: tuple[str, ...], shape: str | None, csv_in: str | None, **options: Any
) -> None:
    """Time matrix multiplications on a systolic core or a SIMT machine.

    On a SIMT machine each is one turn of a benchmark's loop over one A and five copies of B and C: what fits
    L2 until its next use is found there, the rest comes from DRAM.
    """
    from simulator.machines.loader import load_machine
    from simulator.machines.simt import SimtMachine

    if (shape is None) == (csv_in is None):
        raise ConfigError("gemm: either --shape M,K,N or --csv IN --out OUT is needed")
    if csv_in is not None and options["out"] is None:
        raise ConfigError("gemm: --csv needs --out, where the results go")
    dataflow = options["dataflow"]
    described = load_machine(machine, overrides)
    if isinstance(described, SimtMachine):
        if dataflow is not None or options["compat"] is not None:
            raise ConfigError(f"machine = {machine!r}: --dataflow and --compat are for systolic machines")
        refuse_engine(described.name)
        options["engine"] = None
    elif dataflow is not None:
        described = load_machine(machine, (*overrides, f"matrix_unit.dataflow={dataflow}"))
    if options["compat"] is not None and options["engine"] == "rtl":
        raise ConfigError("engine = 'rtl': in RTL memories do wait; with --compat event or fast is allowed")
    solver = _Solver(described, options)
    if shape is not None:
        m, k, n = _parse_shape(shape)
        _show(solver(m, k, n, options["transa"], options["transb"], options["dtype"] or "bfloat16"), options)
    else:
        assert csv_in is not None
        rows, columns = read_table(Path(csv_in))
        _solve_table(solver, rows, columns, Path(options["out"]), options)


class _Solver:
    """Solves one row; equal rows are solved once."""

    def __init__(self, machine: Any, options: dict[str, Any]) -> None:
        self._machine, self._compat, self._engine = machine, options["compat"], options["engine"]
        self._solved: dict[tuple[Any, ...], GemmResult] = {}

    def __call__(self, m: int, k: int, n: int, transa: str, transb: str, dtype: str) -> GemmResult:
        from simulator.api.gemm import gemm, gemm_scalesim

        key = (m, k, n, transa, transb, dtype)
        if key not in self._solved:
            if self._compat is not None:
                if "T" in (transa, transb):
                    raise ConfigError("compat = 'scalesim': it knows no transposed operands; N is allowed")
                result = gemm_scalesim(self._machine, m, k, n, dtype=dtype, engine=self._engine)
            else:
                result = gemm(
                    self._machine,
                    m,
                    k,
                    n,
                    transa=transa == "T",
                    transb=transb == "T",
                    dtype=dtype,
                    engine=self._engine,
                )
            self._solved[key] = result
        return self._solved[key]


def _parse_shape(text: str) -> tuple[int, int, int]:
    from simulator.machines.arguments import LARGEST

    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 3:
        raise ConfigError(f"shape = {text!r}: three integers M,K,N are allowed")
    sizes = []
    for name, part in zip(REQUIRED, parts, strict=True):
        size = whole_number(part, LARGEST)
        if size is None:
            raise ConfigError(
                f"shape = {text!r}: {name} = {part}; an integer from 1 to {LARGEST} is allowed"
            )
        sizes.append(size)
    m, k, n = sizes
    return m, k, n


def _show(result: GemmResult, options: dict[str, Any]) -> None:
    if options["as_json"]:
        emit_json(result.summary())
        return
    click.echo(
        f"{result.machine}: C[{result.m},{result.n}] = A[{result.m},{result.k}] @ B[{result.k},{result.n}]"
    )
    click.echo(f"  cycles       {result.cycles:,}  ({result.time_us:,.3f} us)")
    click.echo(f"  utilization  {result.utilization:.2%}  of {result.macs:,} MACs")
    click.echo(f"  bound        {result.bound}")
    for reason, cycles in result.stalls.items():
        if cycles:
            click.echo(f"  stall        {reason}: {cycles:,} cycles")
    click.echo(f"  energy       {result.energy_pj / 1e6:,.3f} uJ")
    for name, value in result.details.items():
        shown = f"{value:,}" if isinstance(value, int) else value
        click.echo(f"  {name.replace('_', ' '):<12} {shown}{NOTES.get(name, '')}")


class Row(NamedTuple):
    """A row of a table of GEMMs: its cells by column, and where they stand, as ``FILE:LINE``."""

    where: str
    cells: dict[str, str]


def read_table(path: Path) -> tuple[list[Row], list[str]]:
    """Rows and column names of a table of GEMMs, every cell checked.

    Raises:
        ConfigError: names file, line, column and value.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle)
            columns = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = columns
            missing = [name for name in REQUIRED if name not in columns]
            if missing:
                raise ConfigError(f"{path}: column {missing[0]} is missing; {','.join(REQUIRED)} are needed")
            unknown = [name for name in columns if name not in (*REQUIRED, *OPTIONAL)]
            if unknown:
                raise ConfigError(
                    f"{path}: unknown column {unknown[0]!r}; {','.join((*REQUIRED, *OPTIONAL))} are allowed"
                )
            if len(set(columns)) != len(columns):
                raise ConfigError(f"{path}: a column is named twice in {','.join(columns)}")
            rows = []
            for cells in reader:
                where = f"{path}:{reader.line_num}"
                _check_cells(where, cells, columns)
                rows.append(Row(where, cells))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: not a CSV file in UTF-8 ({error})") from error
    if not rows:
        raise ConfigError(f"{path}: no rows below the header")
    return rows, columns


def _check_cells(where: str, row: dict[str, Any], columns: list[str]) -> None:
    """Strips every cell and checks it."""
    from simulator.machines.arguments import LARGEST

    if None in row or None in row.values():
        raise ConfigError(f"{where}: {len(columns)} columns are needed")
    for name in columns:
        row[name] = row[name].strip()
    for name in REQUIRED:
        if whole_number(row[name], LARGEST) is None:
            raise ConfigError(
                f"{where}: {name} = {row[name]!r}; an integer from 1 to {LARGEST} is allowed"
            )
    for name in ("transa", "transb"):
        if name in columns and row[name] not in ("N", "T", ""):
            raise ConfigError(f"{where}: {name} = {row[name]!r}; N or T is allowed")


def _solve_table(
    solver: _Solver, rows: list[Row], columns: list[str], out: Path, options: dict[str, Any]
) -> None:
    """Writes a row per row, in order, input columns first; the file appears when it is whole."""
    from tqdm import tqdm

    results: list[GemmResult] = []
    handle = _temporary_beside(out)
    try:
        with handle:
            writer = csv.writer(handle, lineterminator="\n")
            for row in tqdm(rows, unit="GEMM", file=sys.stderr, disable=None, leave=False):
                result = _solve_row(solver, row, options)
                if not results:
                    writer.writerow([*columns, *RESULTS, *result.details])
                results.append(result)
                writer.writerow(
                    [
                        *(row.cells[name] for name in columns),
                        result.cycles,
                        f"{result.time_us:.6g}",
                        f"{result.utilization:.6g}",
                        result.bound,
                        *result.details.values(),
                    ]
                )
        # A temporary file is private; what is left has the rights of any new file.
        Path(handle.name).chmod(0o666 & ~_umask())
        os.replace(handle.name, out)
    except BaseException:
        Path(handle.name).unlink(missing_ok=True)
        raise
    total = {
        "rows": len(rows),
        "cycles": sum(result.cycles for result in results),
        "time_us": sum(result.time_us for result in results),
        "macs": sum(result.macs for result in results),
        "energy_pj": sum(result.energy_pj for result in results),
        "engine": results[0].engine,
        "machine": results[0].machine,
        "out": str(out),
    }
    if options["as_json"]:
        emit_json(total)
    else:
        click.echo(
            f"{total['machine']}: {len(rows):,} GEMMs, {total['cycles']:,} cycles in all, written to {out}"
        )


def _solve_row(solver: _Solver, row: Row, options: dict[str, Any]) -> GemmResult:
    """Raises:
    ConfigError, CompileError: as of the solver; names file and line.
    """
    m, k, n = (int(row.cells[name]) for name in REQUIRED)
    transa, transb = (row.cells.get(name) or options[name] for name in ("transa", "transb"))
    dtype = row.cells.get("dtype") or options["dtype"] or "bfloat16"
    try:
        return solver(m, k, n, transa, transb, dtype)
    except (ConfigError, CompileError) as error:
        raise type(error)(f"{row.where}: {error}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _temporary_beside(out: Path) -> Any:
    if out.is_dir():
        raise ConfigError(f"out = {str(out)!r}: a file is needed, this is a folder")
    try:
        return tempfile.NamedTemporaryFile(
            "w", newline="", encoding="utf-8", dir=out.parent, prefix=f".{out.name}.", delete=False
        )
    except OSError as error:
        raise ConfigError(f"out = {str(out)!r}: cannot be written ({error.strerror})") from error
