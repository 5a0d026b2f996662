"""AlexNet: torchvision's, which is that of the 'one weird trick' paper, and that of 2012."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from npconv.layers import (
    AdaptiveAvgPool2d,
    Flatten,
    Initialiser,
    LocalResponseNorm,
    MaxPool2d,
    ReLU,
    Sequential,
)
from npconv.models.maker import Maker


def alexnet(
    num_classes: int = 1000,
    dropout: float = 0.5,
    *,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """AlexNet as torchvision defines it (Krizhevsky 2014), ``(N, 3, H, W) -> (N, num_classes)``.

    Takes torchvision's weights; see ``load_state_dict``.

    Parameters
    ----------
    num_classes : int
        Outputs of the last layer.
    dropout : float
        The probability with which a value is dropped in training.
    width : float
        Scales the number of channels of every layer.
    rng : numpy.random.Generator, optional
        Source of the initial weights and of the masks of dropout. Without one all weights are
        zero, for a state that is about to be loaded.
    init : callable, optional
        Initialiser of all weights; ``he`` unless given. See :mod:`npconv.layers.initialisers`.
    dtype : dtype
        Of the parameters.
    """
    make = Maker(rng, init, dtype, width)
    c1, c2, c3, c4, full = (make.channels(count) for count in (64, 192, 384, 256, 4096))
    features = Sequential(
        make.conv(3, c1, 11, stride=4, padding=2),
        ReLU(),
        MaxPool2d(3, 2),
        make.conv(c1, c2, 5, padding=2),
        ReLU(),
        MaxPool2d(3, 2),
        make.conv(c2, c3, 3, padding=1),
        ReLU(),
        make.conv(c3, c4, 3, padding=1),
        ReLU(),
        make.conv(c4, c4, 3, padding=1),
        ReLU(),
        MaxPool2d(3, 2),
    )
    classifier = Sequential(
        make.dropout(dropout),
        make.linear(c4 * 36, full),
        ReLU(),
        make.dropout(dropout),
        make.linear(full, full),
        ReLU(),
        make.linear(full, num_classes),
    )
    return Sequential(
        {
            "features": features,
            "avgpool": AdaptiveAvgPool2d(6),
            "flatten": Flatten(),
            "classifier": classifier,
        }
    )


def alexnet_2012(
    num_classes: int = 1000,
    dropout: float = 0.5,
    *,
    width: float = 1.0,
    rng: np.random.Generator | None = None,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """AlexNet as published (Krizhevsky et al. 2012), ``(N, 3, 224, 224) -> (N, num_classes)``.

    Convolutions 2, 4 and 5 in two groups, one for each graphics card of that time; local response
    normalisation; overlapping pooling. Images may have 227 pixels a side, too.

    Parameters
    ----------
    num_classes, dropout, width, rng, init, dtype
        As in :func:`alexnet`.
    """
    make = Maker(rng, init, dtype, width)
    c1, c2, c3, full = (make.channels(count, 2) for count in (96, 256, 384, 4096))
    features = Sequential(
        {
            # 224 pixels do not divide into windows of 11 with step 4; 227 do, hence the padding.
            "conv1": make.conv(3, c1, 11, stride=4, padding=2),
            "relu1": ReLU(),
            "norm1": _response_norm(),
            "pool1": MaxPool2d(3, 2),
            "conv2": make.conv(c1, c2, 5, padding=2, groups=2),
            "relu2": ReLU(),
            "norm2": _response_norm(),
            "pool2": MaxPool2d(3, 2),
            "conv3": make.conv(c2, c3, 3, padding=1),
            "relu3": ReLU(),
            "conv4": make.conv(c3, c3, 3, padding=1, groups=2),
            "relu4": ReLU(),
            "conv5": make.conv(c3, c2, 3, padding=1, groups=2),
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


def _response_norm() -> LocalResponseNorm:
    # The paper's alpha of 1e-4 multiplies the sum, not the mean, of five squares.
    return LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
