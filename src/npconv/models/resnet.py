"""Residual networks (He et al. 2015) as torchvision defines them, and ResNet-50 as published."""

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
_EXPANSION = 4  # of a bottleneck: how many times the channels inside it come out


def resnet(
    blocks: Sequence[int],
    num_classes: int = 1000,
    *,
    bottleneck: bool,
    stride_first: bool = False,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """Four stages of residual blocks between a 7×7 convolution and an affine layer.

    ``(N, 3, H, W) -> (N, num_classes)``. Takes torchvision's weights; see ``load_state_dict``.

    Parameters
    ----------
    blocks : four ints
        How many there are in each stage.
    bottleneck : bool
        Blocks of 1×1, 3×3 and 1×1 convolutions instead of two 3×3.
    stride_first : bool
        Where a bottleneck halves the image: in its first 1×1 convolution, as published, instead of
        the 3×3, as in torchvision and nearly everywhere since ("v1.5").
    num_classes, width, rng, init, dtype
        As in :func:`npconv.models.alexnet`.
    """
    make = Maker(rng, init, dtype, width)
    first = make.channels(64)
    layers: dict[str, Layer] = {
        "conv1": make.conv(3, first, 7, stride=2, padding=3, bias=False),
        "bn1": make.norm(first),
        "relu": ReLU(),
        "maxpool": MaxPool2d(3, 2, 1),
    }
    inputs = first
    for stage, (count, channels) in enumerate(zip(blocks, _CHANNELS, strict=True), 1):
        inner = make.channels(channels)
        outputs = inner * _EXPANSION if bottleneck else inner
        stage_blocks = []
        for i in range(count):
            stride = 2 if stage > 1 and i == 0 else 1
            if bottleneck:
                strides = (stride, 1) if stride_first else (1, stride)
                chain = _bottleneck(make, inputs, inner, outputs, strides)
            else:
                chain = _basic(make, inputs, outputs, stride)
            shortcut = _projection(make, inputs, outputs, stride)
            stage_blocks.append(Residual(chain, shortcut=shortcut, activation={"relu": ReLU()}))
            inputs = outputs
        layers[f"layer{stage}"] = Sequential(*stage_blocks)
    layers |= {
        "avgpool": AdaptiveAvgPool2d(1),
        "flatten": Flatten(),
        "fc": make.linear(inputs, num_classes),
    }
    return Sequential(layers)


def _basic(make: Maker, inputs: int, outputs: int, stride: int) -> dict[str, Layer]:
    return {
        "conv1": make.conv(inputs, outputs, 3, stride, 1, bias=False),
        "bn1": make.norm(outputs),
        "relu1": ReLU(),
        "conv2": make.conv(outputs, outputs, 3, 1, 1, bias=False),
        "bn2": make.norm(outputs),
    }


def _bottleneck(
    make: Maker, inputs: int, inner: int, outputs: int, strides: tuple[int, int]
) -> dict[str, Layer]:
    return {
        "conv1": make.conv(inputs, inner, 1, strides[0], bias=False),
        "bn1": make.norm(inner),
        "relu1": ReLU(),
        "conv2": make.conv(inner, inner, 3, strides[1], 1, bias=False),
        "bn2": make.norm(inner),
        "relu2": ReLU(),
        "conv3": make.conv(inner, outputs, 1, bias=False),
        "bn3": make.norm(outputs),
    }


def _projection(make: Maker, inputs: int, outputs: int, stride: int) -> dict[str, Layer] | None:
    if stride == 1 and inputs == outputs:
        return None
    conv = make.conv(inputs, outputs, 1, stride, bias=False)
    return {"downsample": Sequential(conv, make.norm(outputs))}


def resnet18(num_classes: int = 1000, **options: Any) -> Sequential:
    """ResNet-18, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`resnet`."""
    return resnet((2, 2, 2, 2), num_classes, bottleneck=False, **options)


def resnet34(num_classes: int = 1000, **options: Any) -> Sequential:
    """ResNet-34, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`resnet`."""
    return resnet((3, 4, 6, 3), num_classes, bottleneck=False, **options)


def resnet50(num_classes: int = 1000, **options: Any) -> Sequential:
    """ResNet-50, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`resnet`."""
    return resnet((3, 4, 6, 3), num_classes, bottleneck=True, **options)


def resnet50_v1(num_classes: int = 1000, **options: Any) -> Sequential:
    """ResNet-50 as published, with the stride in the 1×1; options as in :func:`resnet`."""
    return resnet50(num_classes, stride_first=True, **options)


def resnet101(num_classes: int = 1000, **options: Any) -> Sequential:
    """ResNet-101, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`resnet`."""
    return resnet((3, 4, 23, 3), num_classes, bottleneck=True, **options)


def resnet152(num_classes: int = 1000, **options: Any) -> Sequential:
    """ResNet-152, ``(N, 3, H, W) -> (N, num_classes)``; options as in :func:`resnet`."""
    return resnet((3, 8, 36, 3), num_classes, bottleneck=True, **options)
