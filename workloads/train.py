"""Training in plain NumPy: the reference curves, and the inputs of every step."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from workloads.arrays import Array, Labels, Optimizer, Params, State
from workloads.batching import epoch_batches
from workloads.datasets import Dataset, one_hot
from workloads.initializers import Initializer
from workloads.mlp import MLP, dropout_masks, init_params, init_state, make_predict, make_train_step
from workloads.schedules import Schedule
from workloads.seeding import Stream, generator


class Step(NamedTuple):
    """The inputs of one training step. Shapes: x (B, n_0); y (B, classes); masks (B, width)."""

    epoch: int  # 0 first
    step: int  # steps done before this one, over all epochs
    x: Array
    y: Array  # one-hot
    masks: tuple[Array, ...]
    lr: float
    t: int  # the number of this step, 1 first


class History(NamedTuple):
    """What a training run leaves behind, of the epochs that it finished."""

    losses: list[float]  # per epoch: mean over its samples of the loss in their step
    accuracies: list[float]  # per epoch: on the test samples, after the epoch
    params: Params
    state: State


def steps_per_epoch(samples: int, batch: int | None) -> int:
    """Steps in an epoch, the ragged last batch included; batch None is the full batch."""
    return 1 if batch is None else -(-samples // batch)


def steps(
    config: MLP, dataset: Dataset, epochs: int, batch: int | None, schedule: Schedule, seed: int
) -> Iterator[Step]:
    """The inputs of every step of a run, in order: the one source for NumPy and the simulator."""
    step = 0
    for epoch in range(epochs):
        for chosen in epoch_batches(len(dataset.train_x), batch, seed, epoch):
            x = dataset.train_x[chosen]
            y = one_hot(dataset.train_y[chosen], dataset.classes)
            masks = dropout_masks(config, len(chosen), seed, step)
            yield Step(epoch, step, x, y, masks, schedule(step), step + 1)
            step += 1


def initial_params(config: MLP, initializer: str | Initializer, seed: int) -> Params:
    """The parameters that a run with this seed starts from."""
    return init_params(config, initializer, generator(seed, Stream.INITIALIZATION))


def accuracy(outputs: Array, labels: Labels) -> float:
    """The ratio of samples whose largest output is their label's.

    Shapes: outputs (B, classes); labels (B,).
    """
    return float(np.mean(np.argmax(outputs, axis=1) == labels))


def train_numpy(
    config: MLP,
    optimizer: Optimizer,
    dataset: Dataset,
    epochs: int,
    batch: int | None,
    lr_schedule: Schedule,
    seed: int,
    initializer: str | Initializer = "he",
    dtype: DTypeLike = np.float32,
    stop: Callable[[int], bool] = lambda epochs_done: False,
) -> History:
    """Trains in NumPy arithmetic of `dtype`, from the same float32 start and inputs for any.

    `stop` is asked before every step whether the epochs done are enough.

    Raises: ValueError when the network does not fit the data set.
    """
    check_fit(config, dataset)
    params: Params = [
        {name: w.astype(dtype) for name, w in layer.items()}
        for layer in initial_params(config, initializer, seed)
    ]
    state = init_state(optimizer, params)
    train_step, predict = make_train_step(config, optimizer), make_predict(config)
    test_x = dataset.test_x.astype(dtype)
    per_epoch = steps_per_epoch(len(dataset.train_x), batch)
    losses, accuracies, total = [], [], 0.0
    for s in steps(config, dataset, epochs, batch, lr_schedule, seed):
        if stop(s.epoch):
            break
        x, y = s.x.astype(dtype), s.y.astype(dtype)
        masks = [mask.astype(dtype) for mask in s.masks]
        params, state, loss = train_step(params, state, x, y, masks, s.lr, s.t)
        total += float(loss) * len(x) / len(dataset.train_x)
        if s.t % per_epoch == 0:
            losses.append(total)
            accuracies.append(accuracy(predict(params, test_x), dataset.test_y))
            total = 0.0
    return History(losses, accuracies, params, state)


def check_fit(config: MLP, dataset: Dataset) -> None:
    """Raises: ValueError when the network's ends do not fit the data set."""
    ends, needed = (config.widths[0], config.widths[-1]), (dataset.features, dataset.classes)
    if ends != needed:
        raise ValueError(
            f"a network of widths {config.widths} does not fit {dataset.name}: "
            f"it has {needed[0]} features and {needed[1]} classes"
        )
