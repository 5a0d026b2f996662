"""How a trained network degrades."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from npconv.checks import Array
from npconv.insight import add_noise, add_white_dots, fast_gradient_sign
from npconv.layers import Layer
from npconv.training import accuracy
from npconv.viz.colours import show_image
from npconv.viz.figure import BLUE, INK, RED, SOFT, caption, new_figure, save

_AMOUNTS = np.array([0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3])


def save_robustness(
    path: str | os.PathLike[str],
    net: Layer,
    images: Array,
    labels: Array,
    rng: np.random.Generator,
) -> Path:
    """Draw the accuracy under white dots, noise and the gradient-sign attack of growing amount.

    The amount is the share of pixels that become white, the noise's standard deviation, or how far
    the attack moves each pixel: noise of the same size harms far less than an attack.
    """
    kinds: dict[str, Callable[[float], Array]] = {
        "white dots": lambda amount: add_white_dots(images, rng, amount),
        "noise": lambda amount: add_noise(images, rng, amount),
        "gradient-sign attack": lambda amount: fast_gradient_sign(net, images, labels, amount),
    }
    figure = new_figure(9, 6.5, "How the trained network bears damaged images")
    grid = figure.add_gridspec(2, 4, height_ratios=[2, 1])
    axes = figure.add_subplot(grid[0, :])
    examples = {"the image": images[0]}
    for colour, (name, damage) in zip((SOFT, BLUE, RED), kinds.items(), strict=True):
        damaged = [damage(float(amount)) for amount in _AMOUNTS]
        percent = [100 * accuracy(net, changed, labels) for changed in damaged]
        axes.plot(_AMOUNTS, percent, color=colour, marker="o", ms=4, linewidth=1.8, label=name)
        examples[f"{name}, {_AMOUNTS[3]:g}"] = damaged[3][0]
    axes.set_xlabel("amount", color=INK)
    axes.set_ylabel("accuracy, %", color=INK)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    for i, (name, image) in enumerate(examples.items()):
        panel = figure.add_subplot(grid[1, i])
        show_image(panel, image, dark_ink=False)
        caption(panel, name)
    return save(figure, path)
