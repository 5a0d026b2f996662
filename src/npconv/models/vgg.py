"""VGG (Simonyan and Zisserman 2014), with and without batch normalisation, as in torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from npconv.layers import (
    AdaptiveAvgPool2d,
    Flatten,
    Initialiser,
    Layer,
    MaxPool2d,
    ReLU,
    Sequential,
)
from npconv.models.maker import Maker

_FILTERS = (64, 128, 256, 512, 512)


def vgg(
    convolutions: Sequence[int],
    num_classes: int = 1000,
    dropout: float = 0.5,
    *,
    batch_norm: bool = False,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """Five stages of 3×3 convolutions, each pooled, then three affine layers.

    ``(N, 3, H, W) -> (N, num_classes)``. Takes torchvision's weights; see ``load_state_dict``.

    Parameters
    ----------
    convolutions : five ints
        How many there are in each stage.
    batch_norm : bool
        Whether each is followed by batch normalisation.
    num_classes, dropout, width, rng, init, dtype
        As in :func:`npconv.models.alexnet`.
    """
    make = Maker(rng, init, dtype, width)
    layers: list[Layer] = []
    channels = 3
    for count, filters in zip(convolutions, _FILTERS, strict=True):
        for _ in range(count):
            layers.append(make.conv(channels, make.channels(filters), 3, padding=1))
            channels = make.channels(filters)
            layers += [make.norm(channels), ReLU()] if batch_norm else [ReLU()]
        layers.append(MaxPool2d(2))
    full = make.channels(4096)
    classifier = Sequential(
        make.linear(channels * 49, full),
        ReLU(),
        make.dropout(dropout),
        make.linear(full, full),
        ReLU(),
        make.dropout(dropout),
        make.linear(full, num_classes),
    )
    return Sequential(
        {
            "features": Sequential(*layers),
            "avgpool": AdaptiveAvgPool2d(7),
            "flatten": Flatten(),
            "classifier": classifier,
        }
    )


def vgg11(num_classes: int = 1000, dropout: float = 0.5, **options: Any) -> Sequential:
    """VGG-11, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`vgg`."""
    return vgg((1, 1, 2, 2, 2), num_classes, dropout, **options)


def vgg13(num_classes: int = 1000, dropout: float = 0.5, **options: Any) -> Sequential:
    """VGG-13, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`vgg`."""
    return vgg((2, 2, 2, 2, 2), num_classes, dropout, **options)


def vgg16(num_classes: int = 1000, dropout: float = 0.5, **options: Any) -> Sequential:
    """VGG-16, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`vgg`."""
    return vgg((2, 2, 3, 3, 3), num_classes, dropout, **options)


def vgg19(num_classes: int = 1000, dropout: float = 0.5, **options: Any) -> Sequential:
    """VGG-19, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`vgg`."""
    return vgg((2, 2, 4, 4, 4), num_classes, dropout, **options)


def vgg11_bn(num_classes: int = 1000, dropout: float = 0.5, **options: Any) -> Sequential:
    """VGG-11 with batch normalisation; options as in :func:`vgg`."""
    return vgg11(num_classes, dropout, batch_norm=True, **options)


def vgg13_bn(num_classes: int = 1000, dropout: float = 0.5, **options: Any) -> Sequential:
    """VGG-13 with batch normalisation; options as in :func:`vgg`."""
    return vgg13(num_classes, dropout, batch_norm=True, **options)


def vgg16_bn(num_classes: int = 1000, dropout: float = 0.5, **options: Any) -> Sequential:
    """VGG-16 with batch normalisation; options as in :func:`vgg`."""
    return vgg16(num_classes, dropout, batch_norm=True, **options)


def vgg19_bn(num_classes: int = 1000, dropout: float = 0.5, **options: Any) -> Sequential:
    """VGG-19 with batch normalisation; options as in :func:`vgg`."""
    return vgg19(num_classes, dropout, batch_norm=True, **options)
