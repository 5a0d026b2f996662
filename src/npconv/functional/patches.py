"""Windows as columns of a matrix, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks, layouts
from npconv.checks import Array
from npconv.functional.convolution import Padding, PerAxis
from npconv.geometry import columns_geometry
from npconv.runtime import native, options

_AXES = "NCP"


def im2col(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    *,
    order: str = "NCP",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Copy every window of the images into a column.

    ::

        (N, C, H, W) -> (N, C·R·S, OH·OW)
           (C, H, W) -> (C·R·S, OH·OW)

    A matrix product of the filters, reshaped to (K, C·R·S), with these columns is a
    cross-correlation.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, float32 or float64.
    kernel_size : int or (int, int)
        The height R and width S of a window.
    stride, padding, dilation
        See :func:`npconv.conv2d`.
    order : str
        The order of the result's axes, a permutation of "NCP": N the images, C the elements of a
        window (channel by channel, row by row), P the windows (row by row). Without a batch axis
        the N is left out.
    layout : {"NCHW", "NHWC"}
        The order of x's axes.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray
        C-contiguous in the order asked for.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x is not float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    col2im

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.im2col(np.arange(6.).reshape(1, 2, 3), 2)
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    usual = native.usual_im2col(
        x, kernel_size, stride, padding, dilation, order, layout, isa, num_threads
    )
    if usual is not None:
        columns: Array = usual
        return columns
    return _im2col(2, x, kernel_size, stride, padding, dilation, order, layout, isa, num_threads)


def col2im(
    cols: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    *,
    order: str = "NCP",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Add columns back to the windows that they came from: the adjoint of :func:`im2col`.

    ::

        (N, C·R·S, OH·OW) -> (N, C, H, W)
           (C·R·S, OH·OW) -> (C, H, W)

    Where windows overlap, their values are summed; what fell on the padding is dropped. The
    input's gradient of a cross-correlation is this, of a matrix product.

    Parameters
    ----------
    cols : array_like
        The columns, float32 or float64, with their axes in `order`.
    input_shape : (N, C, H, W) or (C, H, W)
        The shape of the images.
    kernel_size, stride, padding, dilation, order
        As in :func:`im2col`.
    layout : {"NCHW", "NHWC"}
        The order of the images' axes.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, of shape `input_shape`

    Raises
    ------
    TypeError
        If an argument has the wrong type, or cols is not float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.col2im(np.ones((4, 2)), (1, 2, 3), 2)
    array([[[1., 2., 1.],
            [1., 2., 1.]]])
    """
    usual = native.usual_col2im(
        cols, input_shape, kernel_size, stride, padding, dilation, order, layout, isa, num_threads
    )
    if usual is not None:
        images: Array = usual
        return images
    return _col2im(
        2, cols, input_shape, kernel_size, stride, padding, dilation, order, layout, isa,
        num_threads,
    )  # fmt: skip


# --- for any number of spatial dimensions ----------------------------------------------------


def _im2col(
    ndim: int,
    x: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    order: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    last = checks.channels_last(layout, ndim)
    how = options(isa=isa, num_threads=num_threads)
    axes = _axis_order(order)
    images, batched = checks.batched(x, "x", ndim, last)
    geometry = columns_geometry(ndim, images.shape, kernel_size, stride, padding, dilation)
    dtype = checks.float_dtype(x=images)
    canonical = geometry.columns_shape
    cols = native.empty([canonical[axis] for axis in axes], dtype)
    native.im2col(geometry, images, cols.transpose(_inverse(axes)), how)
    return cols if batched else cols.squeeze(axes.index(0))


def _col2im(
    ndim: int,
    cols: object,
    input_shape: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    order: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    last = checks.channels_last(layout, ndim)
    how = options(isa=isa, num_threads=num_threads)
    axes = _axis_order(order)
    shape, batched = checks.input_shape(input_shape, ndim, last)
    geometry = columns_geometry(
        ndim, shape, kernel_size, stride, padding, dilation, input_name="input_shape"
    )
    columns = checks.array(cols, "cols")
    canonical = geometry.columns_shape
    expected = tuple([canonical[axis] for axis in axes if batched or axis != 0])
    letters = "".join([_AXES[axis] for axis in axes if batched or axis != 0])
    checks.same_shape(columns, "cols", expected, f"its axes being {letters}")
    dtype = checks.float_dtype(cols=columns)
    if not batched:
        columns = np.expand_dims(columns, axes.index(0))
    dx = native.empty(layouts.shape_given(shape, True, last), dtype)
    target = layouts.channels_first(dx, True, last)
    native.col2im(geometry, columns.transpose(_inverse(axes)), target, how)
    return dx if batched else dx[0]


def _axis_order(order: object) -> tuple[int, ...]:
    """Which axis of (N, C, P) stands first, second and third."""
    if not isinstance(order, str):
        raise TypeError(f"order must be a permutation of 'NCP', got {checks.show(order)}")
    if sorted(order) != sorted(_AXES):
        raise ValueError(f"order must be a permutation of 'NCP', got {order!r}")
    return tuple([_AXES.index(letter) for letter in order])


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([axes.index(axis) for axis in range(len(axes))])
