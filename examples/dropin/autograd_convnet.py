"""A convolutional network under HIPS autograd, before and after npconv.

Before, convolutions are ``autograd.scipy.signal.convolve``, and pooling is a maximum over reshaped
axes; after, both are npconv's. The loss and the rest of the network are the same.

    python examples/dropin/autograd_convnet.py [--small] [--steps N]
"""

import argparse
import time
from typing import NamedTuple

import autograd.numpy as np
import numpy
from autograd import value_and_grad
from autograd.scipy.signal import convolve

import npconv.compat.autograd as nn


class Before:
    """Layers as one writes them without npconv."""

    @staticmethod
    def conv(x, w, b):
        """Convolve (N, C, H, W) with (K, C, R, S), which ``convolve`` flips."""
        flipped = w[:, :, ::-1, ::-1]
        y = convolve(x, flipped, axes=([2, 3], [2, 3]), dot_axes=([1], [1]), mode="valid")
        return y + b.reshape(1, -1, 1, 1)

    @staticmethod
    def pool(x):
        """Take the largest of 2x2 elements."""
        N, C, H, W = x.shape
        return np.max(np.max(x.reshape(N, C, H // 2, 2, W // 2, 2), axis=3), axis=4)


class After:
    """The same with npconv."""

    @staticmethod
    def conv(x, w, b):
        """Convolve (N, C, H, W) with (K, C, R, S)."""
        return nn.conv2d(x, w, b)

    @staticmethod
    def pool(x):
        """Take the largest of 2x2 elements."""
        return nn.max_pool2d(x, 2)


def loss_of(layers):
    """Return the loss of a network made of the layers."""

    def loss(params, x, t):
        (w1, b1), (w2, b2), (w3, b3) = params
        x = layers.pool(np.tanh(layers.conv(x, w1, b1)))
        x = layers.pool(np.tanh(layers.conv(x, w2, b2)))
        scores = np.dot(x.reshape(len(t), -1), w3) + b3
        scores = scores - np.max(scores, axis=1, keepdims=True)
        logs = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
        return -np.mean(logs[np.arange(len(t)), t])

    return loss


class Run(NamedTuple):
    """The losses of a training, and the seconds of a step."""

    losses: numpy.ndarray
    step: float


def train(layers, steps, batch, side):
    """Train a network on noise."""
    rng = numpy.random.default_rng(0)
    flat = 16 * (((side - 4) // 2 - 4) // 2) ** 2
    shapes = (6, 1, 5, 5), (16, 6, 5, 5), (flat, 10)
    params = [
        (0.1 * rng.standard_normal(s), numpy.zeros(s[0 if len(s) == 4 else 1])) for s in shapes
    ]
    x, t = rng.standard_normal((batch, 1, side, side)), rng.integers(0, 10, batch)
    gradient = value_and_grad(loss_of(layers))
    losses = []
    start = time.perf_counter()
    for _ in range(steps):
        value, grads = gradient(params, x, t)
        params = [
            tuple(value - 0.3 * grad for value, grad in zip(*layer, strict=True))
            for layer in zip(params, grads, strict=True)
        ]
        losses.append(value)
    return Run(numpy.array(losses), (time.perf_counter() - start) / steps)


def main():
    """Train twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a few steps on little images")
    options = parser.parse_args()
    size = (3, 4, 16) if options.small else (options.steps, 50, 28)

    runs = {"before": train(Before, *size), "after": train(After, *size)}
    print(f"{'':10}{'a step':>12}{'gain':>8}{'last loss':>13}")
    for name, run in runs.items():
        gain = runs["before"].step / run.step
        print(f"{name:10}{1e3 * run.step:9.2f} ms{gain:7.1f}x{run.losses[-1]:13.6f}")
    apart = numpy.abs(runs["after"].losses / runs["before"].losses - 1).max()
    print(f"largest relative difference of a loss, before and after: {apart:.1e}")


if __name__ == "__main__":
    main()
