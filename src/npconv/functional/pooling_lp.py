"""Lp-pooling and its gradient."""

from __future__ import annotations

from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.functional.convolution import Padding, PerAxis
from npconv.functional.texts import like
from npconv.geometry import pool_geometry
from npconv.runtime import native, options


def lp_pool2d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool | str = False,
    *,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the p-norm of every window.

    ::

        (N, C, H, W) -> (N, C, OH, OW)
           (C, H, W) -> (C, OH, OW)

    This is (sum of abs(x)^p)^(1/p), as in ONNX. PyTorch leaves out the absolute value, so that odd
    p give other results for negative x, and scales up windows that hang over the border.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, float16, float32 or float64.
    norm_type : float
        p, greater than 0. For the largest absolute value take :func:`npconv.max_pool2d`.
    kernel_size : int or (int, int)
        The height and width of a window.
    stride : int or (int, int), optional
        The step between windows; `kernel_size` if not given.
    ceil_mode, padding, dilation
        As for :func:`npconv.avg_pool2d`.
    layout : {"NCHW", "NHWC"}
        The order of the axes, of the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of its shape and x's dtype, with any strides, apart from x.

    Returns
    -------
    ndarray, (N, C, OH, OW) or (C, OH, OW)
        `out`, or a new C-contiguous array.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x is not float16, float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.lp_pool2d(np.array([[[1., 1., 3., 0.], [1., 1., -4., 0.]]]), 2, 2)
    array([[[2., 5.]]])
    """
    return _lp_pool(
        2, x, norm_type, kernel_size, stride, ceil_mode, padding, dilation, layout, isa,
        num_threads, out,
    )  # fmt: skip


def lp_pool2d_backward(
    grad: ArrayLike,
    x: ArrayLike,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool | str = False,
    *,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`lp_pool2d`.

    ::

        (N, C, OH, OW), (N, C, H, W) -> (N, C, H, W)

    Each x of a window gets grad · sign(x) · (abs(x) / y)^(p - 1); where x or y is 0, nothing.

    Parameters
    ----------
    grad : array_like, (N, C, OH, OW) or (C, OH, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, H, W) or (C, H, W)
        The input.
    norm_type, kernel_size, stride, ceil_mode, padding, dilation
        As in the forward call.
    layout : {"NCHW", "NHWC"}
        The order of the axes.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, of x's shape

    Raises
    ------
    TypeError
        If an argument has the wrong type, or grad or x is not float16, float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 1., 3., 0.], [1., 1., -4., 0.]]])
    >>> npconv.lp_pool2d_backward(np.array([[[2., 5.]]]), x, 2, 2)
    array([[[ 1.,  1.,  3.,  0.],
            [ 1.,  1., -4.,  0.]]])
    """
    return _lp_pool_backward(
        2, grad, x, norm_type, kernel_size, stride, ceil_mode, padding, dilation, layout, isa,
        num_threads,
    )  # fmt: skip


@like(lp_pool2d, 1)
def lp_pool1d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool | str = False,
    *,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the p-norm of every window.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.lp_pool1d(np.array([[3., 4., -6., 8.]]), 2, 2)
    array([[ 5., 10.]])
    """
    return _lp_pool(
        1, x, norm_type, kernel_size, stride, ceil_mode, padding, dilation, layout, isa,
        num_threads, out,
    )  # fmt: skip


@like(lp_pool2d_backward, 1)
def lp_pool1d_backward(
    grad: ArrayLike,
    x: ArrayLike,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool | str = False,
    *,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`lp_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.lp_pool1d_backward(np.array([[5., 10.]]), np.array([[3., 4., -6., 8.]]), 2, 2)
    array([[ 3.,  4., -6.,  8.]])
    """
    return _lp_pool_backward(
        1, grad, x, norm_type, kernel_size, stride, ceil_mode, padding, dilation, layout, isa,
        num_threads,
    )  # fmt: skip


@like(lp_pool2d, 3)
def lp_pool3d(
    x: ArrayLike,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool | str = False,
    *,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the p-norm of every window.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.lp_pool3d(np.ones((1, 2, 2, 1)), 2, (2, 2, 1))
    array([[[[2.]]]])
    """
    return _lp_pool(
        3, x, norm_type, kernel_size, stride, ceil_mode, padding, dilation, layout, isa,
        num_threads, out,
    )  # fmt: skip


@like(lp_pool2d_backward, 3)
def lp_pool3d_backward(
    grad: ArrayLike,
    x: ArrayLike,
    norm_type: float,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    ceil_mode: bool | str = False,
    *,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`lp_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.ones((1, 2, 2, 1))
    >>> npconv.lp_pool3d_backward(np.full((1, 1, 1, 1), 4.), x, 2, (2, 2, 1)).ravel()
    array([2., 2., 2., 2.])
    """
    return _lp_pool_backward(
        3, grad, x, norm_type, kernel_size, stride, ceil_mode, padding, dilation, layout, isa,
        num_threads,
    )  # fmt: skip


# --- for any number of spatial dimensions ----------------------------------------------------


def norm(value: object) -> float:
    """Check ``norm_type``."""
    checked = checks.number(value, "norm_type")
    if checked <= 0:
        raise ValueError(f"norm_type must be greater than 0, got {checks.show(value)}")
    return checked


def _lp_pool(
    ndim: int,
    x: object,
    norm_type: object,
    kernel_size: object,
    stride: object,
    ceil_mode: object,
    padding: object,
    dilation: object,
    layout: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    p = norm(norm_type)
    given = calls.images(x, "x", ndim, layout)
    geometry = pool_geometry(ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode)
    dtypes = calls.float_dtypes(given.values, "x")
    shape = geometry.output_shape
    result = calls.Result(shape, dtypes, given.batched, given.last, out, x=given.values)
    native.lp_pool_forward(geometry, p, given.values, result.view, how)
    return result.deliver()


def _lp_pool_backward(
    ndim: int,
    grad: object,
    x: object,
    norm_type: object,
    kernel_size: object,
    stride: object,
    ceil_mode: object,
    padding: object,
    dilation: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    p = norm(norm_type)
    given = calls.images(x, "x", ndim, layout)
    geometry = pool_geometry(ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode)
    errors = calls.gradients(grad, geometry.output_shape, given.batched, given.last)
    dtypes = calls.float_dtypes(errors, "grad")
    computed, _ = dtypes
    calls.float_dtypes(given.values, "x")
    y = native.empty(geometry.output_shape, computed)
    native.lp_pool_forward(geometry, p, given.values, y, how)
    result = calls.Result(geometry.input_shape, dtypes, given.batched, given.last)
    native.lp_pool_backward(geometry, p, errors, given.values, y, result.view, how)
    return result.deliver()
