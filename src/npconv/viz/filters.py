"""The first layer's filters, before and after training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from npconv.checks import Array
from npconv.viz.figure import caption, new_figure, save
from npconv.viz.tiles import show, tile


def save_filters(path: str | os.PathLike[str], before: Array, after: Array) -> Path:
    """Draw two sets of filters ``(K, 1, R, S)`` or ``(K, 3, R, S)`` side by side.

    Each set has its own scale, symmetric about zero. Filters over one channel: red adds, blue takes
    away, white ignores. Over three: each channel in its own colour, grey ignores.
    """
    figure = new_figure(10, 4.5, "What the first layer looks for")
    panels = figure.subplots(1, 2)
    for axes, text, filters in zip(
        panels, ("before training", "after training"), (before, after), strict=True
    ):
        if filters.ndim != 4 or filters.shape[1] not in (1, 3):
            raise ValueError(
                f"filters have shape {filters.shape}, expected (K, 1, R, S) or (K, 3, R, S)"
            )
        caption(axes, text)
        limit = float(np.abs(filters).max()) or 1.0
        if filters.shape[1] == 3:
            _show_colours(axes, filters / (2 * limit) + 0.5)
            continue
        image = show(axes, tile(filters[:, 0]), "RdBu_r", -limit, limit)
        bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.03, aspect=30)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)
    return save(figure, path)


def _show_colours(axes: Any, filters: Array) -> None:
    sheets = np.stack([tile(filters[:, channel]) for channel in range(3)], axis=-1)
    axes.set_axis_off()
    axes.imshow(np.where(np.isnan(sheets), 1, sheets), interpolation="nearest")
