"""The step from images to rows of numbers."""

from __future__ import annotations

import math

from npconv.checks import Array
from npconv.layers.layer import Layer


class Flatten(Layer):
    """All axes but the first made one, ``(N, C, H, W) -> (N, C * H * W)``."""

    def forward(self, x: Array) -> Array:
        self._keep(x.shape)
        # Not reshape(N, -1), which NumPy refuses for an empty batch.
        return x.reshape(x.shape[0], math.prod(x.shape[1:]))

    def backward(self, grad: Array) -> Array:
        (shape,) = self._recall()
        return grad.reshape(shape)
