"""Random (machine, Program) pairs.

What is compiled into the RTL comes from a short list of builds; everything that is a run-time input of the
harness, and the network or function, is drawn.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from simulator.machines.systolic import SystolicMachine
from tests.agreement.test_compiler_values import CASES
from tests.cosim.support import VECTOR, Case, captured_case, step_arguments
from tests.support.machines import small_machine

# The fields that are parameters of the RTL. The unified buffers are small, so that Programs spill.
BUILDS: dict[str, dict[str, Any]] = {
    "4x4": {"rows": 4, "cols": 4, "lanes": 4},
    "8x8": {"rows": 8, "cols": 8, "lanes": 8},
    "one row": {
        "rows": 1, "cols": 4, "lanes": 2, "pe_latency_cycles": 2, "horizontal_hop_cycles": 2,
        "vertical_hop_cycles": 3, "read_latency_cycles": 2, "adder_latency_cycles": 3,
    },
    "os": {
        "rows": 4, "cols": 4, "lanes": 4, "dataflow": "os", "pe_latency_cycles": 3, "read_latency_cycles": 2,
    },
    "one column": {
        "rows": 4, "cols": 1, "lanes": 8, "pe_latency_cycles": 4, "adder_latency_cycles": 1,
        "read_latency_cycles": 3, "alu_latency_cycles": 1,
    },
    "wide": {
        "rows": 2, "cols": 8, "lanes": 4, "pe_latency_cycles": 3, "vertical_hop_cycles": 2,
        "adder_latency_cycles": 5, "divide_cycles": 1, "sqrt_cycles": 3, "table_cycles": 14,
    },
    "tall": {"rows": 16, "cols": 4, "lanes": 16, "adder_latency_cycles": 3, "horizontal_hop_cycles": 3},
    "os wide": {
        "rows": 2, "cols": 8, "lanes": 2, "dataflow": "os", "horizontal_hop_cycles": 2,
        "vertical_hop_cycles": 2, "adder_latency_cycles": 20,
    },
    "os one column": {"rows": 8, "cols": 1, "lanes": 1, "dataflow": "os", "read_latency_cycles": 3},
}  # fmt: skip
QUICK = ("4x4", "8x8", "one row", "os")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")


def random_machine(rng: random.Random, build: str) -> SystolicMachine:
    """A machine that the build serves."""
    fields = {**VECTOR, **BUILDS[build]}
    line = max(fields["rows"], fields["cols"], fields["lanes"])
    if fields.get("dataflow") != "os":
        fields["dataflow"] = rng.choice(("ws", "ws", "is"))
    fields |= {
        "weight_buffers": rng.choice((1, 2, 2)),
        "overlap": rng.choice((True, True, False)),
        "depth_tiles": rng.choice((1, 1, 2, 3, 4)),
        "queue_depth": rng.choice((1, 2, 5, 16, 32)),
        "lines": rng.choice((2 * line, 4 * line, 256)),
    }
    reads = fields.get("read_latency_cycles", 1)
    rates = ("1/3", "7/4", 2, "33/2", 4 * line)  # starved to ample
    fields["unified_buffer"] = {"capacity_bytes": rng.choice((6, 16, 64)) * 4 * max(line, 8) ** 2}
    fields["hbm"] = {
        "bytes_per_cycle": rng.choice(rates), "latency_cycles": rng.choice((0, reads, 7, 40, 200))
    }  # fmt: skip
    fields["host_link"] = {
        "bytes_per_cycle": rng.choice(rates), "latency_cycles": rng.choice((1, reads, 20, 150))
    }  # fmt: skip
    return small_machine(**fields)


def random_case(seed: int, build: str) -> Case:
    """Half training steps of ragged networks, half other functions (int8, reductions, shuffles, updates)."""
    rng = random.Random(f"{build} {seed}")
    machine = random_machine(rng, build)
    if rng.random() < 0.5:
        function, arguments = CASES[rng.choice(sorted(CASES))]
        return captured_case(machine, function, _changed(arguments, seed), carry=())
    hidden = [rng.randint(1, 19) for _ in range(rng.randint(1, 2))]
    function, arguments = step_arguments(
        (rng.randint(1, 21), *hidden, rng.randint(1, 11)),
        rng.randint(1, 13),
        rng.choice(OPTIMIZERS),
        seed,
        activation=rng.choice(("relu", "sigmoid", "tanh")),
        loss=rng.choice(("cross_entropy", "quadratic")),
    )
    return captured_case(machine, function, arguments, carry=(0, 1))


def _changed(arguments: tuple[Any, ...], seed: int) -> tuple[Any, ...]:
    """Other values of the same kind."""
    rng = np.random.default_rng(seed)
    return tuple(rng.permuted(a.ravel()).reshape(a.shape) if a.dtype.kind == "f" else a for a in arguments)
