"""A whole training step, emulated and in plain NumPy; and the comparison of trees."""

from typing import Any

import numpy as np
import pytest

from simulator.reference import differences, emulate

Tree = Any


def train_step(
    params: Tree, velocity: Tree, x: Any, y: Any, rate: float, decay: float, relu: bool = True
) -> Tree:
    """Softmax cross-entropy over two layers with L2, momentum and an in-place update."""
    classes = params["out"]["b"].shape[0]
    hidden = x @ params["in"]["w"] + params["in"]["b"]
    active = np.maximum(hidden, 0) if relu else np.tanh(hidden)
    logits = active @ params["out"]["w"] + params["out"]["b"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    targets = (y[:, None] == np.arange(classes)).astype(np.float32)
    loss = -(targets * (shifted - np.log(sums))).sum() / len(x)
    penalty = 0.5 * decay * sum((layer["w"] ** 2).sum() for layer in params.values())

    d_logits = (exponentials / sums - targets) / len(x)
    d_active = d_logits @ params["out"]["w"].T
    d_hidden = np.where(hidden > 0, d_active, 0.0) if relu else d_active * (1 - active**2)
    gradients = {
        "in": {"w": x.T @ d_hidden, "b": d_hidden.sum(axis=0)},
        "out": {"w": active.T @ d_logits, "b": d_logits.sum(0)},
    }
    for layer in params:
        for name, w in params[layer].items():
            g = gradients[layer][name]
            if name == "w":
                g += decay * w
            v = velocity[layer][name]
            v *= 0.9
            v += g
            w -= rate * v
    return params, velocity, loss + penalty


def setup(inputs: int = 64, hidden: int = 64, classes: int = 10, batch: int = 32) -> Tree:
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    params = {
        "in": {"w": weights(inputs, hidden), "b": np.zeros(hidden, np.float32)},
        "out": {"w": weights(hidden, classes), "b": np.zeros(classes, np.float32)},
    }
    velocity = {k: {n: np.zeros_like(w) for n, w in v.items()} for k, v in params.items()}
    x = rng.random((batch, inputs), np.float32)
    return params, velocity, x, rng.integers(0, classes, batch).astype(np.int32), 0.1, 1e-4


@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize(("rows", "dataflow"), [(128, "ws"), (8, "ws"), (8, "os"), (16, "is")])
def test_training_is_close_to_plain_numpy(rows: int, dataflow: Any, relu: bool) -> None:
    params, velocity, *rest = setup()
    rest.append(relu)
    mine = (params, velocity)
    plain = setup()[:2]
    # From the second step on bfloat16 moves hidden values across ReLU's step, which nothing bounds.
    for _ in range(1 if relu else 3):
        *mine, loss = emulate(train_step, (*mine, *rest), rows=rows, dataflow=dataflow)
        *plain, expected = train_step(*plain, *rest)
        assert loss.shape == ()
        assert loss == pytest.approx(expected, rel=2e-3)
    report = differences(plain, mine)
    assert report.elements == 2 * (64 * 64 + 64 + 64 * 10 + 10)
    assert report.different > report.elements // 4  # bfloat16 is at work
    for kind in (0, 1):
        for layer in ("in", "out"):
            for name in ("w", "b"):
                a, b = mine[kind][layer][name], plain[kind][layer][name]
                assert a.dtype == np.float32
                # Each of three chained matmuls rounds two operands by up to 2^-9.
                np.testing.assert_allclose(a, b, atol=2.0**-7 * float(np.abs(b).max()), rtol=0)


def test_bits_depend_on_rows_and_dataflow_and_on_nothing_else() -> None:
    arguments = setup()
    machines: list[tuple[int, Any]] = [(8, "ws"), (8, "is"), (16, "ws"), (128, "ws")]
    machines += [(128, "os"), (8, "os")]
    results = {
        (rows, flow): emulate(train_step, arguments, rows=rows, dataflow=flow)
        for rows, flow in machines
    }
    assert differences(results[8, "ws"], results[8, "is"]).equal
    assert differences(results[128, "ws"], results[8, "os"]).equal  # no k exceeds a tile of 128
    assert differences(results[128, "os"], results[8, "os"]).equal
    assert not differences(results[8, "ws"], results[16, "ws"]).equal
    assert not differences(results[8, "ws"], results[8, "os"]).equal


class TestDifferences:
    def test_equal_to_the_bit(self) -> None:
        nans = np.array([0x7FC00000, 0xFF812345], np.uint32).view(np.float32)
        tree = {"a": [nans, 3, 0.5, None, "relu"], "b": (np.ones((2, 3), bool), np.float32(1))}
        other = {
            "a": [nans[::-1], 3, 0.5, None, "relu"],
            "b": (np.ones((2, 3), bool), np.float32(1)),
        }
        report = differences(tree, other)
        assert report.equal
        assert report.elements == 2 + 1 + 1 + 1 + 1 + 6 + 1
        assert str(report) == "13 elements equal to the bit"

    def test_first_difference(self) -> None:
        a, b = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
        b[1, 1], b[1, 2] = -0.0, 1
        report = differences([0, {"weight": a}], [0, {"weight": b}])
        assert (report.elements, report.different) == (7, 2)
        (leaf,) = report.leaves
        assert (leaf.path, leaf.elements, leaf.different) == ("1.weight", 6, 2)
        assert leaf.first_index == (1, 1)
        assert report.summary() == (
            "2 of 7 elements differ: 1.weight[1, 1]: expected 0.0 (0x00000000), "
            "got -0.0 (0x80000000) (2 of 6 differ)"
        )

    @pytest.mark.parametrize(
        ("expected", "actual", "counts"),
        [
            (np.zeros(3, np.float32), np.zeros(4, np.float32), (4, 4)),
            (np.zeros(3, np.float32), np.zeros(3, np.float64), (3, 3)),
            (np.float32(1), 1.0, (1, 1)),
            (1.0, np.nextafter(1.0, 2.0), (1, 1)),
            (2**70, 2**70 + 1, (1, 1)),
            (1, True, (1, 1)),
            (None, 0.0, (1, 1)),
            ({"a": 1}, {"a": 1, "b": np.zeros(5)}, (6, 5)),
            ([np.zeros(2), 1], [np.zeros(2)], (3, 1)),
            ({"a": {"x": 1, "y": [2, 3]}}, {}, (3, 3)),
            ([1, 2], 1, (1, 1)),
            (np.zeros(0, np.float32), np.zeros(0, np.int32), (1, 1)),
            ("relu", "tanh", (1, 1)),
        ],
    )
    def test_counts(self, expected: Any, actual: Any, counts: tuple[int, int]) -> None:
        for one, other in ((expected, actual), (actual, expected)):
            report = differences(one, other)
            assert (report.elements, report.different) == counts
            assert not report.equal
            assert "\n" not in report.summary()
