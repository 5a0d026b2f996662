"""The layer that averages whole images."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class GlobalAvgPool2d(Layer):
    """The mean of each channel, ``(N, C, H, W) -> (N, C, 1, 1)``."""

    def forward(self, x: Array) -> Array:
        self._keep(x.shape)
        return functional.global_avg_pool(x)

    def backward(self, grad: Array) -> Array:
        (shape,) = self._recall()
        return functional.global_avg_pool_backward(grad, shape)
