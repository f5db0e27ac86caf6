"""The network of the epoch bench in PyTorch, which is compared with where it is installed."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
from collections.abc import Iterable
from typing import Any

from workloads.train import Step

OPTIMIZERS = {"sgd": "SGD", "adam": "Adam"}


def installed() -> bool:
    """Whether there is a PyTorch to compare with; it is no dependency."""
    return importlib.util.find_spec("torch") is not None


def train(widths: tuple[int, ...], optimizer: str, batches: Iterable[Step], threads: int) -> None:
    """An epoch as one writes it in PyTorch: ReLU, cross-entropy, the losses summed, on the CPU.

    Layers start as PyTorch makes them, which changes no time; optimizers are those of ``torch.optim``.
    """
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    layers: list[Any] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    stepper = getattr(torch.optim, OPTIMIZERS[optimizer])(model.parameters(), lr=0.001)
    total = 0.0
    for batch in batches:
        x, y = torch.from_numpy(batch.x), torch.from_numpy(batch.y)
        stepper.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        stepper.step()
        total += loss.item() * len(batch.x)
