"""The average-pooling layer whose output has a given size."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class AdaptiveAvgPool2d(Layer):
    """Means of windows for a given output size, ``(N, C, H, W) -> (N, C, OH, OW)``.

    Parameters
    ----------
    output_size : int or (int, int), with None for an axis that keeps its size
        As in :func:`npconv.adaptive_avg_pool2d`.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        super().__init__()
        self._output_size = output_size

    def forward(self, x: Array) -> Array:
        self._keep(x.shape)
        return functional.adaptive_avg_pool2d(x, self._output_size)

    def backward(self, grad: Array) -> Array:
        (shape,) = self._recall()
        return functional.adaptive_avg_pool2d_backward(grad, shape)
