"""Average-pooling whose windows share the input out among the outputs, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from numpy.typing import ArrayLike

from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.functional.texts import like
from npconv.geometry import PoolGeometry, adaptive_geometry
from npconv.runtime import Options, native, options

Sizes: TypeAlias = int | Sequence[int | None] | None


def adaptive_avg_pool2d(
    x: ArrayLike,
    output_size: Sizes,
    *,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the means of windows that give an output of the wanted size.

    ::

        (N, C, H, W) -> (N, C, OH, OW)
           (C, H, W) -> (C, OH, OW)

    Window i of OW along an axis of W elements reaches from floor(i W / OW) to
    ceil((i + 1) W / OW), as in PyTorch: neighbours may share an element.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, float16, float32 or float64, or integers, whose means are float64.
    output_size : int or (int, int), with None for an axis that keeps its size
        How many windows there are along each axis.
    layout : {"NCHW", "NHWC"}
        The order of the axes, of the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of its shape and dtype, with any strides, apart from x.

    Returns
    -------
    ndarray, (N, C, OH, OW) or (C, OH, OW)
        `out`, or a new C-contiguous array.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x is not of these dtypes.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 2., 0., 0., 5.],
    ...                [3., 4., 0., 9., 1.]]])
    >>> npconv.adaptive_avg_pool2d(x, (1, 2))
    array([[[1.66666667, 2.5       ]]])
    """
    return _adaptive_avg_pool(2, x, output_size, layout, isa, num_threads, out)


def adaptive_avg_pool2d_backward(
    grad: ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`adaptive_avg_pool2d`.

    ::

        (N, C, OH, OW) -> (N, C, H, W)

    Each value of `grad`, divided by the size of its window, goes to all elements of the window.

    Parameters
    ----------
    grad : array_like, (N, C, OH, OW) or (C, OH, OW)
        The gradient with respect to the output; its shape tells the windows.
    input_shape : (N, C, H, W) or (C, H, W)
        The shape of the input.
    layout : {"NCHW", "NHWC"}
        The order of the axes.
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
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.adaptive_avg_pool2d_backward(np.array([[[6., 12.]]]), (1, 2, 5))
    array([[[1., 1., 3., 2., 2.],
            [1., 1., 3., 2., 2.]]])
    """
    return _adaptive_avg_pool_backward(2, grad, input_shape, layout, isa, num_threads)


@like(adaptive_avg_pool2d, 1)
def adaptive_avg_pool1d(
    x: ArrayLike,
    output_size: Sizes,
    *,
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the means of windows that give an output of the wanted size.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.adaptive_avg_pool1d(np.array([[1., 3., 5., 9., 1.]]), 2)
    array([[3., 5.]])
    """
    return _adaptive_avg_pool(1, x, output_size, layout, isa, num_threads, out)


@like(adaptive_avg_pool2d_backward, 1)
def adaptive_avg_pool1d_backward(
    grad: ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`adaptive_avg_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.adaptive_avg_pool1d_backward(np.array([[3., 6.]]), (1, 5))
    array([[1., 1., 3., 2., 2.]])
    """
    return _adaptive_avg_pool_backward(1, grad, input_shape, layout, isa, num_threads)


@like(adaptive_avg_pool2d, 3)
def adaptive_avg_pool3d(
    x: ArrayLike,
    output_size: Sizes,
    *,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the means of windows that give an output of the wanted size.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.adaptive_avg_pool3d(np.arange(8.).reshape(1, 2, 2, 2), (1, 2, 1))
    array([[[[2.5],
             [4.5]]]])
    """
    return _adaptive_avg_pool(3, x, output_size, layout, isa, num_threads, out)


@like(adaptive_avg_pool2d_backward, 3)
def adaptive_avg_pool3d_backward(
    grad: ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`adaptive_avg_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.adaptive_avg_pool3d_backward(np.full((1, 1, 1, 1), 8.), (1, 2, 2, 2))[0, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    return _adaptive_avg_pool_backward(3, grad, input_shape, layout, isa, num_threads)


# --- for any number of spatial dimensions ----------------------------------------------------


def _adaptive_avg_pool(
    ndim: int,
    x: object,
    output_size: object,
    layout: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    given = calls.images(x, "x", ndim, layout)
    return mean(adaptive_geometry(ndim, given.shape, output_size), given, out, how)


def mean(geometry: PoolGeometry, given: calls.Images, out: object, how: Options) -> Array:
    """Divide the sum of each window by its size."""
    dtypes = calls.mean_dtypes(given.values, "x")
    shape = geometry.output_shape
    result = calls.Result(shape, dtypes, given.batched, given.last, out, x=given.values)
    native.avg_pool(geometry, False, False, 0.0, given.values, result.view, how)
    return result.deliver()


def _adaptive_avg_pool_backward(
    ndim: int,
    grad: object,
    input_shape: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    shape, batched, last = calls.input_shape(input_shape, ndim, layout)
    given = calls.images(grad, "grad", ndim, layout)
    sizes = given.shape[2:] if given.batched == batched else shape[2:]
    geometry = adaptive_geometry(ndim, shape, sizes, input_name="input_shape")
    errors = calls.gradients(grad, geometry.output_shape, batched, last)
    return spread(geometry, errors, batched, last, how)


def spread(geometry: PoolGeometry, errors: Array, batched: bool, last: bool, how: Options) -> Array:
    """Share each gradient out among its window."""
    dtypes = calls.float_dtypes(errors, "grad")
    result = calls.Result(geometry.input_shape, dtypes, batched, last)
    native.avg_pool(geometry, True, False, 0.0, errors, result.view, how)
    return result.deliver()
