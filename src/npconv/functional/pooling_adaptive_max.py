"""Max-pooling whose windows share the input out among the outputs, and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.functional.pooling_adaptive_average import Sizes
from npconv.functional.pooling_max_calls import pick_windows, send_back_windows
from npconv.functional.texts import like
from npconv.geometry import adaptive_geometry
from npconv.runtime import options


def adaptive_max_pool2d(
    x: ArrayLike,
    output_size: Sizes,
    return_indices: bool = False,
    *,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the largest values of windows that give an output of the wanted size.

    ::

        (N, C, H, W) -> (N, C, OH, OW)
           (C, H, W) -> (C, OH, OW)

    Window i of OW along an axis of W elements reaches from floor(i W / OW) to
    ceil((i + 1) W / OW), as in PyTorch. NaN and ties are as in :func:`npconv.max_pool2d`.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, of the dtypes of :func:`npconv.max_pool2d`.
    output_size : int or (int, int), with None for an axis that keeps its size
        How many windows there are along each axis.
    return_indices : bool
        Also return where each value was found: flat positions in the image, int64.
    layout : {"NCHW", "NHWC"}
        The order of the axes, of the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the values: of their shape and x's dtype, with any strides, apart from x.

    Returns
    -------
    y : ndarray, (N, C, OH, OW) or (C, OH, OW)
        `out`, or a new C-contiguous array.
    indices : ndarray of int64, of y's shape
        With ``return_indices=True`` only.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x is of another dtype.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 2., 0., 0., 5.],
    ...                [3., 4., 0., 9., 1.]]])
    >>> npconv.adaptive_max_pool2d(x, (1, 2))
    array([[[4., 9.]]])
    """
    return _adaptive_max_pool(2, x, output_size, return_indices, layout, isa, num_threads, out)


def adaptive_max_pool2d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`adaptive_max_pool2d`.

    ::

        (N, C, OH, OW), (N, C, OH, OW) -> (N, C, H, W)

    Each value of `grad` goes to the element that was the largest of its window.

    Parameters
    ----------
    grad : array_like, (N, C, OH, OW) or (C, OH, OW)
        The gradient with respect to the output; its shape tells the windows.
    indices : array_like of integers, of grad's shape
        As the forward call returned them.
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
        If an argument has the wrong type.
    ValueError
        If shapes, sizes or options do not fit together, or an index lies outside of the image.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 2., 0., 0., 5.],
    ...                [3., 4., 0., 9., 1.]]])
    >>> y, indices = npconv.adaptive_max_pool2d(x, (1, 2), return_indices=True)
    >>> npconv.adaptive_max_pool2d_backward(np.ones_like(y), indices, x.shape)
    array([[[0., 0., 0., 0., 0.],
            [0., 1., 0., 1., 0.]]])
    """
    return _adaptive_max_pool_backward(2, grad, indices, input_shape, layout, isa, num_threads)


@like(adaptive_max_pool2d, 1)
def adaptive_max_pool1d(
    x: ArrayLike,
    output_size: Sizes,
    return_indices: bool = False,
    *,
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the largest values of windows that give an output of the wanted size.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.adaptive_max_pool1d(np.array([[1., 3., 9., 5., 1.]]), 2)
    array([[9., 9.]])
    """
    return _adaptive_max_pool(1, x, output_size, return_indices, layout, isa, num_threads, out)


@like(adaptive_max_pool2d_backward, 1)
def adaptive_max_pool1d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`adaptive_max_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[1., 3., 9., 5., 1.]])
    >>> y, indices = npconv.adaptive_max_pool1d(x, 2, return_indices=True)
    >>> npconv.adaptive_max_pool1d_backward(np.array([[1., 2.]]), indices, x.shape)
    array([[0., 0., 3., 0., 0.]])
    """
    return _adaptive_max_pool_backward(1, grad, indices, input_shape, layout, isa, num_threads)


@like(adaptive_max_pool2d, 3)
def adaptive_max_pool3d(
    x: ArrayLike,
    output_size: Sizes,
    return_indices: bool = False,
    *,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the largest values of windows that give an output of the wanted size.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.adaptive_max_pool3d(np.arange(8.).reshape(1, 2, 2, 2), (1, 2, 1)).ravel()
    array([5., 7.])
    """
    return _adaptive_max_pool(3, x, output_size, return_indices, layout, isa, num_threads, out)


@like(adaptive_max_pool2d_backward, 3)
def adaptive_max_pool3d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`adaptive_max_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.arange(8.).reshape(1, 2, 2, 2)
    >>> y, indices = npconv.adaptive_max_pool3d(x, (1, 2, 1), return_indices=True)
    >>> npconv.adaptive_max_pool3d_backward(y, indices, x.shape).ravel()
    array([0., 0., 0., 0., 0., 5., 0., 7.])
    """
    return _adaptive_max_pool_backward(3, grad, indices, input_shape, layout, isa, num_threads)


# --- for any number of spatial dimensions ----------------------------------------------------


def _adaptive_max_pool(
    ndim: int,
    x: object,
    output_size: object,
    return_indices: object,
    layout: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Array | tuple[Array, Array]:
    how = options(isa=isa, num_threads=num_threads)
    wanted = np.dtype(np.int64) if checks.flag(return_indices, "return_indices") else None
    given = calls.images(x, "x", ndim, layout)
    geometry = adaptive_geometry(ndim, given.shape, output_size)
    return pick_windows(geometry, False, given, wanted, "flat", how, out, given)


def _adaptive_max_pool_backward(
    ndim: int,
    grad: object,
    indices: object,
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
    return send_back_windows(geometry, grad, indices, "flat", batched, last, how)
