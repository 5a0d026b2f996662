"""Min-pooling and its gradient: max-pooling the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, DTypeLike

from npconv.checks import Array
from npconv.functional import pooling_max_calls as calls
from npconv.functional.convolution import Padding, PerAxis
from npconv.functional.texts import like


def min_pool2d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool | str = False,
    return_indices: bool = False,
    *,
    padding_value: float | None = None,
    padding_mode: str = "constant",
    indices: str = "flat",
    index_dtype: DTypeLike = "int64",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the smallest value of every window.

    ::

        (N, C, H, W) -> (N, C, OH, OW)
           (C, H, W) -> (C, OH, OW)

    The windows lie as those of a cross-correlation with a `kernel_size` filter. Padding is never
    the smallest. A NaN in a window wins; among NaNs and among equal values, the first one does,
    row by row.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, float16, float32, float64, or integers of up to 32 bits.
    kernel_size : int or (int, int)
        The height and width of a window.
    stride : int or (int, int), optional
        The step between windows; `kernel_size` if not given.
    padding : int, (int, int), ((top, bottom), (left, right)), "same" or "valid"
        How far windows may reach over the borders: less than a (dilated) window, and so that
        each window touches the image. "same" makes OH = ceil(H / stride).
    dilation : int or (int, int)
        The step between the pixels of a window.
    ceil_mode : bool or "cover_all"
        Round the number of windows up: the last one may reach past the padding behind the image,
        but must start in the image or in the padding before it, as in PyTorch and ONNX. With
        "cover_all", Chainer's rule, it must not.
    return_indices : bool
        Also return where each value was found.
    padding_value : float, optional
        What surrounds the images instead of padding that never wins; DeZero's is 0.
    padding_mode : {"constant", "reflect", "edge", "symmetric", "wrap"}
        Or copies of their elements, as :func:`npconv.pad` makes. With either of these, flat
        indices are positions in the padded image.
    indices : {"flat", "window"}
        Count that position in the image (``row * W + column``, as PyTorch does) or in the window
        (``r * S + s``).
    index_dtype : {"int64", "uint8"}
        The dtype of the indices. uint8 holds "window" indices of windows of at most 256 pixels;
        they are an eighth as large, and :func:`min_pool2d_backward` takes them as they are.
    layout : {"NCHW", "NHWC"}
        The order of the axes.
    isa, num_threads
        See :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the values: of their shape and x's dtype, with any strides, apart from x.

    Returns
    -------
    y : ndarray, (N, C, OH, OW) or (C, OH, OW)
        `out`, or a new C-contiguous array.
    indices : ndarray of `index_dtype`, of y's shape
        With ``return_indices=True`` only.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x is not of these dtypes.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    min_pool2d_backward
    max_unpool2d

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 2., 0., 0.],
    ...                [3., 4., 0., 9.]]])
    >>> npconv.min_pool2d(x, 2)
    array([[[1., 0.]]])
    >>> npconv.min_pool2d(x, 2, return_indices=True)[1]
    array([[[0, 2]]])
    """
    return calls.pick(
        2, True, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        padding_value, padding_mode, indices, index_dtype, layout, isa, num_threads, out,
    )  # fmt: skip


def min_pool2d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool | str = False,
    *,
    padding_value: float | None = None,
    padding_mode: str = "constant",
    index_kind: str = "flat",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`min_pool2d`.

    ::

        (N, C, OH, OW), (N, C, OH, OW) -> (N, C, H, W)

    Each value of `grad` goes to the pixel that was the smallest of its window; a pixel that won
    several windows gets their sum, the others get zero.

    Parameters
    ----------
    grad : array_like, (N, C, OH, OW) or (C, OH, OW)
        The gradient with respect to the output.
    indices : array_like of integers, of grad's shape
        As :func:`min_pool2d` returned them; of other dtypes than int64 and uint8 they are copied.
    input_shape : (N, C, H, W) or (C, H, W)
        The shape of the input.
    kernel_size, stride, padding, dilation, ceil_mode, padding_value, padding_mode
        As in the forward call.
    index_kind : {"flat", "window"}
        What `indices` count; ``indices`` of the forward call.
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
        If an argument has the wrong type, grad is not float16, float32 or float64, or indices are
        not integers.
    ValueError
        If shapes, sizes or options do not fit together, or an index lies outside the image or
        window.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 2., 0., 0.],
    ...                [3., 4., 0., 9.]]])
    >>> y, indices = npconv.min_pool2d(x, 2, return_indices=True)
    >>> npconv.min_pool2d_backward(np.ones_like(y), indices, x.shape, 2)
    array([[[1., 0., 1., 0.],
            [0., 0., 0., 0.]]])
    """
    return calls.send_back(
        2, grad, indices, input_shape, kernel_size, stride, padding, dilation, ceil_mode,
        padding_value, padding_mode, index_kind, layout, isa, num_threads,
    )  # fmt: skip


@like(min_pool2d, 1)
def min_pool1d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool | str = False,
    return_indices: bool = False,
    *,
    padding_value: float | None = None,
    padding_mode: str = "constant",
    indices: str = "flat",
    index_dtype: DTypeLike = "int64",
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the smallest value of every window.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.min_pool1d(np.array([[1., 3., 9., 5.]]), 2)
    array([[1., 5.]])
    """
    return calls.pick(
        1, True, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        padding_value, padding_mode, indices, index_dtype, layout, isa, num_threads, out,
    )  # fmt: skip


@like(min_pool2d_backward, 1)
def min_pool1d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool | str = False,
    *,
    padding_value: float | None = None,
    padding_mode: str = "constant",
    index_kind: str = "flat",
    layout: str = "NCW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`min_pool1d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> y, indices = npconv.min_pool1d(np.array([[1., 3., 9., 5.]]), 2, return_indices=True)
    >>> npconv.min_pool1d_backward(y, indices, (1, 4), 2)
    array([[1., 0., 0., 5.]])
    """
    return calls.send_back(
        1, grad, indices, input_shape, kernel_size, stride, padding, dilation, ceil_mode,
        padding_value, padding_mode, index_kind, layout, isa, num_threads,
    )  # fmt: skip


@like(min_pool2d, 3)
def min_pool3d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool | str = False,
    return_indices: bool = False,
    *,
    padding_value: float | None = None,
    padding_mode: str = "constant",
    indices: str = "flat",
    index_dtype: DTypeLike = "int64",
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Any:
    """Take the smallest value of every window.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.min_pool3d(np.arange(8.).reshape(1, 2, 2, 2) + 1, 2)
    array([[[[1.]]]])
    """
    return calls.pick(
        3, True, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices,
        padding_value, padding_mode, indices, index_dtype, layout, isa, num_threads, out,
    )  # fmt: skip


@like(min_pool2d_backward, 3)
def min_pool3d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool | str = False,
    *,
    padding_value: float | None = None,
    padding_mode: str = "constant",
    index_kind: str = "flat",
    layout: str = "NCDHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`min_pool3d`.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.arange(8.).reshape(1, 2, 2, 2) + 1
    >>> y, indices = npconv.min_pool3d(x, 2, return_indices=True)
    >>> npconv.min_pool3d_backward(y, indices, x.shape, 2).ravel()
    array([1., 0., 0., 0., 0., 0., 0., 0.])
    """
    return calls.send_back(
        3, grad, indices, input_shape, kernel_size, stride, padding, dilation, ceil_mode,
        padding_value, padding_mode, index_kind, layout, isa, num_threads,
    )  # fmt: skip
