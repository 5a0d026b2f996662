"""Poolings whose window is the whole image."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.functional.pooling_adaptive_average import mean
from npconv.geometry import global_geometry
from npconv.runtime import native, options


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
        The images, float32 or float64. There must be a batch axis.
    channels_last : bool
        Whether x is (N, ..., C), and the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of its shape and x's dtype, with any strides, apart from x.

    Returns
    -------
    ndarray, (N, C, 1, ...)
        `out`, or a new C-contiguous array.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x is not float32 or float64.
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
        If an argument has the wrong type, or grad is not float32 or float64.
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
    dx, view = calls.result(shape, checks.float_dtype(grad=errors), True, last)
    native.avg_pool(geometry, True, False, 0.0, errors, view, how)
    return dx


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
