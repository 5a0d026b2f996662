"""Depthwise-separable convolution, in plain NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from npconv import checks
from npconv.checks import Array
from npconv.reference.convolution import conv2d, conv2d_backward
from npconv.separable import both_weights, four_flags


def separable_conv2d(
    x: Any,
    depthwise: Any,
    pointwise: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    padding_mode: str = "constant",
    activation: str | tuple[str, float] | None = None,
    add: Any = None,
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """A filter for each channel, then a mixture of them, (N, C, H, W) -> (N, K, OH, OW).

    Parameters and result are those of :func:`npconv.separable_conv2d`.
    """
    images, _ = checks.batched(x, "x", 2)
    first, second = both_weights(images, depthwise, pointwise)
    between = conv2d(
        x, first, None, stride, padding, dilation, images.shape[1], padding_mode=padding_mode
    )
    return conv2d(between, second, bias, activation=activation, add=add)


def separable_conv2d_backward(
    grad: Any,
    x: Any,
    depthwise: Any,
    pointwise: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    *,
    needs: Sequence[bool] = (True, True, True, True),
    padding_mode: str = "constant",
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None, Array | None]:
    """Gradients of :func:`separable_conv2d`; None where ``needs`` is False.

    Parameters and result are those of :func:`npconv.separable_conv2d_backward`.
    """
    need_dx, need_depthwise, need_pointwise, need_bias = four_flags(needs)
    images, _ = checks.batched(x, "x", 2)
    first, second = both_weights(images, depthwise, pointwise)
    inner = (stride, padding, dilation, images.shape[1])
    between = conv2d(x, first, None, *inner, padding_mode=padding_mode)
    through = need_dx or need_depthwise
    errors, dpointwise, dbias = conv2d_backward(
        grad, between, second, needs=(through, need_pointwise, need_bias)
    )
    dx = ddepthwise = None
    if through:
        wanted = (need_dx, need_depthwise, False)
        dx, ddepthwise, _ = conv2d_backward(
            errors, x, first, *inner, needs=wanted, padding_mode=padding_mode
        )
    if dpointwise is not None:
        dpointwise = dpointwise.reshape(np.shape(pointwise))
    return dx, ddepthwise, dpointwise, dbias
