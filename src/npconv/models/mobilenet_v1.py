"""MobileNet (Howard et al. 2017): depthwise and pointwise convolutions in turn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv.layers import AdaptiveAvgPool2d, Flatten, Initialiser, Layer, ReLU, Sequential
from npconv.models.maker import Maker

# Output channels and stride of each depthwise-separable block.
_BLOCKS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


def mobilenet_v1(
    num_classes: int = 1000,
    *,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """MobileNet as published, ``(N, 3, H, W) -> (N, num_classes)``.

    Parameters
    ----------
    width : float
        Scales the number of channels of every layer, the paper's α.
    num_classes, rng, init, dtype
        As in :func:`npconv.models.alexnet`.
    """
    make = Maker(rng, init, dtype, width)
    channels = make.channels(32)
    features: dict[str, Layer] = {
        "conv": make.conv(3, channels, 3, stride=2, padding=1, bias=False),
        "bn": make.norm(channels),
        "relu": ReLU(),
    }
    for i, (count, stride) in enumerate(_BLOCKS, 1):
        outputs = make.channels(count)
        features[f"block{i}"] = _separable(make, channels, outputs, stride)
        channels = outputs
    return Sequential(
        {
            "features": Sequential(features),
            "avgpool": AdaptiveAvgPool2d(1),
            "flatten": Flatten(),
            "fc": make.linear(channels, num_classes),
        }
    )


def _separable(make: Maker, inputs: int, outputs: int, stride: int) -> Sequential:
    return Sequential(
        {
            "depthwise": make.conv(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
            "bn1": make.norm(inputs),
            "relu1": ReLU(),
            "pointwise": make.conv(inputs, outputs, 1, bias=False),
            "bn2": make.norm(outputs),
            "relu2": ReLU(),
        }
    )
