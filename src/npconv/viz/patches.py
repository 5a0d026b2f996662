"""What makes the filters of a layer fire."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from npconv.checks import Array
from npconv.insight import Patches
from npconv.viz.colours import show_image
from npconv.viz.figure import INK, SOFT, new_figure, save

_MOST = 24


def save_patches(path: str | os.PathLike[str], found: Patches, title: str) -> Path:
    """Draw the pieces of images that each filter answered to most, a strip for each filter.

    Parameters
    ----------
    path
        Of the PNG.
    found : Patches
        From :func:`npconv.insight.strongest_patches`; the first 24 filters are drawn.
    title : str
        Above the picture.
    """
    filters = min(len(found.patches), _MOST)
    columns = 2 if filters > 6 else 1
    rows = max(math.ceil(filters / columns), 1)
    _, count, _, height, width = found.patches.shape
    figure = new_figure(5.6 * columns, 0.8 + rows * min(5.0 / count * height / width, 1.5), title)
    panels = figure.subplots(rows, columns, squeeze=False).T.ravel()
    for axes in panels:
        axes.set_axis_off()
    for k, axes in zip(range(filters), panels, strict=False):
        show_image(axes, _strip(found.patches[k]))
        axes.text(
            -0.02, 0.5, f"{k}", transform=axes.transAxes, ha="right", va="center", color=INK, size=9
        )
        if not found.values[k].any():
            axes.text(
                0.5, 0.5, "never fires", transform=axes.transAxes, ha="center", va="center",
                color=SOFT, size=9,
            )  # fmt: skip
    return save(figure, path)


def _strip(patches: Array) -> Array:
    """Lay (count, C, h, w) side by side with white gaps, ``-> (C, h, count * (w + gap) - gap)``."""
    count, channels, height, width = patches.shape
    gap = max(1, width // 8)
    white = 1.0 if channels == 3 else 0.0  # one channel is ink on paper
    strip = np.full((channels, height, count * (width + gap) - gap), white)
    for i, patch in enumerate(patches):
        strip[:, :, i * (width + gap) : i * (width + gap) + width] = patch
    return strip
