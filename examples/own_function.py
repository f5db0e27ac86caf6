"""Any NumPy training step on any machine: a two-branch network that is not an MLP.

Run: python examples/own_function.py
"""

import numpy as np

from simulator.api import build_step, load_machine


def train_step(params, state, x, y, lr):
    """Two branches, one linear and one tanh, trained by plain gradient descent on a squared error."""
    h = np.tanh(x @ params["deep"])
    error = x @ params["wide"] + h @ params["out"] - y
    d_error = error * (2.0 / x.shape[0])
    d_h = (d_error @ params["out"].T) * (1.0 - h * h)
    gradients = {"wide": x.T @ d_error, "deep": x.T @ d_h, "out": h.T @ d_error}
    params = {name: params[name] - lr * gradients[name] for name in params}
    return params, state, (error * error).mean()


def main():
    """Prints how long a step takes on three machines, and what it computes."""
    rng = np.random.default_rng(0)
    params = {
        "wide": np.zeros((32, 1), np.float32),
        "deep": rng.standard_normal((32, 64), dtype=np.float32) * np.float32(0.2),
        "out": np.zeros((64, 1), np.float32),
    }
    x = rng.standard_normal((128, 32), dtype=np.float32)
    y = np.sin(x[:, :1]).astype(np.float32)
    for name in ("edge_8x8", "tpu_v2", "tpu_v4"):
        step = build_step(train_step, (params, None, x, y, 0.05), load_machine(name))
        execution, numbers = step.execute((params, None, x, y, 0.05))
        _, _, loss = step.result(execution, numbers)
        metrics = step.metrics
        print(f"{name:9s} {metrics.cycles:8,} cycles {metrics.time_us:8.2f} us  loss {float(loss):.4f}")


if __name__ == "__main__":
    main()
