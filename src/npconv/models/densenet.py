"""DenseNet (Huang et al. 2016) as torchvision defines it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from npconv.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    DenseBlock,
    Flatten,
    Initialiser,
    Layer,
    MaxPool2d,
    ReLU,
    Sequential,
)
from npconv.models.maker import Maker

_BOTTLENECK = 4  # channels between the 1x1 and the 3x3, in units of the growth


def densenet(
    blocks: Sequence[int],
    num_classes: int = 1000,
    *,
    growth: int = 32,
    first_channels: int = 64,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """Dense blocks, each but the last followed by a transition that halves channels and size.

    ``(N, 3, H, W) -> (N, num_classes)``. Takes torchvision's weights; see ``load_state_dict``.

    Parameters
    ----------
    blocks : sequence of int
        How many dense layers each block has.
    growth : int
        How many channels each dense layer adds.
    first_channels : int
        Outputs of the first convolution.
    num_classes, rng, init, dtype
        As in :func:`npconv.models.alexnet`.
    """
    make = Maker(rng, init, dtype)
    channels = first_channels
    features: dict[str, Layer] = {
        "conv0": make.conv(3, channels, 7, stride=2, padding=3, bias=False),
        "norm0": make.norm(channels),
        "relu0": ReLU(),
        "pool0": MaxPool2d(3, 2, 1),
    }
    for i, count in enumerate(blocks, 1):
        features[f"denseblock{i}"] = DenseBlock(
            {
                f"denselayer{j + 1}": _dense_layer(make, channels + j * growth, growth)
                for j in range(count)
            }
        )
        channels += count * growth
        if i < len(blocks):
            features[f"transition{i}"] = _transition(make, channels)
            channels //= 2
    features["norm5"] = make.norm(channels)
    return Sequential(
        {
            "features": Sequential(features),
            "relu": ReLU(),
            "avgpool": AdaptiveAvgPool2d(1),
            "flatten": Flatten(),
            "classifier": make.linear(channels, num_classes),
        }
    )


def _dense_layer(make: Maker, channels: int, growth: int) -> Sequential:
    inner = _BOTTLENECK * growth
    return Sequential(
        {
            "norm1": make.norm(channels),
            "relu1": ReLU(),
            "conv1": make.conv(channels, inner, 1, bias=False),
            "norm2": make.norm(inner),
            "relu2": ReLU(),
            "conv2": make.conv(inner, growth, 3, padding=1, bias=False),
        }
    )


def _transition(make: Maker, channels: int) -> Sequential:
    return Sequential(
        {
            "norm": make.norm(channels),
            "relu": ReLU(),
            "conv": make.conv(channels, channels // 2, 1, bias=False),
            "pool": AvgPool2d(2),
        }
    )


def densenet121(num_classes: int = 1000, **options: Any) -> Sequential:
    """DenseNet-121, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`densenet`."""
    return densenet((6, 12, 24, 16), num_classes, **options)
