"""Measures an NVIDIA GPU for ``pulsetrain validate gpu``: optimizer updates and the GEMMs of training steps.

    python examples/measure_gpu.py --out measured      # writes measured/updates.csv and measured/gemms.csv
    pulsetrain validate gpu --data measured/updates.csv --data measured/gemms.csv

Needs PyTorch with CUDA and nothing of pulsetrain, so the file can be copied to the machine with the GPU.
``--list`` shows the cases and needs nothing at all.

Method. A case is repeated inside a CUDA graph, so that no host stands between its kernels; the graph is
replayed between two events, and the median of the replays divided by the repetitions is the time of one. All
repetitions use the same tensors: what fits L2 is found there. float32 is float32 (TF32 is off). The clocks
that nvidia-smi reports right after a case are written beside its time.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
TENSORS = {"sgd": 2, "momentum": 3, "adagrad": 3, "rmsprop": 3, "adam": 4}  # w, g and the states
FORMS = ("fused", "unfused")
PARAMETERS = (*(factor * 10**power for power in range(3, 9) for factor in (1, 3)), 10**9)
DTYPES = ("fp32", "bf16")
MLPS = (  # widths, batch: the first are bound by launches
    ((16, 16, 16, 4), 8),
    ((64, 32, 32, 10), 16),
    ((784, 128, 128, 10), 32),
    ((784, 512, 512, 10), 128),
    ((1024, 1024, 1024, 1000), 256),
    ((2048, 2048, 2048, 2048), 512),
    ((4096, 4096, 4096, 4096), 2048),
)
UPDATE_COLUMNS = ("gpu", "optimizer", "form", "parameters", "time_us", "sm_mhz", "memory_mhz")
GEMM_COLUMNS = ("gpu", "dtype", "M", "N", "K", "transA", "transB", "time_us", "sm_mhz", "memory_mhz")

REPLAYS = 15
TARGET_US = 5000.0  # of one replay
MAX_REPETITIONS = 200
RATE, MU, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


class UpdateCase(NamedTuple):
    """One optimizer step over ``parameters`` float32 numbers."""

    optimizer: str
    form: str
    parameters: int


class GemmCase(NamedTuple):
    """``C[m,n] = A[m,k] @ B[k,n]``, row-major; ``transa``: A is stored (k, m), ``transb``: B (n, k)."""

    dtype: str
    m: int
    n: int
    k: int
    transa: bool
    transb: bool


def update_cases(largest: int) -> list[UpdateCase]:
    """Every optimizer, fused and unfused, at every size up to ``largest``."""
    return [
        UpdateCase(optimizer, form, parameters)
        for parameters in PARAMETERS
        if parameters <= largest
        for optimizer in OPTIMIZERS
        for form in FORMS
    ]


def gemm_cases(dtypes: Sequence[str]) -> list[GemmCase]:
    """The eight GEMMs of a training step of every MLP with three layers; equal ones once."""
    found = (
        GemmCase(dtype, *gemm)
        for dtype in dtypes
        for widths, batch in MLPS
        for gemm in step_gemms(widths, batch)
    )
    return list(dict.fromkeys(found))


def step_gemms(widths: Sequence[int], batch: int) -> Iterator[tuple[int, int, int, bool, bool]]:
    """``m, n, k, transa, transb`` of a step: Y = X W, dW = X' dY, and dX = dY W' but for the first layer."""
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        yield batch, outputs, inputs, False, False
        yield inputs, outputs, batch, True, False
        if layer:
            yield batch, inputs, outputs, False, True


# -- the updates: in place, one tensor operation per line
# --------------------------------------------------------------------------------------------------------


def sgd(torch: Any, w: Any, g: Any) -> None:
    """w <- w - lr g."""
    w.add_(g, alpha=-RATE)


def momentum(torch: Any, w: Any, g: Any, v: Any) -> None:
    """v <- mu v - lr g;  w <- w + v."""
    v.mul_(MU)
    v.add_(g, alpha=-RATE)
    w.add_(v)


def adagrad(torch: Any, w: Any, g: Any, v: Any, d: Any) -> None:
    """v <- v + g^2;  w <- w - lr g / (sqrt(v) + eps)."""
    v.addcmul_(g, g)
    torch.sqrt(v, out=d)
    d.add_(EPSILON)
    w.addcdiv_(g, d, value=-RATE)


def rmsprop(torch: Any, w: Any, g: Any, v: Any, d: Any) -> None:
    """v <- rho v + (1 - rho) g^2;  w <- w - lr g / (sqrt(v) + eps)."""
    v.mul_(MU)
    v.addcmul_(g, g, value=1 - MU)
    torch.sqrt(v, out=d)
    d.add_(EPSILON)
    w.addcdiv_(g, d, value=-RATE)


def adam(torch: Any, w: Any, g: Any, m: Any, v: Any, d: Any) -> None:
    """m, v <- moments of g;  w <- w - lr m / (sqrt(v) c + eps), c: bias correction of one step."""
    m.mul_(MU)
    m.add_(g, alpha=1 - MU)
    v.mul_(BETA2)
    v.addcmul_(g, g, value=1 - BETA2)
    torch.sqrt(v, out=d)
    d.mul_(1.01)
    d.add_(EPSILON)
    w.addcdiv_(m, d, value=-RATE)


UPDATES: dict[str, Callable[..., None]] = {
    "sgd": sgd, "momentum": momentum, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam,
}  # fmt: skip
NEEDS_SCRATCH = ("adagrad", "rmsprop", "adam")


class _FreshRoot:
    """``sqrt`` for a fused update: torch.compile fuses a copy, and refuses ``out=`` into its own scratch."""

    def __init__(self, torch: Any) -> None:
        self._torch = torch

    def sqrt(self, x: Any, out: Any) -> None:
        """out <- sqrt(x)."""
        out.copy_(self._torch.sqrt(x))


def fused_form(torch: Any, optimizer: str) -> Callable[..., None]:
    """The same update as one kernel, made by torch.compile."""
    update, root = UPDATES[optimizer], _FreshRoot(torch)

    def step(*tensors: Any) -> None:
        scratch = [torch.empty_like(tensors[0])] if optimizer in NEEDS_SCRATCH else []
        update(root, *tensors, *scratch)

    torch.compiler.reset()  # or a few sizes and optimizers would exhaust the limit of recompilations
    compiled: Callable[..., None] = torch.compile(step, fullgraph=True, dynamic=False)
    return compiled


# -- measuring
# --------------------------------------------------------------------------------------------------------


class Gpu:
    """The current CUDA device."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.name: str = torch.cuda.get_device_name()
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False

    def free_bytes(self) -> int:
        """Free memory of the device."""
        self.torch.cuda.empty_cache()
        return int(self.torch.cuda.mem_get_info()[0])

    def update(self, case: UpdateCase) -> Callable[[], None]:
        """A call that does the update once."""
        torch = self.torch
        scratch = case.form == "unfused" and case.optimizer in NEEDS_SCRATCH
        tensors = [
            torch.full((case.parameters,), 0.5, device="cuda", dtype=torch.float32)
            for _ in range(TENSORS[case.optimizer] + scratch)
        ]
        if case.form == "fused":
            step = fused_form(torch, case.optimizer)
            return lambda: step(*tensors)
        return lambda: UPDATES[case.optimizer](torch, *tensors)

    def gemm(self, case: GemmCase) -> Callable[[], None]:
        """A call that does the GEMM once."""
        torch = self.torch
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[case.dtype]

        def operand(rows: int, columns: int, transposed: bool) -> Any:
            shape = (columns, rows) if transposed else (rows, columns)
            stored = torch.randn(shape, device="cuda", dtype=dtype)
            return stored.t() if transposed else stored

        a, b = operand(case.m, case.k, case.transa), operand(case.k, case.n, case.transb)
        c = torch.empty((case.m, case.n), device="cuda", dtype=dtype)
        return lambda: torch.mm(a, b, out=c)

    def time_us(self, call: Callable[[], None]) -> float:
        """Median time of one call inside a CUDA graph."""
        torch = self.torch
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):  # compiles, chooses kernels, makes workspaces
                call()
        torch.cuda.current_stream().wait_stream(stream)
        once = self._replayed(call, 1, 3)
        repetitions = max(1, min(MAX_REPETITIONS, int(TARGET_US / once)))
        return self._replayed(call, repetitions, REPLAYS) / repetitions

    def _replayed(self, call: Callable[[], None], repetitions: int, replays: int) -> float:
        torch = self.torch
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for _ in range(repetitions):
                call()
        graph.replay()
        times = []
        for _ in range(replays):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            graph.replay()
            end.record()
            end.synchronize()
            times.append(1e3 * start.elapsed_time(end))
        return statistics.median(times)

    def clocks(self) -> tuple[str, str]:
        """Clocks of the SMs and of the memory in MHz as nvidia-smi reports them, "" where it is missing."""
        command = ["nvidia-smi", "--query-gpu=clocks.sm,clocks.mem", "--format=csv,noheader,nounits", "-i"]
        try:
            uuid = f"GPU-{self.torch.cuda.get_device_properties(0).uuid}"
            found = subprocess.run([*command, uuid], capture_output=True, text=True, check=True, timeout=20)
        except (OSError, subprocess.SubprocessError, AttributeError):
            return "", ""
        sm, _, memory = found.stdout.strip().partition(", ")
        return sm, memory

    def described(self) -> str:
        """What it was measured with."""
        versions = f"PyTorch {self.torch.__version__}, CUDA {self.torch.version.cuda}"
        return f"{self.name}, {versions}, {datetime.date.today().isoformat()}"


