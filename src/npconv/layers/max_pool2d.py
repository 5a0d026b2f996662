"""The max-pooling layer."""

from __future__ import annotations

from typing import Any

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class MaxPool2d(Layer):
    """The largest value of each window, ``(N, C, H, W) -> (N, C, OH, OW)``.

    Parameters
    ----------
    kernel_size, stride, padding, dilation, ceil_mode
        As in :func:`npconv.max_pool2d`; `stride` is the kernel's size unless given.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: Any = 0,
        dilation: int | tuple[int, int] = 1,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self._geometry = (kernel_size, stride, padding, dilation, ceil_mode)

    def forward(self, x: Array) -> Array:
        if not self.training:
            self._keep()
            return functional.max_pool2d(x, *self._geometry)
        y, indices = functional.max_pool2d(x, *self._geometry, return_indices=True)
        self._keep(indices, x.shape)
        return y

    def backward(self, grad: Array) -> Array:
        indices, shape = self._recall()
        return functional.max_pool2d_backward(grad, indices, shape, *self._geometry)
