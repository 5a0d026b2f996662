"""Max-unpooling: the pooled values back at their places, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks, layouts
from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.functional.convolution import PerAxis
from npconv.functional.texts import like
from npconv.geometry import PoolGeometry, unpool_geometry
from npconv.runtime import native, options


def max_unpool2d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Put pooled values back where they were found.

    ::

        (N, C, H, W), (N, C, H, W) -> (N, C, OH, OW)
           (C, H, W),    (C, H, W) -> (C, OH, OW)

    All other elements are zero. Where windows overlapped, several indices may name one element:
    the last one's value stays.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        What :func:`npconv.max_pool2d` returned, float16, float32 or float64.
    indices : array_like of integers, of x's shape
        The flat indices that it returned.
    kernel_size, stride, padding
        As in that call.
    output_size : (N, C, OH, OW), (C, OH, OW) or (OH, OW), optional
        The shape of the result, or its spatial part. If not given, it is the smallest that the
        pooling could have come from: (H - 1) * stride - 2 * padding + kernel_size, and so on.
    layout : {"NCHW", "NHWC"}
        The order of the axes, of the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, (N, C, OH, OW) or (C, OH, OW)

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes, sizes or options do not fit together, or an index lies outside of the result.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.max_unpool2d(np.array([[[4., 9.]]]), np.array([[[5, 3]]]), 2)
    array([[[0., 0., 0., 9.],
            [0., 4., 0., 0.]]])
    """
    return _max_unpool(
        2, x, indices, kernel_size, stride, padding, output_size, layout, isa, num_threads
    )


def max_unpool2d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    *,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`max_unpool2d`.

    ::

        (N, C, OH, OW), (N, C, H, W) -> (N, C, H, W)

    Each pooled value gets the gradient of the element that its index names.

    Parameters
    ----------
    grad : array_like, (N, C, OH, OW) or (C, OH, OW)
        The gradient with respect to the output.
    indices : array_like of integers, (N, C, H, W) or (C, H, W)
        As in the forward call.
    kernel_size, stride, padding
        As in the forward call; the shapes of grad and indices say what they would.
    layout : {"NCHW", "NHWC"}
        The order of the axes.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, of the shape of `indices`

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If shapes or options do not fit together, or an index lies outside of grad's images.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> grad = np.array([[[1., 2., 3., 4.],
    ...                   [5., 6., 7., 8.]]])
    >>> npconv.max_unpool2d_backward(grad, np.array([[[5, 3]]]), 2)
    array([[[6., 4.]]])
    """
    return _max_unpool_backward(
        2, grad, indices, kernel_size, stride, padding, layout, isa, num_threads
    )


@like(max_unpool2d, 1)
def max_unpool1d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Put pooled values back where they were found.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.max_unpool1d(np.array([[3., 9.]]), np.array([[1, 2]]), 2)
    array([[0., 3., 9., 0.]])
    """
    return _max_unpool(
        1, x, indices, kernel_size, stride, padding, output_size, layout, isa, num_threads
    )


@like(max_unpool2d_backward, 1)
def max_unpool1d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    *,
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`max_unpool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.max_unpool1d_backward(np.array([[1., 2., 3., 4.]]), np.array([[1, 2]]), 2)
    array([[2., 3.]])
    """
    return _max_unpool_backward(
        1, grad, indices, kernel_size, stride, padding, layout, isa, num_threads
    )


@like(max_unpool2d, 3)
def max_unpool3d(
    x: ArrayLike,
    indices: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    output_size: Sequence[int] | None = None,
    *,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Put pooled values back where they were found.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.max_unpool3d(np.full((1, 1, 1, 1), 7.), np.full((1, 1, 1, 1), 3), 2).ravel()
    array([0., 0., 0., 7., 0., 0., 0., 0.])
    """
    return _max_unpool(
        3, x, indices, kernel_size, stride, padding, output_size, layout, isa, num_threads
    )


@like(max_unpool2d_backward, 3)
def max_unpool3d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: PerAxis = 0,
    *,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`max_unpool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> grad = np.arange(8.).reshape(1, 2, 2, 2)
    >>> npconv.max_unpool3d_backward(grad, np.full((1, 1, 1, 1), 3), 2)
    array([[[[3.]]]])
    """
    return _max_unpool_backward(
        3, grad, indices, kernel_size, stride, padding, layout, isa, num_threads
    )


# --- for any number of spatial dimensions ----------------------------------------------------


def positions(indices: object, shape: tuple[int, ...], batched: bool, last: bool) -> Array:
    """Check flat indices; return them as (N, C, ...), C-contiguous."""
    given = checks.array(indices, "indices")
    wanted = layouts.shape_given(shape, batched, last)
    checks.same_shape(given, "indices", wanted, "the shape of what they belong to")
    full = checks.indices(given).reshape(layouts.shape_given(shape, True, last))
    return np.ascontiguousarray(np.moveaxis(full, -1, 1)) if last else full


def _max_unpool(
    ndim: int,
    x: object,
    indices: object,
    kernel_size: object,
    stride: object,
    padding: object,
    output_size: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    given = calls.images(x, "x", ndim, layout)
    geometry = unpool_geometry(
        ndim, given.shape, kernel_size, stride, padding, output_size, given.last
    )
    at = positions(indices, given.shape, given.batched, given.last)
    dtypes = calls.float_dtypes(given.values, "x")
    result = calls.Result(geometry.input_shape, dtypes, given.batched, given.last)
    native.max_unpool(geometry, False, False, given.values, at, result.view, how)
    return result.deliver()


def _max_unpool_backward(
    ndim: int,
    grad: object,
    indices: object,
    kernel_size: object,
    stride: object,
    padding: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    errors = calls.images(grad, "grad", ndim, layout)
    given = calls.images(indices, "indices", ndim, layout)
    checks.per_axis(kernel_size, "kernel_size", ndim, 1)
    if stride is not None:
        checks.per_axis(stride, "stride", ndim, 1)
    checks.per_axis(padding, "padding", ndim, 0)
    geometry = between(ndim, errors.shape, given.shape)
    at = positions(indices, given.shape, errors.batched, errors.last)
    dtypes = calls.float_dtypes(errors.values, "grad")
    result = calls.Result(given.shape, dtypes, errors.batched, errors.last)
    native.max_unpool(geometry, True, False, errors.values, at, result.view, how)
    return result.deliver()


def between(ndim: int, large: tuple[int, ...], small: tuple[int, ...]) -> PoolGeometry:
    """Describe a pooling by its two shapes alone, (N, C, ...)."""
    if large[:2] != small[:2]:
        raise ValueError(
            f"indices has {small[0]} images of {small[1]} channels, grad {large[0]} of {large[1]}"
        )
    return unpool_geometry(ndim, small, 1, 1, 0, large[2:], False)
