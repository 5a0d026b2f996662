"""Many small images laid out as one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from npconv.checks import Array


def tile(images: Array, columns: int | None = None) -> Array:
    """Lay out ``(K, H, W)`` in rows of `columns` with gaps of NaN, ``-> (rows, columns)`` pixels.

    Unless given, `columns` makes the sheet about as wide as it is high.
    """
    count, height, width = images.shape
    columns = columns or max(math.ceil(math.sqrt(count)), 1)
    rows = max(math.ceil(count / columns), 1)
    gap = max(1, round(width / 12))
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + gap), i % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def show(axes: Any, sheet: Array, colours: str, low: float, high: float) -> Any:
    """Draw a sheet on matplotlib `axes`, values `low` to `high`; gaps stay white."""
    axes.set_axis_off()
    return axes.imshow(sheet, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
