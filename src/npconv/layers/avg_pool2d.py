"""The average-pooling layer."""

from __future__ import annotations

from typing import Any

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class AvgPool2d(Layer):
    """The mean of each window, ``(N, C, H, W) -> (N, C, OH, OW)``.

    Parameters
    ----------
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in :func:`npconv.avg_pool2d`; `stride` is the kernel's size unless given.
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: Any = 0,
        ceil_mode: bool | str = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self._geometry = (
            kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )  # fmt: skip

    def forward(self, x: Array) -> Array:
        self._keep(x.shape)
        return functional.avg_pool2d(x, *self._geometry)

    def backward(self, grad: Array) -> Array:
        (shape,) = self._recall()
        return functional.avg_pool2d_backward(grad, shape, *self._geometry)
