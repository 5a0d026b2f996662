"""Convolution and pooling, one window after the other."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

import npconv
from npconv.checks import Array
from npconv.viz.figure import new_figure, save
from npconv.viz.lessons import examples
from npconv.viz.lessons.grid import PADDING, PAPER, RESULT, WINDOW, draw_grid, sign, stage


def save_convolution(path: str | os.PathLike[str]) -> Path:
    """Draw the 3x3 convolution of a 4x4 image in its four steps, with the products of each."""
    image, kernel = examples.image(), examples.kernel()
    result = npconv.conv2d(image[None, None], kernel[None, None])[0, 0]
    figure = new_figure(12, 6.5, "Convolution: multiply what lies under the filter, and add")
    for step, axes in enumerate(figure.subplots(2, 2).ravel()):
        i, j = divmod(step, result.shape[1])
        stage(axes, 12.5, 5.4)
        _input(axes, image, (i, j, 3, 3))
        sign(axes, 4.75, 2, "⋆")
        draw_grid(axes, kernel, (5.5, 0.5), text="filter")
        sign(axes, 9.25, 2, "=")
        _output(axes, result, step, (10, 1))
        window = image[i : i + 3, j : j + 3]
        products = " + ".join(
            f"{a:.0f}·{b:.0f}" for a, b in zip(window.flat, kernel.flat, strict=True)
        )
        sign(axes, 6.25, 5, f"{products} = {result[i, j]:.0f}", size=9)
    return save(figure, path)


def save_pooling(path: str | os.PathLike[str]) -> Path:
    """Draw 2x2 maximum pooling with stride 2 of a 4x4 image in its four steps."""
    image = np.array([[1, 2, 1, 0], [0, 1, 2, 3], [3, 0, 1, 2], [2, 4, 0, 1]], np.float64)
    result = npconv.max_pool2d(image[None, None], 2)[0, 0]
    figure = new_figure(8, 5.5, "Maximum pooling: of each window, the largest value")
    for step, axes in enumerate(figure.subplots(2, 2).ravel()):
        i, j = divmod(step, result.shape[1])
        stage(axes, 8, 4)
        _input(axes, image, (2 * i, 2 * j, 2, 2))
        sign(axes, 5, 2, "→")
        _output(axes, result, step, (6, 1))
    return save(figure, path)


def save_padding(path: str | os.PathLike[str]) -> Path:
    """Draw the same convolution without padding and with one zero all around."""
    image, kernel = examples.image(), examples.kernel()
    figure = new_figure(11, 8, "Padding: zeros around the image keep its size")
    for axes, padding in zip(figure.subplots(2, 1), (0, 1), strict=True):
        result = npconv.conv2d(image[None, None], kernel[None, None], padding=padding)[0, 0]
        padded = npconv.pad(image, padding)
        colours = np.full(padded.shape, PADDING, object)
        colours[padding : padding + 4, padding : padding + 4] = PAPER
        height = len(padded)
        stage(axes, 16, 6)
        name = f"image 4 × 4, padding {padding}"
        draw_grid(axes, padded, (0, 0), colours=colours, frames=[(0, 0, 3, 3)], text=name)
        sign(axes, height + 0.75, height / 2, "⋆")
        draw_grid(axes, kernel, (height + 1.5, (height - 3) / 2), text="filter 3 × 3")
        sign(axes, height + 5.25, height / 2, "=")
        size = len(result)
        draw_grid(
            axes, result, (height + 6, (height - size) / 2), colours=RESULT,
            text=f"(4 + 2·{padding} − 3) / 1 + 1 = {size}",
        )  # fmt: skip
    return save(figure, path)


def save_stride(path: str | os.PathLike[str]) -> Path:
    """Draw a 3x3 convolution of a 7x7 image with stride 1 and 2: where each window begins."""
    image, kernel = examples.larger(), examples.kernel()
    figure = new_figure(11, 9, "Stride: how far the filter moves between two outputs")
    for axes, stride in zip(figure.subplots(2, 1), (1, 2), strict=True):
        result = npconv.conv2d(image[None, None], kernel[None, None], stride=stride)[0, 0]
        colours = np.full(image.shape, PAPER, object)
        colours[:5:stride, :5:stride] = WINDOW
        stage(axes, 15, 7)
        first_two = [(0, 0, 3, 3), (0, stride, 3, 3)]
        draw_grid(axes, image, colours=colours, frames=first_two, text="image 7 × 7")
        size = len(result)
        sign(axes, 8, 3.5, "→")
        draw_grid(
            axes, result, (9, (7 - size) / 2), colours=RESULT,
            text=f"stride {stride}: ⌊(7 − 3) / {stride}⌋ + 1 = {size}",
        )  # fmt: skip
    return save(figure, path)


def _input(axes: object, image: Array, frame: tuple[int, int, int, int]) -> None:
    top, left, height, width = frame
    colours = np.full(image.shape, PAPER, object)
    colours[top : top + height, left : left + width] = WINDOW
    draw_grid(axes, image, colours=colours, frames=[frame], text="image")


def _output(axes: object, result: Array, step: int, at: tuple[float, float]) -> None:
    """Draw the outputs up to this step's."""
    later = np.arange(result.size).reshape(result.shape) > step
    colours = np.where(later, PAPER, RESULT).astype(object)
    i, j = divmod(step, result.shape[1])
    draw_grid(axes, result, at, colours=colours, frames=[(i, j, 1, 1)], hidden=later, text="result")
