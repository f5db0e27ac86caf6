"""Faults of the machine's kernels, in NumPy and in C, and of the tables that the emulation reads too."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.numerics import core, encode, fallback, native_plan
from simulator.numerics import table_unit as kernel_tables
from simulator.numerics.lowering import Lowering
from simulator.numerics.memory import place
from simulator.numerics.tables import tables
from simulator.numerics.vector_program import encode_program
from simulator.reference import table_unit as reference_tables
from tests.support.faults.base import DIRECTED, EMULATION, FLOAT64, Fault, Patch, Seed


def kernel(name: str, function: Callable[..., Any]) -> Seed:
    """One function of the vector unit."""

    def seed(patch: Patch) -> None:
        patch.setitem(fallback._FUNCTIONS, name, function)

    return seed


def product(function: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> Seed:
    """The product of bfloat16 matrices: a (m, k), b (k, n), height of a K-tile."""
    return lambda patch: patch.setattr(fallback, "gemm", function)


def gemm_in_pieces(
    a: np.ndarray, b: np.ndarray, tile: int, fused: bool = True, from_zero: bool = False
) -> np.ndarray:
    """The stated product; not ``fused``: the product of a and b is rounded before it is added;
    ``from_zero``: the first K-tile is added to +0 as the others are to what is there."""
    left, right = (fallback.from_bfloat16(x).astype(np.float64) for x in (a, b))
    total = np.zeros((len(a), b.shape[1]), np.float32)
    for first in range(0, a.shape[1], tile):
        s = np.zeros_like(total)
        for k in range(first, min(first + tile, a.shape[1])):
            exact = left[:, k, None] * right[k]
            s = (exact + s if fused else exact.astype(np.float32) + s).astype(np.float32)
        total = total + s if first or from_zero else s
    return np.asarray(fallback.canonical(total))


def truncated(x: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(x), np.uint16(0x7FC0), (x.view(np.uint32) >> 16).astype(np.uint16))


def flushed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    exact = a * b
    return np.where(np.abs(exact) < np.float32(2.0**-126), np.float32(0), exact)


def reduce_backwards(patch: Patch) -> None:
    reduce = fallback.reduce
    patch.setattr(fallback, "reduce", lambda name, x, axis: reduce(name, np.flip(x, axis), axis))


original_gemm = fallback.gemm
_IN_NUMPY = {
    "k reversed": Fault(product(lambda a, b, tile: original_gemm(a[:, ::-1], b[::-1], tile)), EMULATION),
    "one chain over all k": Fault(product(lambda a, b, tile: original_gemm(a, b, a.shape[1])), EMULATION),
    "products rounded before the addition": Fault(
        product(lambda a, b, tile: gemm_in_pieces(a, b, tile, fused=False)), EMULATION, DIRECTED
    ),
    "first tile added to zero": Fault(
        product(lambda a, b, tile: gemm_in_pieces(a, b, tile, from_zero=True)), EMULATION, DIRECTED
    ),
    "bfloat16 truncated": Fault(kernel("to_bfloat16", truncated), EMULATION, weights=True),
    "maximum of zeros": Fault(
        kernel("maximum", lambda a, b: np.where(np.isnan(a) | (a >= b), a, b)), EMULATION, DIRECTED
    ),
    "underflow flushed": Fault(kernel("multiply", flushed), EMULATION, DIRECTED),
    "division by a reciprocal": Fault(
        kernel("divide", lambda a, b: a * (np.float32(1) / b)), EMULATION, weights=True
    ),
    "NumPy's exp": Fault(kernel("exp", np.exp), EMULATION, weights=True),
    "sums from the last to the first": Fault(reduce_backwards, EMULATION, weights=True),
}


def native_core() -> Any:
    native = core.active()
    if native is None:
        pytest.fail("no native core: the fault is seeded in it")
    return native


def native_other_tile(patch: Patch) -> None:
    """The C core is told of an array of twice the height."""
    native_core()
    patch.setattr(
        native_plan,
        "Lowering",
        lambda nodes, native, rows, dataflow: Lowering(nodes, native, 2 * rows, dataflow),
    )


def native_lifetimes(patch: Patch) -> None:
    """A step's memory is given away before its values are read."""
    native_core()
    patch.setattr(
        native_plan, "place", lambda sizes, written, read: place(sizes, written, [()] * len(read))
    )


def native_dropped(patch: Patch) -> None:
    """Fused programs of two functions (the updates of weights among them) are not run."""
    native_core()
    nothing = encode.move(0, 0, encode.Move(4, ((0, 4, 4),)))

    def dropped(program: Any, *given: Any) -> list[int]:
        return nothing if len(program.steps) == 2 else encode_program(program, *given)

    patch.setattr(native_plan, "encode_program", dropped)


def native_tail(patch: Patch) -> None:
    """Fused programs stop before the last element."""
    native_core()

    def shortened(*given: Any) -> list[int]:
        kind, length, outer, inner, *rest = encode_program(*given)
        return [kind, length, outer, inner - (inner > 1), *rest]

    patch.setattr(native_plan, "encode_program", shortened)


def set_native_tables(**changed: np.ndarray) -> None:
    """What the C core holds: the file's tables but for those given."""
    values = [number for table in {**tables(), **changed}.values() for number in table.tolist()]
    native_core()._library.pulsetrain_set_tables((ctypes.c_float * len(values))(*values))


def native_table(patch: Patch) -> None:
    exp_t = tables()["exp_t"]
    set_native_tables(exp_t=np.nextafter(exp_t, np.float32(9)))


IN_C = {
    "another array's order": Fault(native_other_tile, EMULATION),
    "a table of exp": Fault(native_table, EMULATION),
    "memory given away too early": Fault(native_lifetimes, EMULATION),
    "an operation dropped": Fault(native_dropped, EMULATION),
    "the last element of a chunk": Fault(native_tail, EMULATION),
}


def wrong_tables(patch: Patch) -> None:
    good = reference_tables.tables()
    exp_t = good["exp_t"] * np.float32(1 + 2.0**-15)
    for module in (kernel_tables, reference_tables):
        patch.setattr(module, "tables", lambda: {**good, "exp_t": exp_t})


# What kernels and emulation share is judged by float64 alone.
_IN_NUMPY["a table of exp, the emulation's too"] = Fault(wrong_tables, FLOAT64)
IN_NUMPY = {name: replace(fault, backend=core.NUMPY) for name, fault in _IN_NUMPY.items()}
