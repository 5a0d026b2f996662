"""Residual networks with pre-activation (He et al. 2016, 'Identity mappings')."""

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
    Residual,
    Sequential,
)
from npconv.models.maker import Maker

_CHANNELS = (64, 128, 256, 512)


def preact_resnet(
    blocks: Sequence[int],
    num_classes: int = 1000,
    *,
    bottleneck: bool,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """Do as ``resnet``, with batch normalisation and ReLU before each convolution.

    ``(N, 3, H, W) -> (N, num_classes)``. Nothing but sums lies between the shortcuts. Where a block
    changes the number of channels or the size, its shortcut begins behind the first ReLU.

    Parameters
    ----------
    blocks, bottleneck, num_classes, width, rng, init, dtype
        As in :func:`npconv.models.resnet`.
    """
    make = Maker(rng, init, dtype, width)
    inputs = make.channels(64)
    layers: dict[str, Layer] = {
        "conv1": make.conv(3, inputs, 7, stride=2, padding=3, bias=False),
        "maxpool": MaxPool2d(3, 2, 1),
    }
    for stage, (count, channels) in enumerate(zip(blocks, _CHANNELS, strict=True), 1):
        inner = make.channels(channels)
        outputs = inner * 4 if bottleneck else inner
        stage_blocks = []
        for i in range(count):
            stride = 2 if stage > 1 and i == 0 else 1
            stage_blocks.append(_block(make, inputs, inner, outputs, stride, bottleneck))
            inputs = outputs
        layers[f"layer{stage}"] = Sequential(*stage_blocks)
    layers |= {
        "bn": make.norm(inputs),
        "relu": ReLU(),
        "avgpool": AdaptiveAvgPool2d(1),
        "flatten": Flatten(),
        "fc": make.linear(inputs, num_classes),
    }
    return Sequential(layers)


def _block(
    make: Maker, inputs: int, inner: int, outputs: int, stride: int, bottleneck: bool
) -> Layer:
    start: dict[str, Layer] = {"bn1": make.norm(inputs), "relu1": ReLU()}
    if bottleneck:
        chain: dict[str, Layer] = {
            "conv1": make.conv(inputs, inner, 1, bias=False),
            "bn2": make.norm(inner),
            "relu2": ReLU(),
            "conv2": make.conv(inner, inner, 3, stride, 1, bias=False),
            "bn3": make.norm(inner),
            "relu3": ReLU(),
            "conv3": make.conv(inner, outputs, 1, bias=False),
        }
    else:
        chain = {
            "conv1": make.conv(inputs, outputs, 3, stride, 1, bias=False),
            "bn2": make.norm(outputs),
            "relu2": ReLU(),
            "conv2": make.conv(outputs, outputs, 3, 1, 1, bias=False),
        }
    if stride == 1 and inputs == outputs:
        return Residual(start | chain)
    shortcut = {"downsample": make.conv(inputs, outputs, 1, stride, bias=False)}
    return Sequential(start | {"residual": Residual(chain, shortcut=shortcut)})


def preact_resnet18(num_classes: int = 1000, **options: Any) -> Sequential:
    """ResNet-18 with pre-activation; options as in :func:`preact_resnet`."""
    return preact_resnet((2, 2, 2, 2), num_classes, bottleneck=False, **options)


def preact_resnet50(num_classes: int = 1000, **options: Any) -> Sequential:
    """ResNet-50 with pre-activation; options as in :func:`preact_resnet`."""
    return preact_resnet((3, 4, 6, 3), num_classes, bottleneck=True, **options)
