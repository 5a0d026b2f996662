"""Train a classifier and measure it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from npconv.checks import Array
from npconv.data import Dataset, batches
from npconv.layers import Sequential, SoftmaxCrossEntropy
from npconv.optim import Optimiser


class History(NamedTuple):
    """The loss of every step, the test accuracy after every epoch, the seconds spent training."""

    losses: list[float]
    accuracies: list[float]
    seconds: float


def train(
    net: Sequential,
    optimiser: Optimiser,
    data: Dataset,
    *,
    epochs: int,
    batch: int,
    cool_down: int,
    rng: np.random.Generator,
    after_step: Callable[[float], None],
    after_epoch: Callable[[float], None],
) -> History:
    """Show `net` all training images `epochs` times, and the test images after each epoch.

    The last `cool_down` epochs use a tenth of the learning rate, which settles what the steps of
    the others still throw about.

    `after_step` gets each step's loss, `after_epoch` each epoch's test accuracy.
    """
    loss = SoftmaxCrossEntropy()
    history = History([], [], 0.0)
    seconds = 0.0
    for epoch in range(epochs):
        if epoch == epochs - cool_down:
            optimiser.learning_rate /= 10
        start = time.perf_counter()
        for images, labels in batches(data.train_images, data.train_labels, batch, rng):
            history.losses.append(step(net, loss, optimiser, images, labels))
            after_step(history.losses[-1])
        seconds += time.perf_counter() - start
        history.accuracies.append(accuracy(net, data.test_images, data.test_labels))
        after_epoch(history.accuracies[-1])
    return history._replace(seconds=seconds)


def step(
    net: Sequential,
    loss: SoftmaxCrossEntropy,
    optimiser: Optimiser,
    images: Array,
    labels: Array,
) -> float:
    """Train on one batch and return its loss before the update."""
    value = loss.forward(net.forward(images), labels)
    net.backward_params(loss.backward())
    optimiser.update(net.params, net.grads)
    return value


def predict(net: Sequential, images: Array, batch: int = 500) -> Array:
    """Return the most likely class of every image."""
    net.eval()
    starts = range(0, len(images), batch)
    scores = [net.forward(images[start : start + batch]) for start in starts]
    net.train()
    predictions: Array = np.concatenate(scores).argmax(axis=1)
    return predictions


def accuracy(net: Sequential, images: Array, labels: Array) -> float:
    """Return the share of images that `net` reads right."""
    return float(np.mean(predict(net, images) == labels))
