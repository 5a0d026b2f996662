"""The images that a network gets wrong."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from npconv.checks import Array
from npconv.viz.colours import show_image
from npconv.viz.figure import INK, RED, new_figure, save

_MOST = 40
_COLUMNS = 8


def save_mistakes(
    path: str | os.PathLike[str],
    images: Array,
    labels: Array,
    predictions: Array,
    names: Sequence[str] | None = None,
) -> Path:
    """Draw those of the images whose prediction is not the label, at most 40.

    Images are ``(N, H, W)`` or ``(N, C, H, W)``; `names` are those of the classes.
    """
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
        show_image(axes, images[i])
        if names is None:
            axes.set_title(f"is {labels[i]}", fontsize=9, color=INK, loc="left", pad=3)
            axes.set_title(f"read as {predictions[i]}", fontsize=9, color=RED, loc="right", pad=3)
        else:
            text = f"{names[labels[i]]}\nread as {names[predictions[i]]}"
            axes.set_title(text, fontsize=7, color=RED, pad=3)
    return save(figure, path)
