"""A three-layer network on CS231n's fast layers, before and after npconv.

Everything here and in cs231n/ is written in the course's style, with plain NumPy (what the course
compiles too). Only the line in ``main`` that installs npconv knows of it.

    python examples/dropin/cs231n_convnet.py [--small] [--steps N]
"""

import argparse
import time
from typing import NamedTuple

import numpy as np
from cs231n import fast_layers
from timing import Clock

import npconv.compat.cs231n

CONV = {"stride": 1, "pad": 3}
POOL = {"pool_height": 2, "pool_width": 2, "stride": 2}


class ThreeLayerConvNet:
    """conv - relu - 2x2 max pool - affine - relu - affine - softmax."""

    def __init__(self, side=32, filters=32, hidden=100, classes=10):
        rng = np.random.default_rng(0)
        flat = filters * (side // 2) ** 2
        self.params = {
            "W1": 0.02 * rng.standard_normal((filters, 3, 7, 7)),
            "W2": 0.02 * rng.standard_normal((flat, hidden)),
            "W3": 0.02 * rng.standard_normal((hidden, classes)),
            "b1": np.zeros(filters),
            "b2": np.zeros(hidden),
            "b3": np.zeros(classes),
        }
        self.params = {key: value.astype(np.float32) for key, value in self.params.items()}
        # Looked up now, as `from cs231n.fast_layers import *` would.
        self.conv_forward = fast_layers.conv_forward_fast
        self.conv_backward = fast_layers.conv_backward_fast
        self.pool_forward = fast_layers.max_pool_forward_fast
        self.pool_backward = fast_layers.max_pool_backward_fast

    def loss(self, X, y):
        """Return the loss and its gradient for every parameter."""
        p = self.params
        conv, conv_cache = self.conv_forward(X, p["W1"], p["b1"], CONV)
        relu1 = np.maximum(conv, 0)
        pool, pool_cache = self.pool_forward(relu1, POOL)
        flat = pool.reshape(len(pool), -1)
        relu2 = np.maximum(flat.dot(p["W2"]) + p["b2"], 0)
        scores = relu2.dot(p["W3"]) + p["b3"]

        dscores = np.exp(scores - scores.max(axis=1, keepdims=True))
        dscores /= dscores.sum(axis=1, keepdims=True)
        rows = np.arange(len(y))
        loss = -np.log(dscores[rows, y]).mean()
        dscores[rows, y] -= 1
        dscores /= len(y)

        drelu2 = dscores.dot(p["W3"].T) * (relu2 > 0)
        dpool = drelu2.dot(p["W2"].T).reshape(pool.shape)
        dconv = self.pool_backward(dpool, pool_cache) * (relu1 > 0)
        _, dW1, db1 = self.conv_backward(dconv, conv_cache)
        grads = {"W3": relu2.T.dot(dscores), "W2": flat.T.dot(drelu2), "W1": dW1}
        grads |= {"b3": dscores.sum(axis=0), "b2": drelu2.sum(axis=0), "b1": db1}
        return loss, grads


class Run(NamedTuple):
    """The losses of a training, the seconds of a step, and those in the fast layers."""

    losses: np.ndarray
    step: float
    layers: float


def train(steps, batch, side):
    """Train a network on noise, of the fast layers that the package has now."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((batch, 3, side, side), dtype=np.float32)
    y = rng.integers(0, 10, batch)
    network, clock = ThreeLayerConvNet(side), Clock()
    clock.watch(network, "conv_forward", "conv_backward", "pool_forward", "pool_backward")
    losses = []
    start = time.perf_counter()
    for _ in range(steps):
        loss, grads = network.loss(X, y)
        for key, param in network.params.items():
            param -= 0.02 * grads[key]
        losses.append(loss)
    return Run(np.array(losses), (time.perf_counter() - start) / steps, clock.seconds / steps)


def main():
    """Train twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--small", action="store_true", help="a few steps on little images")
    options = parser.parse_args()
    size = (3, 10, 12) if options.small else (options.steps, 100, 32)

    runs = {"before": train(*size)}
    with npconv.compat.cs231n.install():
        runs["after"] = train(*size)

    before = runs["before"]
    print(f"{'':10}{'a step':>12}{'fast layers':>14}{'gain':>8}{'last loss':>13}")
    for name, run in runs.items():
        print(
            f"{name:10}{1e3 * run.step:9.2f} ms{1e3 * run.layers:11.2f} ms"
            f"{before.layers / run.layers:7.1f}x{run.losses[-1]:13.6f}"
        )
    apart = np.abs(runs["after"].losses / before.losses - 1).max()
    print(f"largest relative difference of a loss, before and after: {apart:.1e}")


if __name__ == "__main__":
    main()
