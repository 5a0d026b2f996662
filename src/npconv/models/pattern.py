"""The pattern that most convolutional networks follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from npconv import checks
from npconv.layers import (
    Conv2d,
    Dropout,
    Flatten,
    Initialiser,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    he,
)


def pattern(
    input_shape: tuple[int, int, int],
    m: int,
    n: int,
    k: int,
    classes: int = 10,
    *,
    filters: int = 16,
    kernel_size: int = 3,
    hidden: int = 100,
    dropout: float = 0.0,
    rng: np.random.Generator,
    init: Initialiser = he,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """``((CONV-RELU)*m-POOL)*n-(FC-RELU)*k-FC``, ``(N, *input_shape) -> (N, classes)``.

    Convolutions keep an image's size, 2x2 pooling halves it, and each block has twice the filters
    of the one before.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of an image.
    m, n, k : int
        Convolutions in a block, blocks, and hidden affine layers; from 0 (m from 1).
    classes : int
        Outputs of the last affine layer.
    filters, kernel_size : int
        Of the first block's convolutions; `kernel_size` of all, and odd.
    hidden : int
        Outputs of a hidden affine layer.
    dropout : float
        The probability with which a value of the hidden affine layers is dropped in training.
    rng, init, dtype
        As in :class:`npconv.layers.Conv2d`.

    Returns
    -------
    Sequential
        With layers ``conv1_1, relu1_1, ..., pool1, conv2_1, ..., flatten, fc1, relu1, ..., fc``.

    Examples
    --------
    >>> import numpy as np
    >>> from npconv.models import pattern
    >>> net = pattern((3, 32, 32), m=2, n=1, k=1, rng=np.random.default_rng(0))
    >>> "-".join(net.layers)
    'conv1_1-relu1_1-conv1_2-relu1_2-pool1-flatten-fc1-relu1-fc'
    >>> net.forward(np.zeros((5, 3, 32, 32), np.float32)).shape
    (5, 10)
    """
    options: dict[str, Any] = {"rng": rng, "init": init, "dtype": dtype}
    m, n, k = (checks.integer(value, name, low) for value, name, low in
               ((m, "m", 1), (n, "n", 0), (k, "k", 0)))  # fmt: skip
    kernel_size = checks.integer(kernel_size, "kernel_size", 1)
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size is {kernel_size}, expected an odd number")
    channels, height, width = input_shape
    if min(height, width) < 2**n:
        raise ValueError(f"input_shape is {input_shape}: nothing is left of it after {n} poolings")

    layers: dict[str, Layer] = {}
    for block in range(1, n + 1):
        for i in range(1, m + 1):
            padding = kernel_size // 2
            conv = Conv2d(channels, filters, kernel_size, padding=padding, **options)
            layers |= {f"conv{block}_{i}": conv, f"relu{block}_{i}": ReLU()}
            channels = filters
        layers[f"pool{block}"] = MaxPool2d(2)
        height, width, filters = height // 2, width // 2, 2 * filters
    layers["flatten"] = Flatten()
    features = channels * height * width
    for i in range(1, k + 1):
        layers |= {f"fc{i}": Linear(features, hidden, **options), f"relu{i}": ReLU()}
        if dropout:
            layers[f"dropout{i}"] = Dropout(dropout, rng=rng)
        features = hidden
    layers["fc"] = Linear(features, classes, **options)
    return Sequential(layers)
