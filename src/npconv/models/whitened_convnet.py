"""A network that learns small photographs in few epochs (after Jordan 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from npconv import checks
from npconv.layers import (
    Flatten,
    Initialiser,
    Layer,
    MaxPool2d,
    PatchWhitening2d,
    ReLU,
    Scale,
    Sequential,
    dirac,
)
from npconv.models.maker import Maker


def whitened_convnet(
    input_shape: tuple[int, int, int] = (3, 32, 32),
    widths: Sequence[int] = (64, 256, 256),
    classes: int = 10,
    *,
    rng: np.random.Generator,
    init: Initialiser | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """Whitened patches of 2x2 pixels, and three blocks of two 3x3 convolutions each.

    ``(N, *input_shape) -> (N, classes)``. In a block, a convolution is followed by max-pooling,
    batch normalisation and ReLU, another one by batch normalisation and ReLU; what is left of the
    image is pooled to one pixel. Batch normalisation has biases only, no scales. Scores are a ninth
    of what the affine layer computes. The first layer's filters are random until its ``fit`` is
    called with images: ``net.layers["whiten"].fit(images)``.

    Parameters
    ----------
    input_shape : (int, int, int)
        Channels, height and width of an image, which must be 9x9 or larger.
    widths : sequence of int
        Filters of the convolutions of the blocks, of which there may be more or fewer than three.
    classes : int
        Outputs of the affine layer.
    rng : numpy.random.Generator
        Source of the initial weights.
    init : callable, optional
        Initialiser of all weights; unless given, convolutions pass their input on at first
        (:func:`npconv.layers.dirac`), and the affine layer has ``he``.
    dtype : dtype
        Of the parameters.
    """
    make, through = Maker(rng, init, dtype), Maker(rng, init or dirac(), dtype)
    channels, height, width = input_shape
    left = [(size - 1) >> len(widths) for size in (height, width)]
    if min(left) < 1:
        raise ValueError(f"input_shape is {input_shape}: {len(widths)} poolings leave nothing")

    def block(inputs: int, outputs: int) -> Sequential:
        # Batch normalisation adds a bias of its own. It has no scales: weight decay would shrink
        # them until biases that learn quickly push whole channels below zero, where ReLU's
        # gradient is zero, too.
        return Sequential(
            through.conv(inputs, outputs, 3, padding=1, bias=False),
            MaxPool2d(2),
            make.norm(outputs, scale=False),
            ReLU(),
            through.conv(outputs, outputs, 3, padding=1, bias=False),
            make.norm(outputs, scale=False),
            ReLU(),
        )

    first = PatchWhitening2d(channels, rng=rng, dtype=dtype)
    layers: dict[str, Layer] = {"whiten": first, "relu": ReLU()}
    inputs = len(first.params["bias"])
    for number, outputs in enumerate(widths, 1):
        layers[f"block{number}"] = block(inputs, checks.integer(outputs, "widths", 1))
        inputs = outputs
    layers |= {
        "pool": MaxPool2d((left[0], left[1])),
        "flatten": Flatten(),
        "fc": make.linear(inputs, classes),
        "scale": Scale(1 / 9),
    }
    return Sequential(layers)
