"""The network of 'Deep Learning from Scratch', chapter 7, before and after npconv.

Everything here and in common/ is written in the book's style, with plain NumPy. Only the lines in
``main`` that install npconv know of it.

    python examples/dropin/book_convnet.py [--small] [--steps N]
"""

import argparse
import time
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
from common import layers
from timing import Clock

import npconv.compat.book


class SimpleConvNet:
    """conv - relu - pool - affine - relu - affine - softmax."""

    def __init__(self, side=28, filters=30, filter_size=5, hidden=100, classes=10, seed=0):
        rng = np.random.default_rng(seed)
        pooled = (side - filter_size + 1) // 2
        self.params = {
            "W1": 0.01 * rng.standard_normal((filters, 1, filter_size, filter_size)),
            "b1": np.zeros(filters),
            "W2": 0.01 * rng.standard_normal((filters * pooled * pooled, hidden)),
            "b2": np.zeros(hidden),
            "W3": 0.01 * rng.standard_normal((hidden, classes)),
            "b3": np.zeros(classes),
        }
        p = self.params
        self.layers = OrderedDict()
        self.layers["Conv1"] = layers.Convolution(p["W1"], p["b1"])
        self.layers["Relu1"] = layers.Relu()
        self.layers["Pool1"] = layers.Pooling(pool_h=2, pool_w=2, stride=2)
        self.layers["Affine1"] = layers.Affine(p["W2"], p["b2"])
        self.layers["Relu2"] = layers.Relu()
        self.layers["Affine2"] = layers.Affine(p["W3"], p["b3"])
        self.last_layer = layers.SoftmaxWithLoss()

    def gradient(self, x, t):
        """Return the loss and its gradient for every parameter."""
        for layer in self.layers.values():
            x = layer.forward(x)
        loss = self.last_layer.forward(x, t)
        dout = self.last_layer.backward(1)
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        grads = {}
        for number, name in enumerate(("Conv1", "Affine1", "Affine2"), 1):
            grads[f"W{number}"] = self.layers[name].dW
            grads[f"b{number}"] = self.layers[name].db
        return loss, grads


class Adam:
    """Adam, updating the parameters in place."""

    def __init__(self, lr=0.001, beta1=0.9, beta2=0.999):
        self.lr, self.beta1, self.beta2 = lr, beta1, beta2
        self.step, self.m, self.v = 0, {}, {}

    def update(self, params, grads):
        """Make one step."""
        self.step += 1
        lr = self.lr * np.sqrt(1 - self.beta2**self.step) / (1 - self.beta1**self.step)
        for key, param in params.items():
            m = self.m.setdefault(key, np.zeros_like(param))
            v = self.v.setdefault(key, np.zeros_like(param))
            m += (1 - self.beta1) * (grads[key] - m)
            v += (1 - self.beta2) * (grads[key] ** 2 - v)
            param -= lr * m / (np.sqrt(v) + 1e-7)


def images(count, side, seed=1):
    """Return noisy pictures of ten classes (a bright bar at one of ten places), and the classes."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, 10, count)
    x = 0.5 * rng.random((count, 1, side, side))
    for image, label in zip(x, t, strict=True):
        place = 2 + (label % 5) * (side - 6) // 4
        bar = image[0, place : place + 2] if label < 5 else image[0, :, place : place + 2]
        bar += 0.5
    return x, t


class Run(NamedTuple):
    """The losses of a training, the seconds of a step, and those in convolution and pooling."""

    losses: np.ndarray
    step: float
    layers: float


def train(steps, batch, side):
    """Train a network of the layers that ``common.layers`` has now."""
    network, optimizer = SimpleConvNet(side), Adam()
    clock = Clock()
    for name in ("Conv1", "Pool1"):
        clock.watch(network.layers[name], "forward", "backward")
    x, t = images(20 * batch, side)
    rng = np.random.default_rng(2)
    losses = []
    start = time.perf_counter()
    for _ in range(steps):
        chosen = rng.choice(len(x), batch)
        loss, grads = network.gradient(x[chosen], t[chosen])
        optimizer.update(network.params, grads)
        losses.append(loss)
    return Run(np.array(losses), (time.perf_counter() - start) / steps, clock.seconds / steps)


def main():
    """Train three times and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--small", action="store_true", help="a few steps on little images")
    options = parser.parse_args()
    size = (3, 10, 12) if options.small else (options.steps, 100, 28)

    runs = {"before": train(*size)}
    with npconv.compat.book.install():
        runs["after"] = train(*size)
    with npconv.compat.book.install(dtype=np.float32):
        runs["after, float32"] = train(*size)

    before = runs["before"]
    print(f"{'':16}{'a step':>12}{'conv, pool':>14}{'gain':>8}{'last loss':>22}")
    for name, run in runs.items():
        print(
            f"{name:16}{1e3 * run.step:9.2f} ms{1e3 * run.layers:11.2f} ms"
            f"{before.layers / run.layers:7.1f}x{run.losses[-1]:22.16f}"
        )
    apart = np.abs(runs["after"].losses / before.losses - 1).max()
    print(f"largest relative difference of a loss, before and after: {apart:.1e}")


if __name__ == "__main__":
    main()
