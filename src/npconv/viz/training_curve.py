"""How training went."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.viz.figure import BLUE, INK, RED, SOFT, new_figure, save


def save_training_curve(
    path: str | os.PathLike[str], losses: Sequence[float], accuracies: Sequence[float]
) -> Path:
    """Draw the loss of every step and the test accuracy (0 to 1) after every epoch."""
    figure = new_figure(8, 6, "Training")
    upper, lower = figure.subplots(2, 1, sharex=True)

    epochs = np.arange(1, len(losses) + 1) * (len(accuracies) / max(len(losses), 1))
    upper.plot(epochs, losses, color=BLUE, alpha=0.25, linewidth=0.8, label="each batch")
    upper.plot(epochs, _smooth(losses), color=BLUE, linewidth=1.8, label="running mean")
    upper.set_yscale("log")
    _dress(upper, "training loss")
    upper.legend(frameon=False, fontsize=9, labelcolor=INK)

    percent = 100 * np.asarray(accuracies)
    lower.plot(np.arange(1, len(percent) + 1), percent, color=RED, linewidth=1.8, marker="o", ms=4)
    if len(percent):
        lower.annotate(
            f"{percent[-1]:.2f} %",
            (len(percent), percent[-1]),
            xytext=(0, -16),
            textcoords="offset points",
            ha="right",
            color=RED,
            fontsize=10,
        )
    _dress(lower, "test accuracy, %")
    lower.set_xlabel("epoch", color=INK)
    lower.set_xlim(0, len(accuracies) * 1.02 or 1)
    return save(figure, path)


def _smooth(values: Sequence[float]) -> Array:
    """Return the mean of each value and its neighbours, 1/40 of all values in all."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    centres, reach = np.arange(len(values)), len(values) // 80
    starts = np.maximum(centres - reach, 0)
    ends = np.minimum(centres + reach + 1, len(values))
    smooth: Array = (sums[ends] - sums[starts]) / (ends - starts)
    return smooth


def _dress(axes: Any, label: str) -> None:
    axes.set_ylabel(label, color=INK)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(SOFT)
    axes.tick_params(colors=INK, labelsize=9)
