"""The eight-layer network of the book 'Deep Learning from Scratch'."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv.layers import Flatten, Initialiser, Layer, MaxPool2d, ReLU, Sequential
from npconv.models.maker import Maker

# Filters and padding of the convolutions; all are 3x3, and every second one is pooled.
_CONVOLUTIONS = ((16, 1), (16, 1), (32, 1), (32, 2), (64, 1), (64, 1))


def deep_convnet(
    input_shape: tuple[int, int, int] = (1, 28, 28),
    hidden: int = 50,
    classes: int = 10,
    *,
    dropout: float = 0.5,
    rng: np.random.Generator,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """Three times convolution - ReLU - convolution - ReLU - pooling, then two affine layers.

    ``(N, *input_shape) -> (N, classes)``. The 3×3 filters are 16, 16, 32, 32, 64 and 64; dropout
    follows both affine layers, as in the book.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of an image.
    hidden, classes : int
        Outputs of the first and the second affine layer.
    dropout : float
        The probability with which a value is dropped in training.
    rng : numpy.random.Generator
        Source of the initial weights and of the masks of dropout.
    init : callable, optional
        Initialiser of all weights; ``he`` unless given, as in the book.
    dtype : dtype
        Of the parameters.
    """
    make = Maker(rng, init, dtype)
    channels, *sides = input_shape
    layers: dict[str, Layer] = {}
    for i, (filters, padding) in enumerate(_CONVOLUTIONS, 1):
        layers[f"conv{i}"] = make.conv(channels, filters, 3, padding=padding)
        layers[f"relu{i}"] = ReLU()
        sides = [side + 2 * padding - 2 for side in sides]
        if i % 2 == 0:
            layers[f"pool{i // 2}"] = MaxPool2d(2)
            sides = [side // 2 for side in sides]
        channels = filters
    if min(sides) < 1:
        raise ValueError(f"input_shape is {input_shape}: three poolings leave nothing of it")
    layers |= {
        "flatten": Flatten(),
        "fc1": make.linear(channels * sides[0] * sides[1], hidden),
        "relu7": ReLU(),
        "dropout1": make.dropout(dropout),
        "fc2": make.linear(hidden, classes),
        "dropout2": make.dropout(dropout),
    }
    return Sequential(layers)
