"""Depthwise-separable convolution: a filter for each channel, then a mixture of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.functional.convolution import conv2d, conv2d_backward
from npconv.functional.convolution_calls import (
    prepare_forward,
    run_forward,
)
from npconv.functional.convolution_numbers import images_at_once
from npconv.runtime import native
from npconv.separable import both_weights, four_flags

PerAxis = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[Sequence[int]]


def separable_conv2d(
    x: ArrayLike,
    depthwise: ArrayLike,
    pointwise: ArrayLike,
    bias: ArrayLike | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    *,
    padding_mode: str = "constant",
    activation: str | tuple[str, float] | None = None,
    add: ArrayLike | None = None,
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Convolve each channel with filters of its own, and mix the results at every pixel.

    ::

        (N, C, H, W) ⋆ (C·M, 1, R, S) ⋆ (K, C·M) -> (N, K, OH, OW)
           (C, H, W) ⋆ (C·M, 1, R, S) ⋆ (K, C·M) -> (K, OH, OW)

    It is ``conv2d(conv2d(x, depthwise, groups=C), pointwise, bias)``, to the bit, and goes through
    both for a few images at a time, so that what lies between them stays small (about 4 MB).

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images.
    depthwise : array_like, (C·M, 1, R, S)
        M filters for each channel.
    pointwise : array_like, (K, C·M) or (K, C·M, 1, 1)
        How their results are mixed.
    bias : array_like, (K,), optional
        Added to every pixel of an output channel.
    stride, padding, dilation, padding_mode
        Of the depthwise convolution; see :func:`npconv.conv2d`.
    activation, add
        What follows the pointwise convolution; see :func:`npconv.conv2d`.
    precision, isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, (N, K, OH, OW) or (K, OH, OW)

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    separable_conv2d_backward

    Examples
    --------
    Two channels summed after one was blurred and the other left:

    >>> import numpy as np
    >>> import npconv
    >>> x = np.stack([np.eye(3), np.eye(3)])
    >>> depthwise = np.array([[[[1., 1., 1.]]], [[[0., 1., 0.]]]])
    >>> npconv.separable_conv2d(x, depthwise, np.ones((1, 2)), padding=(0, 1))
    array([[[2., 1., 0.],
            [1., 2., 1.],
            [0., 1., 2.]]])
    """
    images, batched = checks.batched(x, "x", 2)
    first, second = both_weights(images, depthwise, pointwise)
    rest = (precision, "auto", isa, num_threads, None)
    channels = images.shape[1]
    inner = prepare_forward(
        2, images, first, None, stride, padding, dilation, channels, padding_mode, "NCHW", None,
        None, *rest,
    )  # fmt: skip
    geometry, middle = inner[0], inner[1]
    addend = None if add is None else checks.array(add, "add")
    shape = (len(images), len(second), *geometry.output_shape[2:])
    if addend is not None:
        checks.same_shape(
            addend, "add", shape[not batched :], "the shape of this convolution's output"
        )
        addend = addend if batched else addend[np.newaxis]
    # Of one image, to check everything and to learn the result's dtype, and then of each part.
    between = np.empty((1, len(first), *shape[2:]), middle)

    def mix(part: Array, count: slice) -> Any:
        some = None if addend is None else addend[count]
        return prepare_forward(
            2, part, second, bias, 1, 0, 1, 1, "constant", "NCHW", activation, some, *rest
        )

    dtype = mix(between, slice(0, 1))[1] if len(images) else mix(between[:0], slice(0, 0))[1]
    y = native.empty(shape, dtype)
    size = int(np.prod(between.shape, dtype=object)) * middle.itemsize
    for part in images_at_once(geometry, size):
        count = len(images[part])
        plan = (geometry._replace(batch=count), *inner[1:3], (images[part], *inner[3][1:]))
        filtered = run_forward((*plan, (count, *inner[4][1:]), True, None))
        mixed = mix(filtered, part)
        run_forward((*mixed[:6], y[part]))
    return y if batched else y[0]


def separable_conv2d_backward(
    grad: ArrayLike,
    x: ArrayLike,
    depthwise: ArrayLike,
    pointwise: ArrayLike,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    *,
    needs: Sequence[bool] = (True, True, True, True),
    padding_mode: str = "constant",
    precision: str = "standard",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None, Array | None]:
    """Compute the gradients of :func:`separable_conv2d` with respect to its four operands.

    ::

        (N, K, OH, OW), (N, C, H, W), (C·M, 1, R, S), (K, C·M)
            -> (N, C, H, W), (C·M, 1, R, S), (K, C·M), (K,)

    What lies between the two convolutions is computed again, for all images at once.

    Parameters
    ----------
    grad : array_like, (N, K, OH, OW) or (K, OH, OW)
        The gradient with respect to the output.
    x, depthwise, pointwise, stride, padding, dilation
        As in the forward call.
    needs : (bool, bool, bool, bool)
        Which of the four to compute; the others are None.
    padding_mode, precision, isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    dx, ddepthwise, dpointwise : ndarray or None
        Of the operands' shapes.
    dbias : ndarray or None
        (K,), the sum of `grad` over images and pixels.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, depthwise, pointwise = np.ones((2, 3, 3)), np.ones((2, 1, 2, 2)), np.ones((1, 2))
    >>> grad = np.ones((1, 2, 2))
    >>> dx, _, dpointwise, dbias = npconv.separable_conv2d_backward(grad, x, depthwise, pointwise)
    >>> dx.shape, dpointwise, dbias
    ((2, 3, 3), array([[16., 16.]]), array([4.]))
    """
    need_dx, need_depthwise, need_pointwise, need_bias = four_flags(needs)
    images, _ = checks.batched(x, "x", 2)
    first, second = both_weights(images, depthwise, pointwise)
    how: dict[str, Any] = {"precision": precision, "isa": isa, "num_threads": num_threads}
    inner: dict[str, Any] = {
        "stride": stride, "padding": padding, "dilation": dilation, "groups": images.shape[1],
        "padding_mode": padding_mode, **how,
    }  # fmt: skip
    plain: Any = checks.array(x, "x")
    between = conv2d(plain, first, **inner)
    through = need_dx or need_depthwise
    errors, dpointwise, dbias = conv2d_backward(
        grad, between, second, needs=(through, need_pointwise, need_bias), **how
    )
    dx = ddepthwise = None
    if through:
        assert errors is not None
        dx, ddepthwise, _ = conv2d_backward(
            errors, plain, first, needs=(need_dx, need_depthwise, False), **inner
        )
    if dpointwise is not None:
        dpointwise = dpointwise.reshape(np.shape(pointwise))
    return dx, ddepthwise, dpointwise, dbias
