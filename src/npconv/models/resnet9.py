"""A residual network of nine layers for small images (after Page 2018)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv.layers import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Flatten,
    Initialiser,
    Layer,
    MaxPool2d,
    ReLU,
    Residual,
    Sequential,
)
from npconv.models.maker import Maker


def resnet9(
    input_shape: tuple[int, int, int] = (3, 32, 32),
    filters: int = 64,
    classes: int = 10,
    *,
    rng: np.random.Generator,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """Four stages of 3×3 convolutions, the second and the fourth with a residual block.

    ``(N, *input_shape) -> (N, classes)``. Each convolution is followed by batch normalisation and
    ReLU; from the second on, a stage doubles the filters and halves the image by pooling. All
    stages but the first take the same number of operations. Images are normalised by the first
    layer, whose statistics are part of the network.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of an image, which must be 8×8 or larger.
    filters : int
        Of the first convolution; those of the stages are 1, 2, 4 and 8 times as many.
    classes : int
        Outputs of the affine layer.
    rng : numpy.random.Generator
        Source of the initial weights.
    init : callable, optional
        Initialiser of all weights; ``he`` unless given.
    dtype : dtype
        Of the parameters.
    """
    make = Maker(rng, init, dtype)
    channels, height, width = input_shape
    if min(height, width) < 8:
        raise ValueError(f"input_shape is {input_shape}: three poolings leave nothing of it")

    def conv(inputs: int, outputs: int) -> list[Layer]:
        # Batch normalisation adds a bias of its own.
        return [make.conv(inputs, outputs, 3, padding=1, bias=False), make.norm(outputs), ReLU()]

    def stage(inputs: int, outputs: int, *, residual: bool) -> Sequential:
        convolution, norm, relu = conv(inputs, outputs)
        layers = [convolution, MaxPool2d(2), norm, relu]
        if residual:
            layers.append(Residual(*conv(outputs, outputs), *conv(outputs, outputs)))
        return Sequential(*layers)

    return Sequential(
        {
            "norm": BatchNorm2d(channels, affine=False, dtype=dtype),
            "stage1": Sequential(*conv(channels, filters)),
            "stage2": stage(filters, 2 * filters, residual=True),
            "stage3": stage(2 * filters, 4 * filters, residual=False),
            "stage4": stage(4 * filters, 8 * filters, residual=True),
            "pool": AdaptiveAvgPool2d(1),
            "flatten": Flatten(),
            "fc": make.linear(8 * filters, classes),
        }
    )
