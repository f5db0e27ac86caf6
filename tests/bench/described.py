"""What a bench was measured on."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from simulator import fast
from simulator.numerics import core

SLOWS_BLAS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # pin NumPy's kernels to an older processor's


def machine() -> dict[str, Any]:
    """Processor, libraries and back ends, as they are in this process."""
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if "model name" in line] if info.exists() else []
    found = {
        "cpu": models[0].partition(":")[2].strip() if models else platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": _blas(),
        "torch": _version("torch"),
        "values": core.backend(),
        "timing": fast.backend(),
    }
    if pinned := [name for name in SLOWS_BLAS if name in os.environ]:
        found["warning"] = f"{', '.join(pinned)} set: NumPy is slower than it can be"
    return found


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _blas() -> str:
    """NumPy's BLAS, the kernels that it has chosen and its threads."""
    loaded = [info for info in threadpool_info() if info["user_api"] == "blas"]
    return "; ".join(
        f"{info['internal_api']} {info['version']}, {info.get('architecture', 'unknown kernels')}, "
        f"{info['num_threads']} threads"
        for info in loaded
    )
