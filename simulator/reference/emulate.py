"""Runs a plain NumPy function in the machine's arithmetic."""

from collections.abc import Callable
from typing import Any

import numpy as np

from simulator.reference.context import Dataflow, Machine, current_machine
from simulator.reference.refusal import current_function
from simulator.reference.trees import enter, leave, map_tree


def emulate(
    function: Callable[..., Any], arguments: tuple[Any, ...], *, rows: int, dataflow: Dataflow
) -> Any:
    """``function(*arguments)`` as the machine computes it, on copies of the arguments.

    Host scalars stay Python numbers: the host computes with them, and they round where they meet an
    array.

    Shapes: any; the result tree has plain arrays (0-d for NumPy's scalars) and Python numbers.

    Raises:
        CaptureError: the function uses what the machine cannot do, or a float64 array.
        ConfigError: rows or dataflow is not allowed.
    """
    token = current_machine.set(Machine(rows, dataflow))
    running = current_function.set(function)
    try:
        with np.errstate(
            all="ignore"
        ):  # infinities and NaNs are values here, as they are on the machine
            result = function(*map_tree(enter, tuple(arguments)))
            return map_tree(leave, result)
    finally:
        current_function.reset(running)
        current_machine.reset(token)
