"""The cycles of many matrix multiplications: by closed form where that is exact, else by the recurrence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator import fast
from simulator.api.gemm import SYSTOLIC_TYPES, gemm, gemm_scalesim
from simulator.errors import OutOfDomain
from simulator.fast.shapes import shapes
from simulator.machines.arguments import check_choice, check_systolic
from simulator.machines.systolic import SystolicMachine

COMPAT = ("scalesim",)


class GemmCycles(NamedTuple):
    """``cycles`` of each GEMM, and ``by_form``: whether they are a sum, or those of its compiled Program."""

    cycles: npt.NDArray[np.int64]
    by_form: npt.NDArray[np.bool_]


def gemm_cycles(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    *,
    dtype: str = "bfloat16",
    compat: str | None = None,
) -> GemmCycles:
    """What ``gemm`` finds with engine ``fast`` for each ``C[m,n] = A[m,k] B[k,n]``, or ``gemm_scalesim``.

    In the domain of a closed form nothing is compiled; SCALE-Sim's sum holds for sizes too that no Program
    could be made for.

    Shapes: m, k and n broadcast together.

    Raises:
        ConfigError: an argument is none that is allowed, or shapes do not broadcast.
        CompileError: a GEMM outside the domain does not fit the machine.
    """
    check_systolic(machine)
    check_choice("dtype", dtype, SYSTOLIC_TYPES)
    if compat is not None:
        check_choice("compat", compat, COMPAT)
    cycles, inside = _by_form(machine, m, k, n, dtype, compat)
    if inside.all():
        return GemmCycles(cycles, inside)
    cycles = cycles.copy()
    sizes = np.broadcast_arrays(m, k, n)
    for at in np.flatnonzero(~inside).tolist():
        shape = [int(size.flat[at]) for size in sizes]
        solve = gemm if compat is None else gemm_scalesim
        cycles.flat[at] = solve(machine, *shape, dtype=dtype, engine="fast").cycles
    return GemmCycles(cycles, inside)


def _by_form(
    machine: SystolicMachine,
    m: npt.ArrayLike,
    k: npt.ArrayLike,
    n: npt.ArrayLike,
    dtype: str,
    compat: str | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Cycles, and for which GEMMs they are right."""
    if compat is not None:
        return fast.scalesim_cycles_where(machine, m, k, n)
    if not machine.is_power_of_two:
        return fast.array_gemm_cycles_where(machine, m, k, n, dtype=dtype)
    try:
        return fast.gemm_cycles_where(machine, m, k, n, dtype=dtype)
    except OutOfDomain:  # there is no form for such an array
        shape = np.broadcast_shapes(*(size.shape for size in shapes(m, k, n)))
        return np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
