"""The convolution layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from npconv import checks, functional
from npconv.checks import Array
from npconv.layers.initialisers import Initialiser, he
from npconv.layers.layer import Layer


class Conv2d(Layer):
    """Cross-correlation of images with learned filters, plus a bias per filter.

    ``(N, C, H, W) ⋆ (K, C/groups, R, S) -> (N, K, OH, OW)``

    Parameters
    ----------
    in_channels, out_channels : int
        C and K, both multiples of `groups`.
    kernel_size : int or (int, int)
        (R, S).
    stride, padding, dilation, groups, padding_mode, precision, algorithm
        As in :func:`npconv.conv2d`.
    bias : bool
        Whether to add a bias.
    rng : numpy.random.Generator
        Source of the initial weights. The bias starts at zero.
    init : callable
        ``init(shape, rng, dtype)`` makes the weights; see :mod:`npconv.layers.initialisers`.
    dtype : dtype
        Of the parameters.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        rng: np.random.Generator,
        init: Initialiser = he,
        dtype: npt.DTypeLike = np.float32,
        padding_mode: str = "constant",
        precision: str = "standard",
        algorithm: str = "auto",
    ) -> None:
        super().__init__()
        groups = checks.integer(groups, "groups", 1)
        in_channels = checks.integer(in_channels, "in_channels", 1)
        out_channels = checks.integer(out_channels, "out_channels", 1)
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{name} is {channels}, which groups={groups} does not divide")
        kernel = checks.per_axis(kernel_size, "kernel_size", 2, 1)

        self._geometry = (stride, padding, dilation, groups)
        self._options: dict[str, Any] = {
            "padding_mode": padding_mode,
            "precision": precision,
            "algorithm": algorithm,
        }
        shape = (out_channels, in_channels // groups, *kernel)
        self.params["weight"] = init(shape, rng, dtype)
        if bias:
            self.params["bias"] = np.zeros(out_channels, dtype)

    def forward(self, x: Array) -> Array:
        self._keep(x)
        return functional.conv2d(
            x, self.params["weight"], self.params.get("bias"), *self._geometry, **self._options
        )

    def backward(self, grad: Array) -> Array:
        dx = self._gradients(grad, input_grad=True)
        assert dx is not None  # was asked for
        return dx

    def backward_params(self, grad: Array) -> None:
        self._gradients(grad, input_grad=False)

    def _gradients(self, grad: Array, input_grad: bool) -> Array | None:
        (x,) = self._recall()
        dx, dweight, dbias = functional.conv2d_backward(
            grad,
            x,
            self.params["weight"],
            *self._geometry,
            needs=(input_grad, True, "bias" in self.params),
            **self._options,
        )
        for name, value in (("weight", dweight), ("bias", dbias)):
            if value is not None:
                self.grads[name] = value
        return dx
