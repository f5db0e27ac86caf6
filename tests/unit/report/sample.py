"""A RunRecord made of synthetic Programs, for the tests of the report."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

from simulator.energy import simt_energy
from simulator.report import Check, Curve, Phase, RunRecord, SimtKernel, SimtRecord, SimtStep


def curve(name: str, epochs: int, wobble: float) -> Curve:
    xs = tuple(float(e) for e in range(epochs + 1))
    return Curve(
        name=name,
        epochs=xs,
        loss=tuple(2.3 * math.exp(-0.5 * x) + 0.05 + wobble * x for x in xs),
        accuracy=tuple(0.1 + 0.87 * (1 - math.exp(-0.7 * x)) - wobble for x in xs),
    )


def record(synthetic: ModuleType, size: int = 8, **changes: Any) -> RunRecord:
    machine = synthetic.machine(size)

    def phase(name: str, batch: int, count: int) -> Phase:
        program = synthetic.mlp_step(machine, batch=batch)
        return Phase.of(machine, name, program, synthetic.simulate(machine, program), count)

    kernels = tuple(
        SimtKernel(f"gemm_{i}", f"matmul 32x64x{32 >> i}", 4.2 / (i + 1), "launch" if i else "compute")
        for i in range(6)
    )
    energy = simt_energy(7, {"bfloat16": 151552}, dram_bytes=400_000, l2_bytes=900_000, adds=9000)
    fields: dict[str, Any] = {
        "title": "digits, 64-32-10, tanh, cross-entropy, sgd",
        "machine": machine,
        "training": (phase("training step, batch 32", 32, 450), phase("training step, batch 29", 29, 10)),
        "evaluation": (phase("prediction, batch 32", 32, 110),),
        "simulated": curve("simulated machine", 10, 0.0),
        "numpy": curve("NumPy float32", 10, 0.0004),
        "loss": 0.0655,
        "accuracy": 0.9694,
        "weights": 2410,
        "weights_different": 0,
        "steps_checked": 460,
        "checks": (
            Check("emulation", "every weight after every step with the eager NumPy emulation",
                  1_108_600, 35_475_200, 0, True, "460 steps"),
            Check("float64", "every operation with float64 NumPy within its derived bound",
                  98_304, None, 0, True, "largest error 0.31 of the bound"),
            Check("interpreter", "every tensor in HBM after the first and the ragged last step",
                  9_640, 308_480, 0, True),
        ),
        "configuration": {
            "dataset": "digits", "hidden": [32], "optimizer": "sgd", "lr": 0.1, "epochs": 10, "seed": 0,
            "machine": machine.model_dump(mode="json"),
        },
        "configuration_hash": "3f6c1d0c5a1e9b7744",
        "command": "pulsetrain run --dataset digits --hidden 32 --optimizer sgd --epochs 10 --seed 0",
        "versions": {"pulsetrain": "0.1.0", "numpy": "2.4.6"},
        "simt": SimtRecord(
            machine="h200", clock_mhz=1980.0,
            steps=(SimtStep(24.1, 47718, 0.0021, kernels, energy), SimtStep(23.9, 47322, 0.0019)),
            description="Unfused kernels, tensor cores; launch cost included.",
        ),
        "created": "2026-11-20T06:00:00Z",
    }  # fmt: skip
    return RunRecord(**{**fields, **changes})
