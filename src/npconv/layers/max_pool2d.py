"""The max-pooling layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

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
        ceil_mode: bool | str = False,
    ) -> None:
        super().__init__()
        self._geometry = (kernel_size, stride, padding, dilation, ceil_mode)

    def forward(self, x: Array) -> Array:
        if not self.training:
            self._keep()
            return functional.max_pool2d(x, *self._geometry)
        y, indices = functional.max_pool2d(
            x, *self._geometry, return_indices=True, indices="window", index_dtype=self._index_dtype
        )
        self._keep(indices, x.shape, y)
        return y

    def backward(self, grad: Array, rectified: bool = False) -> Array:
        """Return the input's gradient, or, if `rectified`, that of what ReLU made the input of."""
        indices, shape, y = self._recall()
        if rectified:
            grad = functional.relu_backward(grad, y)
        return functional.max_pool2d_backward(
            grad, indices, shape, *self._geometry, index_kind="window"
        )

    @property
    def _index_dtype(self) -> type:
        """The smallest dtype that counts the pixels of a window."""
        kernel = self._geometry[0]
        taps = kernel[0] * kernel[1] if isinstance(kernel, Sequence) else kernel * kernel
        return np.uint8 if taps <= 256 else np.int64
