"""Accuracy against cost, network by network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from npconv.viz.figure import BLUE, INK, SOFT, new_figure, save


class Bubble(NamedTuple):
    """A network: its name, multiply-adds for one image, parameters, and accuracy from 0 to 1."""

    name: str
    operations: float
    parameters: float
    accuracy: float


def save_bubbles(path: str | os.PathLike[str], networks: Sequence[Bubble]) -> Path:
    """Draw accuracy against operations; a bubble's area grows with the parameters."""
    figure = new_figure(8, 5.5, "Accuracy, operations and parameters")
    axes = figure.subplots()
    largest = max((network.parameters for network in networks), default=1)
    for network in networks:
        percent = 100 * network.accuracy
        axes.scatter(
            network.operations, percent, s=2500 * network.parameters / largest + 10,
            color=BLUE, alpha=0.45, edgecolor=BLUE,
        )  # fmt: skip
        axes.annotate(
            f"{network.name}\n{_short(network.parameters)} parameters",
            (network.operations, percent),
            xytext=(8, 6),
            textcoords="offset points",
            fontsize=8,
            color=INK,
        )
    axes.set_xscale("log")
    if networks:
        operations = np.array([network.operations for network in networks])
        axes.set_xlim(operations.min() / 2.5, operations.max() * 4)
        axes.margins(y=0.2)
    axes.set_xlabel("multiply-adds for one image", color=INK)
    axes.set_ylabel("test accuracy, %", color=INK)
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(SOFT)
    return save(figure, path)


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"
