"""Optimizer updates as the kernels that frameworks launch: one fused kernel, or one per tensor operation.

The lists are those of ``examples/measure_gpu.py``, which measures them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from simulator.machines.simt import SimtMachine
from simulator.simt.streaming import StreamShape, instructions_of, missed_share, stream_timing


class Pass(NamedTuple):
    """One pass over all parameters: the operations, the tensors read and the tensors written."""

    operations: tuple[str, ...]
    reads: int
    writes: int


# Tensors: w, g and the states. In-place operations read and write their first operand.
_FUSED: Mapping[str, Pass] = {
    "sgd": Pass(("multiply", "subtract"), 2, 1),
    "momentum": Pass(("multiply", "add", "multiply", "subtract"), 3, 2),
    "adagrad": Pass(("multiply", "add", "sqrt", "add", "divide", "multiply", "subtract"), 3, 2),
    "rmsprop": Pass(("multiply",) * 3 + ("add", "sqrt", "add", "divide", "multiply", "subtract"), 3, 2),
    "adam": Pass(
        ("multiply",) * 5 + ("add", "add", "sqrt", "multiply", "add", "divide", "multiply", "subtract"), 4, 3
    ),
}
_SCALE = Pass(("multiply",), 1, 1)
_ADD_SCALED = Pass(("multiply", "add"), 2, 1)  # w += c g
_ADD_PRODUCT = Pass(("multiply", "multiply", "add"), 2, 1)  # v += c g g
_ROOT = Pass(("sqrt",), 1, 1)
_ADD_NUMBER = Pass(("add",), 1, 1)
_ADD_QUOTIENT = Pass(("divide", "multiply", "add"), 3, 1)  # w += c m / d
_UNFUSED: Mapping[str, tuple[Pass, ...]] = {
    "sgd": (_ADD_SCALED,),
    "momentum": (_SCALE, _ADD_SCALED, _ADD_SCALED),
    "adagrad": (_ADD_PRODUCT, _ROOT, _ADD_NUMBER, _ADD_QUOTIENT),
    "rmsprop": (_SCALE, _ADD_PRODUCT, _ROOT, _ADD_NUMBER, _ADD_QUOTIENT),
    "adam": (_SCALE, _ADD_SCALED, _SCALE, _ADD_PRODUCT, _ROOT, _SCALE, _ADD_NUMBER, _ADD_QUOTIENT),
}
_TENSORS: Mapping[str, int] = {"sgd": 2, "momentum": 3, "adagrad": 3, "rmsprop": 3, "adam": 4}
_ITEM_BYTES = 4


def passes(optimizer: str, fused: bool) -> tuple[Pass, ...]:
    """The kernels of an update, in order."""
    return (_FUSED[optimizer],) if fused else _UNFUSED[optimizer]


def update_us(machine: SimtMachine, optimizer: str, fused: bool, parameters: int) -> float:
    """An update that is repeated on the same tensors: kernel after kernel, launches included."""
    moved = parameters * _ITEM_BYTES
    missed = missed_share(machine, (_TENSORS[optimizer] + (not fused)) * moved)
    total = 0.0
    for operations, reads, writes in passes(optimizer, fused):
        costs = [instructions_of(operation) for operation in operations]
        shape = StreamShape(
            elements=parameters,
            read_bytes=reads * moved,
            dram_read_bytes=round(missed * reads * moved),
            write_bytes=writes * moved,
            instructions=sum(fma for fma, _ in costs),
            special=sum(special for _, special in costs),
            accesses=reads + writes,
            written_back=missed,
        )
        total += stream_timing(machine, shape).cycles / machine.clock.sustained_mhz
        total += machine.launch.device_us
    return total


def moved_bytes(optimizer: str, fused: bool, parameters: int) -> int:
    """Bytes that an update's kernels read and write."""
    return sum(step.reads + step.writes for step in passes(optimizer, fused)) * parameters * _ITEM_BYTES
