"""The images that a network gets wrong."""

from __future__ import annotations

import math
import os
from pathlib import Path

from npconv.checks import Array
from npconv.viz.figure import INK, RED, new_figure, save
from npconv.viz.tiles import show

_MOST = 40
_COLUMNS = 8


def save_mistakes(
    path: str | os.PathLike[str], images: Array, labels: Array, predictions: Array
) -> Path:
    """Draw those of the images ``(N, H, W)`` whose prediction is not the label, at most 40."""
    wrong = (labels != predictions).nonzero()[0]
    shown = wrong[:_MOST]
    rows = max(math.ceil(len(shown) / _COLUMNS), 1)
    columns = min(_COLUMNS, max(len(shown), 4))
    title = f"{len(wrong):,} of {len(labels):,} read wrongly"
    if len(shown) < len(wrong):
        title += f", the first {_MOST}"

    figure = new_figure(1.35 * columns, 0.6 + 1.5 * rows, title)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, i in zip(panels, shown, strict=False):
        show(axes, images[i], "gray_r", 0, float(images[i].max()) or 1.0)
        axes.set_title(f"is {labels[i]}", fontsize=9, color=INK, loc="left", pad=3)
        axes.set_title(f"read as {predictions[i]}", fontsize=9, color=RED, loc="right", pad=3)
    return save(figure, path)
