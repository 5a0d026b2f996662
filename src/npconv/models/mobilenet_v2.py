"""MobileNetV2 (Sandler et al. 2018) as torchvision defines it: inverted residual blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv.layers import (
    AdaptiveAvgPool2d,
    Flatten,
    Initialiser,
    Layer,
    ReLU6,
    Residual,
    Sequential,
)
from npconv.models.maker import Maker

# Expansion, output channels, number of blocks, stride of the first of them.
_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
    (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip


def mobilenet_v2(
    num_classes: int = 1000,
    dropout: float = 0.2,
    *,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """MobileNetV2, ``(N, 3, H, W) -> (N, num_classes)``.

    Takes torchvision's weights; see ``load_state_dict``.

    Parameters
    ----------
    width : float
        Scales the number of channels of every layer but the last; they stay multiples of 8.
    num_classes, dropout, rng, init, dtype
        As in :func:`npconv.models.alexnet`.
    """
    make = Maker(rng, init, dtype)
    channels = _multiple_of_8(32 * width)
    features: list[Layer] = [_conv(make, 3, channels, 3, stride=2)]
    for expansion, count, blocks, first_stride in _STAGES:
        outputs = _multiple_of_8(count * width)
        for i in range(blocks):
            stride = first_stride if i == 0 else 1
            features.append(_inverted(make, channels, outputs, stride, expansion))
            channels = outputs
    last = _multiple_of_8(1280 * max(1.0, width))
    features.append(_conv(make, channels, last, 1))
    return Sequential(
        {
            "features": Sequential(*features),
            "avgpool": AdaptiveAvgPool2d(1),
            "flatten": Flatten(),
            "classifier": Sequential(make.dropout(dropout), make.linear(last, num_classes)),
        }
    )


def _inverted(make: Maker, inputs: int, outputs: int, stride: int, expansion: int) -> Layer:
    inner = inputs * expansion
    steps: list[Layer] = [] if expansion == 1 else [_conv(make, inputs, inner, 1)]
    steps += [
        _conv(make, inner, inner, 3, stride, groups=inner),
        make.conv(inner, outputs, 1, bias=False),
        make.norm(outputs),
    ]
    chain = {"conv": Sequential(*steps)}
    return Residual(chain) if stride == 1 and inputs == outputs else Sequential(chain)


def _conv(
    make: Maker, inputs: int, outputs: int, kernel_size: int, stride: int = 1, groups: int = 1
) -> Sequential:
    padding = kernel_size // 2
    return Sequential(
        make.conv(inputs, outputs, kernel_size, stride, padding, groups=groups, bias=False),
        make.norm(outputs),
        ReLU6(),
    )


def _multiple_of_8(count: float) -> int:
    """Round to the nearest multiple of 8, but do not lose more than a tenth."""
    rounded = max(8, int(count + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * count else rounded
