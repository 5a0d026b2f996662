"""What small filters do to a photograph."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import npconv
from npconv._extras import require
from npconv.checks import Array
from npconv.viz.figure import caption, new_figure, save

_GAUSS = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16

FILTERS: dict[str, Array] = {
    "identity": np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    "edges": np.array([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]]),
    "vertical edges": np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    "horizontal edges": np.array([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]),
    "sharpen": np.array([[0.0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
    "box blur 5 × 5": np.full((5, 5), 1 / 25),
    "Gaussian blur 5 × 5": np.outer(_GAUSS, _GAUSS),
}


def photograph() -> Array:
    """Return a grey image (H, W) from 0 to 1: scikit-learn's flower if it is there, else drawn."""
    try:
        datasets = require("sklearn.datasets", "a photograph", package="scikit-learn")
        pixels = datasets.load_sample_image("flower.jpg")
    except ImportError:  # no scikit-learn, or no Pillow for it to read the image with
        return _drawn()
    grey: Array = pixels[60:380, 120:520].mean(axis=2) / 255
    return grey


def _drawn() -> Array:
    """Return discs and stripes on a slope of light."""
    rows, columns = np.mgrid[0:160, 0:200]
    image: Array = 0.25 + 0.3 * columns / 200
    image[(rows - 60) ** 2 + (columns - 70) ** 2 < 40**2] = 0.9
    image[(rows - 75) ** 2 + (columns - 85) ** 2 < 18**2] = 0.1
    stripes = (rows > 110) & (columns > 20) & (columns < 180)
    image[stripes] = 0.5 + 0.4 * np.sign(np.sin(columns[stripes] ** 1.5 / 25))
    return image


def filtered(image: Array, kernel: Array) -> Array:
    """Return the cross-correlation of (H, W) with `kernel`, of the image's size."""
    result: Array = npconv.conv2d(image[None, None], kernel[None, None], padding="same")[0, 0]
    return result


def save_gallery(path: str | os.PathLike[str], image: Array | None = None) -> Path:
    """Draw a photograph, or `image` (H, W), under the filters in ``FILTERS``."""
    image = photograph() if image is None else image
    figure = new_figure(13, 6.2, "What small filters do to a photograph")
    panels = figure.subplots(2, 4).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, (name, kernel) in zip(panels, FILTERS.items(), strict=False):
        result = filtered(image, kernel)
        # Edges are positive and negative: their strength is shown.
        shown = np.abs(result) if "edges" in name else result
        axes.imshow(shown, cmap="gray", vmin=0, vmax=1)
        caption(axes, name)
    panels[-1].text(
        0.5, 0.5, _written(FILTERS["sharpen"]), ha="center", va="center", family="monospace",
        fontsize=11,
    )  # fmt: skip
    caption(panels[-1], "the filter that sharpens")
    return save(figure, path)


def _written(kernel: Array) -> str:
    return "\n".join("  ".join(f"{value:2.0f}" for value in row) for row in kernel)
