"""The max-pooling layer whose output has a given size."""

from __future__ import annotations

from typing import Any

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class AdaptiveMaxPool2d(Layer):
    """The largest values of windows for a given output size, ``(N, C, H, W) -> (N, C, OH, OW)``.

    Parameters
    ----------
    output_size : int or (int, int), with None for an axis that keeps its size
        As in :func:`npconv.adaptive_max_pool2d`.
    """

    def __init__(self, output_size: int | tuple[int | None, int | None]) -> None:
        super().__init__()
        self._output_size = output_size

    def forward(self, x: Array) -> Any:
        y, indices = functional.adaptive_max_pool2d(x, self._output_size, True)
        self._keep(indices, x.shape)
        return y

    def backward(self, grad: Array) -> Array:
        indices, shape = self._recall()
        return functional.adaptive_max_pool2d_backward(grad, indices, shape)