def measure_updates(gpu: Any, cases: Sequence[UpdateCase]) -> Iterator[tuple[object, ...]]:
    """A row per case that fits the device's memory."""
    for case in cases:
        needed = 4 * case.parameters * (TENSORS[case.optimizer] + (case.form == "unfused"))
        if needed > 0.9 * gpu.free_bytes():
            print(f"left out, {needed:,} bytes are needed: {' '.join(map(str, case))}", file=sys.stderr)
            continue
        time_us = gpu.time_us(gpu.update(case))
        yield gpu.name, *case, f"{time_us:.4f}", *gpu.clocks()


def measure_gemms(gpu: Any, cases: Sequence[GemmCase]) -> Iterator[tuple[object, ...]]:
    """A row per case."""
    for case in cases:
        time_us = gpu.time_us(gpu.gemm(case))
        layout = ("T" if case.transa else "N", "T" if case.transb else "N")
        yield gpu.name, case.dtype, case.m, case.n, case.k, *layout, f"{time_us:.4f}", *gpu.clocks()


def write_csv(
    path: Path, what: str, described: str, columns: Sequence[str], rows: Iterator[tuple[object, ...]]
) -> int:
    """Writes rows as they come, so that what is measured stays if a later case fails; how many."""
    count = 0
    with path.open("w", newline="", encoding="utf-8") as handle:
        handle.write(f"# {what}, measured under CUDA graphs with pulsetrain's examples/measure_gpu.py\n")
        handle.write(f"# {described}\n")
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow(row)
            handle.flush()
            count += 1
            print(*row, file=sys.stderr)
    return count


