"""A small network on DeZero, before and after npconv.

It is written as one writes for DeZero. Only the line in ``main`` that installs npconv knows of it.

    python examples/dropin/dezero_convnet.py [--small] [--steps N]
"""

import argparse
import time
from typing import NamedTuple

import numpy as np
from timing import Clock

if not hasattr(np, "int"):
    setattr(np, "int", int)  # noqa: B010 - DeZero 0.0.13 was written for NumPy 1

import dezero
import dezero.functions as F
import dezero.layers as L

import npconv.compat.dezero


class Network(dezero.Model):
    """conv - relu - 2x2 max pooling, twice, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = L.Conv2d(16, 3, pad=1)
        self.conv2 = L.Conv2d(32, 3, pad=1)
        self.fc = L.Linear(10)

    def forward(self, x):
        """Return the scores of ten classes."""
        x = F.pooling(F.relu(self.conv1(x)), 2, 2)
        x = F.pooling(F.relu(self.conv2(x)), 2, 2)
        return self.fc(F.reshape(x, (len(x), -1)))


class Run(NamedTuple):
    """The losses of a training, the seconds of a step, and those in convolution and pooling."""

    losses: np.ndarray
    step: float
    layers: float


def train(steps, batch, side):
    """Train a network on noise, with the functions that DeZero has now."""
    np.random.seed(0)  # noqa: NPY002 (DeZero's own source of weights)
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((batch, 3, side, side)), rng.integers(0, 10, batch)
    model, clock = Network(), Clock()
    optimizer = dezero.optimizers.Adam().setup(model)
    conv = dezero.functions_conv
    kinds = [conv.Conv2d, conv.Deconv2d, conv.Conv2DGradW, conv.Pooling, conv.Pooling2DGrad]
    kept = [(kind, vars(kind)["forward"]) for kind in kinds]
    for kind in kinds:  # what each function computes, without what DeZero keeps of it
        clock.watch(kind, "forward")
    losses = []
    start = time.perf_counter()
    for _ in range(steps):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses.append(float(loss.data))
    step = (time.perf_counter() - start) / steps
    for kind, forward in kept:
        kind.forward = forward
    return Run(np.array(losses), step, clock.seconds / steps)


def main():
    """Train twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="a few steps on little images")
    options = parser.parse_args()
    size = (3, 10, 12) if options.small else (options.steps, 50, 32)

    runs = {"before": train(*size)}
    with npconv.compat.dezero.install():
        runs["after"] = train(*size)

    before = runs["before"]
    print(f"{'':10}{'a step':>12}{'conv, pool':>14}{'gain':>8}{'last loss':>13}")
    for name, run in runs.items():
        print(
            f"{name:10}{1e3 * run.step:9.2f} ms{1e3 * run.layers:11.2f} ms"
            f"{before.layers / run.layers:7.1f}x{run.losses[-1]:13.6f}"
        )
    apart = np.abs(runs["after"].losses / before.losses - 1).max()
    print(f"largest relative difference of a loss, before and after: {apart:.1e}")


if __name__ == "__main__":
    main()
