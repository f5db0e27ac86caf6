"""Training in plain NumPy, and the inputs that the simulator shares with it."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import workloads
from workloads import optimizers
from workloads.datasets import load
from workloads.mlp import MLP, dropout_masks, init_state, make_train_step
from workloads.schedules import Constant, parse
from workloads.train import (
    accuracy,
    initial_params,
    steps,
    steps_per_epoch,
    train_numpy,
)

SMALL = "synthetic:samples=60,features=8,classes=3,noise=0.2"


@pytest.mark.parametrize("name", optimizers.BY_NAME)
def test_digits_are_learned_to_95_percent_at_the_default_rate(name):
    optimizer = optimizers.load(name)
    schedule = Constant(optimizers.default_lr(optimizer))
    history = train_numpy(MLP((64, 128, 10)), optimizer, load("digits"), 20, 32, schedule, seed=0)
    assert history.accuracies[-1] >= 0.95
    assert history.losses[-1] < history.losses[0] / 3
    assert all(w.dtype == np.float32 for layer in history.params for w in layer.values())


def test_dropout_residual_and_l2_learn_too():
    network = MLP((64, 64, 64, 10), "tanh", residual=True, dropout=0.9, l2=1e-4)
    adam = optimizers.Adam()
    schedule = parse("cosine:warmup=20", 0.003, 10 * steps_per_epoch(1437, 32))
    history = train_numpy(network, adam, load("digits"), 10, 32, schedule, 0, "scaled_normal")
    assert history.accuracies[-1] >= 0.95


def test_steps_hold_all_inputs_of_a_run_in_order():
    dataset, network = load(SMALL), MLP((8, 5, 3), dropout=0.5)
    schedule = parse("step:every=3,factor=0.5", 0.8)
    run = list(steps(network, dataset, epochs=2, batch=20, schedule=schedule, seed=4))
    assert [(s.epoch, s.step, s.t) for s in run] == [
        (0, 0, 1),
        (0, 1, 2),
        (0, 2, 3),
        (1, 3, 4),
        (1, 4, 5),
        (1, 5, 6),
    ]
    assert [s.lr for s in run] == [0.8] * 3 + [0.4] * 3
    assert [len(s.x) for s in run] == [20, 20, 8] * 2
    for s in run:
        assert s.x.dtype == s.y.dtype == s.masks[0].dtype == np.float32
        assert s.y.shape == (len(s.x), 3) and (s.y.sum(axis=1) == 1).all()
        np.testing.assert_array_equal(
            s.masks[0], dropout_masks(network, len(s.x), seed=4, step=s.step)[0]
        )
    rows = np.concatenate([s.x for s in run[:3]])
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(dataset.train_x, axis=0))


def test_training_is_the_step_over_these_inputs():
    dataset, network, adam = load(SMALL), MLP((8, 5, 3), dropout=0.5), optimizers.Adam()
    history = train_numpy(network, adam, dataset, 2, 20, Constant(0.01), seed=4)
    params = initial_params(network, "he", 4)
    state, step = init_state(adam, params), make_train_step(network, adam)
    sums = [0.0, 0.0]
    for s in steps(network, dataset, 2, 20, Constant(0.01), 4):
        params, state, loss = step(params, state, s.x, s.y, s.masks, s.lr, s.t)
        sums[s.epoch] += float(loss) * len(s.x)
    for got, expected in zip(history.params, params, strict=True):
        np.testing.assert_array_equal(got["weight"], expected["weight"])
    assert history.losses == pytest.approx([total / 48 for total in sums])


def test_a_stopped_training_leaves_the_epochs_that_it_finished():
    dataset, network, sgd = load(SMALL), MLP((8, 5, 3)), optimizers.SGD()
    asked = []

    def stop(done: int) -> bool:
        asked.append(done)
        return len(asked) > 8  # in the middle of the third epoch: three steps are one

    whole = train_numpy(network, sgd, dataset, 4, 20, Constant(0.1), 4)
    short = train_numpy(network, sgd, dataset, 4, 20, Constant(0.1), 4, stop=stop)
    assert asked == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert (short.losses, short.accuracies) == (whole.losses[:2], whole.accuracies[:2])


def test_float64_starts_from_the_same_point_and_stays_close():
    dataset, network, adam = load(SMALL), MLP((8, 5, 3)), optimizers.Adam()
    single = train_numpy(network, adam, dataset, 3, 20, Constant(0.01), seed=4)
    double = train_numpy(network, adam, dataset, 3, 20, Constant(0.01), 4, dtype=np.float64)
    assert all(w.dtype == np.float64 for layer in double.params for w in layer.values())
    assert single.losses == pytest.approx(double.losses, rel=1e-5)
    assert single.losses != double.losses


def test_a_run_is_repeated_by_its_seed():
    dataset, network, sgd = load(SMALL), MLP((8, 5, 3)), optimizers.SGD()
    runs = [train_numpy(network, sgd, dataset, 2, 7, Constant(0.1), seed) for seed in (1, 1, 2)]
    assert runs[0].losses == runs[1].losses != runs[2].losses


@pytest.mark.parametrize("batch", [1, None])
def test_single_samples_and_the_full_batch_train(batch):
    dataset = load(SMALL)
    history = train_numpy(
        MLP((8, 5, 3)), optimizers.SGD(), dataset, 5, batch, Constant(0.05), seed=0
    )
    assert history.losses[-1] < history.losses[0]
    assert steps_per_epoch(48, batch) == (48 if batch else 1)


def test_a_network_that_does_not_fit_the_data_is_one_clear_line():
    with pytest.raises(ValueError, match="does not fit digits: it has 64 features and 10 classes"):
        train_numpy(MLP((63, 10)), optimizers.SGD(), load("digits"), 1, 32, Constant(0.1), 0)


def test_accuracy_is_the_ratio_of_right_answers():
    outputs = np.float32([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])
    assert accuracy(outputs, np.array([1, 0, 0, 1])) == 0.75


def test_workloads_import_numpy_and_the_standard_library_only():
    allowed = {"numpy", "workloads", *sys.stdlib_module_names}
    for path in Path(workloads.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path
