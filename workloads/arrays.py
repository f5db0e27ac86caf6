"""Types shared by the workloads."""

from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating[Any]]
Labels: TypeAlias = NDArray[np.integer[Any]]

# One dict per layer: {"weight": (n_in, n_out), "bias": (n_out,)}.
Params: TypeAlias = list[dict[str, Array]]

# One dict per layer with the same keys; a value is None, an array or a NamedTuple of arrays.
State: TypeAlias = list[dict[str, Any]]

# A Python number in plain NumPy, a host scalar under capture.
Scalar: TypeAlias = float


class Optimizer(Protocol):
    """What an optimizer must have; a `default_lr` is optional."""

    def init(self, w: Array, /) -> Any: ...

    def update(
        self, w: Array, g: Array, state: Any, lr: Scalar, t: Scalar, /
    ) -> tuple[Array, Any]: ...
