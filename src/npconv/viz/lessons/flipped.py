"""True convolution against cross-correlation."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import npconv
from npconv.viz.figure import new_figure, save
from npconv.viz.lessons import examples
from npconv.viz.lessons.grid import RESULT, draw_grid, sign, stage


def save_flipped(path: str | os.PathLike[str]) -> Path:
    """Draw one point and the worked example under both operations.

    Cross-correlation f ⋆ g slides the filter as it is, and prints it upside down around a point;
    the convolution f ∗ g of mathematics turns it by 180° first, so that a point becomes the filter.
    """
    point = np.zeros((3, 3))
    point[1, 1] = 1
    kernel = examples.kernel()
    turned = kernel[::-1, ::-1].copy()
    figure = new_figure(10, 10.5, "Cross-correlation f ⋆ g and convolution f ∗ g")
    panels = figure.subplots(4, 1)
    rows = [
        (point, kernel, 1, "⋆", "cross-correlation of a point: the filter, turned round"),
        (point, turned, 1, "∗", "convolution of a point: the filter itself"),
        (examples.image(), kernel, 0, "⋆", "cross-correlation: what networks and npconv compute"),
        (examples.image(), turned, 0, "∗", "convolution: the same with the filter turned round"),
    ]
    for axes, (image, used, padding, mark, text) in zip(panels, rows, strict=True):
        result = npconv.conv2d(image[None, None], used[None, None], padding=padding)[0, 0]
        size = len(image)
        stage(axes, 17, 4.6)
        draw_grid(axes, image, text="f")
        sign(axes, size + 0.75, size / 2, mark)
        middle = (size - 3) / 2
        draw_grid(axes, kernel, (size + 1.5, middle), text="g")
        sign(axes, size + 5.25, size / 2, "=")
        at = (size + 6, (size - len(result)) / 2)
        draw_grid(axes, result, at, colours=RESULT)
        axes.text(size + 7 + len(result), size / 2, text, va="center", fontsize=9)
    return save(figure, path)