def find_torch() -> Any:
    """PyTorch with a CUDA device.

    Raises:
        LookupError: one line with what is missing.
    """
    try:
        import torch
    except ImportError as error:
        raise LookupError("PyTorch is needed and not installed") from error
    if not torch.cuda.is_available():
        raise LookupError("PyTorch finds no CUDA device; an NVIDIA GPU and its driver are needed")
    return torch


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 on success, 2 where something is missing."""
    parser = argparse.ArgumentParser(prog="measure_gpu.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("measured"), help="folder of the CSV files")
    parser.add_argument("--what", choices=("all", "updates", "gemms"), default="all")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES), help="of the GEMMs")
    parser.add_argument("--largest", type=int, default=PARAMETERS[-1], help="parameters at most")
    parser.add_argument("--list", action="store_true", help="print the cases and measure nothing")
    options = parser.parse_args(arguments)
    if options.largest < PARAMETERS[0]:
        parser.error(f"--largest = {options.largest}; from {PARAMETERS[0]} on is allowed")
    updates = update_cases(options.largest) if options.what != "gemms" else []
    gemms = gemm_cases(options.dtypes) if options.what != "updates" else []
    if options.list:
        for case in (*updates, *gemms):
            print(*case)
        return 0
    try:
        gpu = Gpu(find_torch())
        options.out.mkdir(parents=True, exist_ok=True)
        for name, what, cases, columns, measure in (
            ("updates", "optimizer updates, float32", updates, UPDATE_COLUMNS, measure_updates),
            (
                "gemms",
                "GEMMs of MLP training steps, row-major, no TF32, same tensors",
                gemms,
                GEMM_COLUMNS,
                measure_gemms,
            ),
        ):
            if cases:
                path = options.out / f"{name}.csv"
                count = write_csv(path, what, gpu.described(), columns, measure(gpu, cases))
                print(f"{count} rows written to {path}")
    except (LookupError, OSError) as error:
        print(f"measure_gpu.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
