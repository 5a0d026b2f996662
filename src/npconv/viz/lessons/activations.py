"""ReLU against tanh in training."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from npconv.data import Dataset
from npconv.layers import Conv2d, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential, Tanh
from npconv.optim import SGD
from npconv.training import Trainer
from npconv.viz.figure import BLUE, INK, RED, SOFT, new_figure, save


def save_activations(
    path: str | os.PathLike[str], data: Dataset, *, epochs: int = 6, seed: int = 0
) -> Path:
    """Train the same small network with ReLU and with tanh, and draw both losses.

    Krizhevsky et al. 2012 drew this figure: a network of ReLUs reaches the same training error in
    a fraction of the steps. Same initial weights, same order of images, plain SGD.
    """
    figure = new_figure(8, 5, "ReLU and tanh in training")
    axes = figure.subplots()
    for name, activation, colour in (("ReLU", ReLU, BLUE), ("tanh", Tanh, RED)):
        rng = np.random.default_rng(seed)
        trainer = Trainer(_network(activation, data, rng), SGD(0.02), rng=rng)
        losses = trainer.fit(data, epochs, 50, progress=False).losses
        steps = len(losses) // epochs
        smooth = np.convolve(losses, np.full(steps, 1 / steps), "valid")
        axes.plot(np.arange(len(smooth)) / steps + 1, smooth, color=colour, linewidth=2, label=name)
    axes.set_yscale("log")
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel("training loss, mean over an epoch", color=INK)
    axes.legend(frameon=False, labelcolor=INK)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(SOFT)
    return save(figure, path)


def _network(
    activation: Callable[[], Layer], data: Dataset, rng: np.random.Generator
) -> Sequential:
    channels, height, width = data.train_images.shape[1:]
    return Sequential(
        Conv2d(channels, 8, 3, padding=1, rng=rng),
        activation(),
        Conv2d(8, 16, 3, padding=1, rng=rng),
        activation(),
        MaxPool2d(2),
        Flatten(),
        Linear(16 * (height // 2) * (width // 2), 32, rng=rng),
        activation(),
        Linear(32, int(data.train_labels.max()) + 1, rng=rng),
    )
