"""Average-pooling and its gradient."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from npconv.checks import Array
from npconv.functional import pooling_calls as calls
from npconv.functional.convolution import Padding, PerAxis
from npconv.functional.texts import like
from npconv.geometry import pool_geometry
from npconv.runtime import native, options


def avg_pool2d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool | str = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: PerAxis = 1,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the mean of every window.

    ::

        (N, C, H, W) -> (N, C, OH, OW)
           (C, H, W) -> (C, OH, OW)

    The sum of a window, in which padding counts as zero, is divided by the number of its elements.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, float16, float32 or float64, or integers, whose means are float64.
    kernel_size : int or (int, int)
        The height and width of a window.
    stride : int or (int, int), optional
        The step between windows; `kernel_size` if not given.
    padding : int, (int, int), ((top, bottom), (left, right)), "same" or "valid"
        How many zeros surround the images; fewer than a window covers, or there would be windows
        without an element. "same" makes the output ceil(input / stride) long.
    ceil_mode : bool or "cover_all"
        Round the number of windows up, so that the last one may reach past the padding behind the
        image. With True, as PyTorch and ONNX have it, a window that would start there is dropped;
        with "cover_all", Chainer's rule, it stays.
    count_include_pad : bool
        Whether elements in the padding are counted. Those past the padding never are. (ONNX's
        default is not to count them.)
    divisor_override : int, optional
        Divide by this instead of any count.
    dilation : int or (int, int)
        The step between the elements of a window, which PyTorch has not, but ONNX.
    padding_mode : {"constant", "reflect", "edge", "symmetric", "wrap"}
        What surrounds the images: zeros, or copies of their elements as :func:`npconv.pad` makes.
    layout : {"NCHW", "NHWC"}
        The order of the axes, of the result too.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of its shape and dtype, with any strides, apart from x.

    Returns
    -------
    ndarray, (N, C, OH, OW) or (C, OH, OW)
        `out`, or a new C-contiguous array. Windows without elements that count give 0.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x is not of these dtypes.
    ValueError
        If shapes, sizes or options do not fit together, or a window lies wholly in the padding.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 2., 0., 0.],
    ...                [3., 4., 0., 9.]]])
    >>> npconv.avg_pool2d(x, 2)
    array([[[2.5 , 2.25]]])
    """
    return _avg_pool(
        2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
        dilation, padding_mode, layout, isa, num_threads, out,
    )  # fmt: skip


def avg_pool2d_backward(
    grad: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool | str = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: PerAxis = 1,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`avg_pool2d`.

    ::

        (N, C, OH, OW) -> (N, C, H, W)

    Each value of `grad`, divided by what its window's sum was divided by, goes to all elements of
    the window.

    Parameters
    ----------
    grad : array_like, (N, C, OH, OW) or (C, OH, OW)
        The gradient with respect to the output.
    input_shape : (N, C, H, W) or (C, H, W)
        The shape of the input.
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        As in the forward call.
    dilation, padding_mode
        Likewise.
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
    >>> npconv.avg_pool2d_backward(np.array([[[4., 8.]]]), (1, 2, 4), 2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]]])
    """
    return _avg_pool_backward(
        2, grad, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override, dilation, padding_mode, layout, isa, num_threads,
    )  # fmt: skip


@like(avg_pool2d, 1)
def avg_pool1d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool | str = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: PerAxis = 1,
    padding_mode: str = "constant",
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the mean of every window.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.avg_pool1d(np.array([[1., 3., 5., 9.]]), 2)
    array([[2., 7.]])
    """
    return _avg_pool(
        1, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
        dilation, padding_mode, layout, isa, num_threads, out,
    )  # fmt: skip


@like(avg_pool2d_backward, 1)
def avg_pool1d_backward(
    grad: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool | str = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: PerAxis = 1,
    padding_mode: str = "constant",
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`avg_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.avg_pool1d_backward(np.array([[4., 8.]]), (1, 4), 2)
    array([[2., 2., 4., 4.]])
    """
    return _avg_pool_backward(
        1, grad, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override, dilation, padding_mode, layout, isa, num_threads,
    )  # fmt: skip


@like(avg_pool2d, 3)
def avg_pool3d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool | str = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: PerAxis = 1,
    padding_mode: str = "constant",
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Take the mean of every window.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.avg_pool3d(np.arange(8.).reshape(1, 2, 2, 2), 2)
    array([[[[3.5]]]])
    """
    return _avg_pool(
        3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
        dilation, padding_mode, layout, isa, num_threads, out,
    )  # fmt: skip


@like(avg_pool2d_backward, 3)
def avg_pool3d_backward(
    grad: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    ceil_mode: bool | str = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dilation: PerAxis = 1,
    padding_mode: str = "constant",
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`avg_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.avg_pool3d_backward(np.full((1, 1, 1, 1), 8.), (1, 2, 2, 2), 2)[0, 0]
    array([[1., 1.],
           [1., 1.]])
    """
    return _avg_pool_backward(
        3, grad, input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override, dilation, padding_mode, layout, isa, num_threads,
    )  # fmt: skip


# --- for any number of spatial dimensions ----------------------------------------------------


def _avg_pool(
    ndim: int,
    x: object,
    kernel_size: object,
    stride: object,
    padding: object,
    ceil_mode: object,
    count_include_pad: object,
    divisor_override: object,
    dilation: object,
    padding_mode: object,
    layout: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    rule = calls.counting(count_include_pad, divisor_override)
    given = calls.images(x, "x", ndim, layout)
    made = padding_mode != "constant"
    geometry = pool_geometry(
        ndim, given.shape, kernel_size, stride, padding, dilation, ceil_mode, may_be_empty=made
    )
    border, geometry = calls.border(geometry, padding_mode)
    dtypes = calls.mean_dtypes(given.values, "x")
    shape = geometry.output_shape
    result = calls.Result(shape, dtypes, given.batched, given.last, out, x=given.values)
    if border:
        given = border.add(given, num_threads)
    native.avg_pool(geometry, False, *rule, given.values, result.view, how)
    return result.deliver()


def _avg_pool_backward(
    ndim: int,
    grad: object,
    input_shape: object,
    kernel_size: object,
    stride: object,
    padding: object,
    ceil_mode: object,
    count_include_pad: object,
    divisor_override: object,
    dilation: object,
    padding_mode: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    rule = calls.counting(count_include_pad, divisor_override)
    shape, batched, last = calls.input_shape(input_shape, ndim, layout)
    geometry = pool_geometry(
        ndim, shape, kernel_size, stride, padding, dilation, ceil_mode,
        input_name="input_shape", may_be_empty=padding_mode != "constant",
    )  # fmt: skip
    errors = calls.gradients(grad, geometry.output_shape, batched, last)
    border, geometry = calls.border(geometry, padding_mode)
    dtypes = calls.float_dtypes(errors, "grad")
    result = calls.Result(geometry.input_shape, dtypes, batched, last)
    native.avg_pool(geometry, True, *rule, errors, result.view, how)
    dx = result.deliver()
    return border.fold(dx, batched, last, num_threads) if border else dx
