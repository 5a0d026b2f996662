"""The Lp-pooling layer."""

from __future__ import annotations

from npconv import functional
from npconv.checks import Array
from npconv.layers.layer import Layer


class LpPool2d(Layer):
    """The p-norm of each window, ``(N, C, H, W) -> (N, C, OH, OW)``.

    Parameters
    ----------
    norm_type, kernel_size, stride, ceil_mode
        As in :func:`npconv.lp_pool2d`; `stride` is the kernel's size unless given.
    """

    def __init__(
        self,
        norm_type: float,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        ceil_mode: bool | str = False,
    ) -> None:
        super().__init__()
        self._geometry = (norm_type, kernel_size, stride, ceil_mode)

    def forward(self, x: Array) -> Array:
        self._keep(x)
        return functional.lp_pool2d(x, *self._geometry)

    def backward(self, grad: Array) -> Array:
        (x,) = self._recall()
        return functional.lp_pool2d_backward(grad, x, *self._geometry)
