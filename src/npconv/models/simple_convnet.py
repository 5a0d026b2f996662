"""The small network of the book 'Deep Learning from Scratch'."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from npconv.layers import Conv2d, Flatten, Initialiser, Linear, MaxPool2d, ReLU, Sequential, normal


def simple_convnet(
    input_shape: tuple[int, int, int] = (1, 28, 28),
    filters: int = 30,
    kernel_size: int = 5,
    hidden: int = 100,
    classes: int = 10,
    *,
    padding: int = 0,
    rng: np.random.Generator,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """Convolution - ReLU - pooling - affine - ReLU - affine, ``(N, *input_shape) -> (N, classes)``.

    Train it with :class:`npconv.layers.SoftmaxCrossEntropy`.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of an image.
    filters, kernel_size, padding : int
        Of the convolution: how many filters, their height and width, and the zeros around an image.
    hidden, classes : int
        Outputs of the first and the second affine layer.
    rng : numpy.random.Generator
        Source of the initial weights.
    init : callable, optional
        Initialiser of all weights; the book's ``normal(0.01)`` unless given. See
        :mod:`npconv.layers.initialisers`.
    dtype : dtype
        Of the parameters.

    Returns
    -------
    Sequential
        With layers ``conv1, relu1, pool1, flatten, fc1, relu2, fc2``.
    """
    options: dict[str, Any] = {"rng": rng, "init": init or normal(0.01), "dtype": dtype}
    channels, *sides = input_shape
    pooled = [(side + 2 * padding - kernel_size + 1) // 2 for side in sides]
    if min(pooled) < 1:
        raise ValueError(
            f"input_shape is {input_shape}: nothing is left of it after a convolution with "
            f"kernel_size={kernel_size}, padding={padding} and 2x2 pooling"
        )
    return Sequential(
        {
            "conv1": Conv2d(channels, filters, kernel_size, padding=padding, **options),
            "relu1": ReLU(),
            "pool1": MaxPool2d(2),
            "flatten": Flatten(),
            "fc1": Linear(filters * math.prod(pooled), hidden, **options),
            "relu2": ReLU(),
            "fc2": Linear(hidden, classes, **options),
        }
    )
