"""The first network of CS231n's notes: INPUT - CONV - RELU - POOL - FC."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv.layers import Flatten, Initialiser, MaxPool2d, ReLU, Sequential
from npconv.models.maker import Maker


def cifar_convnet(
    input_shape: tuple[int, int, int] = (3, 32, 32),
    filters: int = 12,
    classes: int = 10,
    *,
    rng: np.random.Generator,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """One convolution of 3×3, ReLU, 2×2 pooling and an affine layer, for CIFAR-10.

    ``(N, *input_shape) -> (N, classes)``.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of an image.
    filters, classes : int
        Outputs of the convolution and of the affine layer.
    rng : numpy.random.Generator
        Source of the initial weights.
    init : callable, optional
        Initialiser of all weights; ``he`` unless given.
    dtype : dtype
        Of the parameters.
    """
    make = Maker(rng, init, dtype)
    channels, height, width = input_shape
    if min(height, width) < 2:
        raise ValueError(f"input_shape is {input_shape}: 2x2 pooling leaves nothing of it")
    return Sequential(
        {
            "conv1": make.conv(channels, filters, 3, padding=1),
            "relu1": ReLU(),
            "pool1": MaxPool2d(2),
            "flatten": Flatten(),
            "fc1": make.linear(filters * (height // 2) * (width // 2), classes),
        }
    )
