"""What is taken for what."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from npconv.checks import Array
from npconv.insight import confusion_matrix
from npconv.viz.colours import class_name
from npconv.viz.figure import INK, new_figure, save


def save_confusion(
    path: str | os.PathLike[str],
    labels: Array,
    predictions: Array,
    names: Sequence[str] | None = None,
) -> Path:
    """Draw how often each class (row) was taken for each class (column)."""
    counts = confusion_matrix(labels, predictions, None if names is None else len(names))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.trace(counts) / max(counts.sum(), 1)
    figure = new_figure(7, 6.6, f"What is taken for what: {100 * right:.2f} % right")
    axes = figure.subplots()
    axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1)  # the root shows rare mistakes
    for (i, j), count in np.ndenumerate(counts):
        if count:
            colour = "white" if share[i, j] > 0.4 else INK
            axes.text(j, i, f"{count}", ha="center", va="center", fontsize=8, color=colour)
    ticks = np.arange(len(counts))
    texts = [class_name(names, i) for i in ticks]
    turned = 45 if max(map(len, texts), default=0) > 3 else 0
    axes.set_xticks(ticks, texts, fontsize=9, color=INK, rotation=turned)
    axes.set_yticks(ticks, texts, fontsize=9, color=INK)
    axes.set_xlabel("read as", color=INK)
    axes.set_ylabel("is", color=INK)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return save(figure, path)
