"""ZFNet (Zeiler and Fergus 2013): AlexNet with smaller and denser first filters."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv.layers import Flatten, Initialiser, LocalResponseNorm, MaxPool2d, ReLU, Sequential
from npconv.models.maker import Maker


def zfnet(
    num_classes: int = 1000,
    dropout: float = 0.5,
    *,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """ZFNet as published, ``(N, 3, 224, 224) -> (N, num_classes)``.

    Parameters
    ----------
    num_classes, dropout, width, rng, init, dtype
        As in :func:`npconv.models.alexnet`.
    """
    make = Maker(rng, init, dtype, width)
    c1, c2, c3, full = (make.channels(count) for count in (96, 256, 384, 4096))
    features = Sequential(
        {
            "conv1": make.conv(3, c1, 7, stride=2, padding=1),
            "relu1": ReLU(),
            "pool1": MaxPool2d(3, 2, 1),
            "norm1": LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2),
            "conv2": make.conv(c1, c2, 5, stride=2),
            "relu2": ReLU(),
            "pool2": MaxPool2d(3, 2, 1),
            "norm2": LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2),
            "conv3": make.conv(c2, c3, 3, padding=1),
            "relu3": ReLU(),
            "conv4": make.conv(c3, c3, 3, padding=1),
            "relu4": ReLU(),
            "conv5": make.conv(c3, c2, 3, padding=1),
            "relu5": ReLU(),
            "pool5": MaxPool2d(3, 2),
        }
    )
    classifier = Sequential(
        {
            "fc6": make.linear(c2 * 36, full),
            "relu6": ReLU(),
            "dropout6": make.dropout(dropout),
            "fc7": make.linear(full, full),
            "relu7": ReLU(),
            "dropout7": make.dropout(dropout),
            "fc8": make.linear(full, num_classes),
        }
    )
    return Sequential({"features": features, "flatten": Flatten(), "classifier": classifier})
