"""Poolings whose window is the whole image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.functional.pooling_adaptive_average import mean, spread
from npconv.functional.pooling_max_calls import pick_windows, send_back_windows
from npconv.geometry import global_geometry
from npconv.runtime import options


def global_avg_pool(
    x: ArrayLike,
    *,
    channels_last: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the mean of every channel of every image.

    ::

        (N, C, ...) -> (N, C, 1, ...)

    The axes that were averaged stay, with length 1.

    Parameters
    ----------
    x : array_like, (N, C, W), (N, C, H, W) or (N, C, D, H, W)
        The images, of the dtypes of :func:`npconv.avg_pool2d`. There must be a batch axis.
    channels_last : bool
        Whether x is (N, ..., C), and the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of its shape and dtype, with any strides, apart from x.

    Returns
    -------
    ndarray, (N, C, 1, ...)
        `out`, or a new C-contiguous array.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x's dtype is no such.
    ValueError
        If shapes or options do not fit together, or an image is empty.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.global_avg_pool(np.arange(8.).reshape(1, 2, 2, 2)).ravel()
    array([1.5, 5.5])
    """
    how = options(isa=isa, num_threads=num_threads)
    given, ndim = global_images(x, "x", channels_last)
    return mean(global_geometry(ndim, given.shape), given, out, how)


def global_avg_pool_backward(
    grad: ArrayLike,
    input_shape: Sequence[int],
    *,
    channels_last: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`global_avg_pool`.

    ::

        (N, C, 1, ...) -> (N, C, ...)

    Each value of `grad`, divided by the number of pixels, goes to all pixels of its channel.

    Parameters
    ----------
    grad : array_like, (N, C, 1, ...)
        The gradient with respect to the output.
    input_shape : tuple of int, (N, C, ...)
        The shape of the input.
    channels_last : bool
        As in the forward call.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, of shape `input_shape`

    Raises
    ------
    TypeError
        If an argument has the wrong type, or grad is not float16, float32 or float64.
    ValueError
        If shapes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.global_avg_pool_backward(np.full((1, 1, 1, 1), 8.), (1, 1, 2, 2))
    array([[[[2., 2.],
             [2., 2.]]]])
    """
    how = options(isa=isa, num_threads=num_threads)
    shape, ndim, last = global_shape(input_shape, channels_last)
    geometry = global_geometry(ndim, shape, input_name="input_shape")
    errors = calls.gradients(grad, geometry.output_shape, True, last)
    return spread(geometry, errors, True, last, how)


def global_max_pool(
    x: ArrayLike,
    return_indices: bool = False,
    *,
    channels_last: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the largest value of every channel of every image.

    ::

        (N, C, ...) -> (N, C, 1, ...)

    The axes that were pooled stay, with length 1. NaN and ties are as in
    :func:`npconv.max_pool2d`.

    Parameters
    ----------
    x : array_like, (N, C, W), (N, C, H, W) or (N, C, D, H, W)
        The images, of the dtypes of :func:`npconv.max_pool2d`. There must be a batch axis.
    return_indices : bool
        Also return where each value was found: flat positions in the image, int64.
    channels_last : bool
        Whether x is (N, ..., C), and the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the values: of their shape and x's dtype, with any strides, apart from x.

    Returns
    -------
    y : ndarray, (N, C, 1, ...)
        `out`, or a new C-contiguous array.
    indices : ndarray of int64, of y's shape
        With ``return_indices=True`` only.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x's dtype is no such.
    ValueError
        If shapes or options do not fit together, or an image is empty.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.global_max_pool(np.arange(8.).reshape(1, 2, 2, 2)).ravel()
    array([3., 7.])
    """
    how = options(isa=isa, num_threads=num_threads)
    wanted = np.dtype(np.int64) if checks.flag(return_indices, "return_indices") else None
    given, ndim = global_images(x, "x", channels_last)
    geometry = global_geometry(ndim, given.shape)
    return pick_windows(geometry, False, given, wanted, "flat", how, out, given)


def global_max_pool_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    *,
    channels_last: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`global_max_pool`.

    ::

        (N, C, 1, ...), (N, C, 1, ...) -> (N, C, ...)

    Each value of `grad` goes to the element that was the largest of its channel.

    Parameters
    ----------
    grad : array_like, (N, C, 1, ...)
        The gradient with respect to the output.
    indices : array_like of integers, of grad's shape
        As the forward call returned them.
    input_shape : tuple of int, (N, C, ...)
        The shape of the input.
    channels_last : bool
        As in the forward call.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, of shape `input_shape`

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes or options do not fit together, or an index lies outside of the image.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> y, at = npconv.global_max_pool(np.arange(4.).reshape(1, 1, 4), return_indices=True)
    >>> npconv.global_max_pool_backward(y, at, (1, 1, 4))
    array([[[0., 0., 0., 3.]]])
    """
    how = options(isa=isa, num_threads=num_threads)
    shape, ndim, last = global_shape(input_shape, channels_last)
    geometry = global_geometry(ndim, shape, input_name="input_shape")
    return send_back_windows(geometry, grad, indices, "flat", True, last, how)


def global_images(x: object, name: str, channels_last: object) -> tuple[calls.Images, int]:
    """Check images of one to three dimensions; also return how many these are."""
    last = checks.flag(channels_last, "channels_last")
    values = checks.array(x, name)
    checks.rank(values, name, (3, 4, 5), "(N, C, W), (N, C, H, W) or (N, C, D, H, W)")
    ndim = values.ndim - 2
    return calls.images(values, name, ndim, checks.LAYOUTS[ndim][last]), ndim


def global_shape(value: object, channels_last: object) -> tuple[tuple[int, ...], int, bool]:
    """Check an input's shape; return it as (N, C, ...), its dimensions and the layout."""
    last = checks.flag(channels_last, "channels_last")
    shape = checks.shape(
        value, "input_shape", (3, 4, 5), "(N, C, W), (N, C, H, W) or (N, C, D, H, W)"
    )
    return ((shape[0], shape[-1], *shape[1:-1]) if last else shape), len(shape) - 2, last
