"""Max-pooling and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from npconv import checks
from npconv.checks import Array
from npconv.functional.convolution import Padding, PerAxis
from npconv.geometry import pool_geometry
from npconv.runtime import native, options

INDEX_KINDS = ("flat", "window")
_OUTPUT = "the shape of this pooling's output"


@overload
def max_pool2d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    *,
    indices: str = "flat",
    index_dtype: DTypeLike = "int64",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array: ...
@overload
def max_pool2d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    indices: str = "flat",
    index_dtype: DTypeLike = "int64",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> tuple[Array, Array]: ...
@overload
def max_pool2d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None,
    padding: Padding,
    dilation: PerAxis,
    ceil_mode: bool,
    return_indices: Literal[True],
    *,
    indices: str = "flat",
    index_dtype: DTypeLike = "int64",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> tuple[Array, Array]: ...
@native.short_call
def max_pool2d(
    x: ArrayLike,
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    indices: str = "flat",
    index_dtype: DTypeLike = "int64",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array | tuple[Array, Array]:
    """Take the largest value of every window.

    ::

        (N, C, H, W) -> (N, C, OH, OW)
           (C, H, W) -> (C, OH, OW)

    The windows lie as those of a cross-correlation with a `kernel_size` filter. Padding is never
    the largest. A NaN in a window wins; among NaNs and among equal values, the first one does,
    row by row.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, float32 or float64.
    kernel_size : int or (int, int)
        The height and width of a window.
    stride : int or (int, int), optional
        The step between windows; `kernel_size` if not given.
    padding : int, (int, int), ((top, bottom), (left, right)), "same" or "valid"
        How far windows may reach over the borders: less than a (dilated) window, and so that
        each window touches the image. "same" makes OH = ceil(H / stride).
    dilation : int or (int, int)
        The step between the pixels of a window.
    ceil_mode : bool
        Round the number of windows up: the last one may reach past the padding behind the image,
        but must start in the image or in the padding before it.
    return_indices : bool
        Also return where each value was found.
    indices : {"flat", "window"}
        Count that position in the image (``row * W + column``, as PyTorch does) or in the window
        (``r * S + s``).
    index_dtype : {"int64", "uint8"}
        The dtype of the indices. uint8 holds "window" indices of windows of at most 256 pixels;
        they are an eighth as large, and :func:`max_pool2d_backward` takes them as they are.
    layout : {"NCHW"}
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
        If an argument has the wrong type, or x is not float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.
    NotImplementedError
        If an option is asked for that is not built yet.

    See Also
    --------
    max_pool2d_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 2., 0., 0.],
    ...                [3., 4., 0., 9.]]])
    >>> npconv.max_pool2d(x, 2)
    array([[[4., 9.]]])
    >>> npconv.max_pool2d(x, 2, return_indices=True)[1]
    array([[[5, 7]]])
    """
    return _max_pool(
        2, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices, indices,
        index_dtype, layout, isa, num_threads, out,
    )  # fmt: skip


def max_pool2d_backward(
    grad: ArrayLike,
    indices: ArrayLike,
    input_shape: Sequence[int],
    kernel_size: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    *,
    index_kind: str = "flat",
    layout: str = "NCHW",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`max_pool2d`.

    ::

        (N, C, OH, OW), (N, C, OH, OW) -> (N, C, H, W)

    Each value of `grad` goes to the pixel that was the largest of its window; a pixel that won
    several windows gets their sum, the others get zero.

    Parameters
    ----------
    grad : array_like, (N, C, OH, OW) or (C, OH, OW)
        The gradient with respect to the output.
    indices : array_like of integers, of grad's shape
        As :func:`max_pool2d` returned them; of other dtypes than int64 and uint8 they are copied.
    input_shape : (N, C, H, W) or (C, H, W)
        The shape of the input.
    kernel_size, stride, padding, dilation, ceil_mode
        As in the forward call.
    index_kind : {"flat", "window"}
        What `indices` count; ``indices`` of the forward call.
    layout : {"NCHW"}
        The order of the axes.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, of shape `input_shape`

    Raises
    ------
    TypeError
        If an argument has the wrong type, grad is not float32 or float64, or indices are not
        integers.
    ValueError
        If shapes, sizes or options do not fit together, or an index lies outside the image or
        window.
    NotImplementedError
        If an option is asked for that is not built yet.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[1., 2., 0., 0.],
    ...                [3., 4., 0., 9.]]])
    >>> y, indices = npconv.max_pool2d(x, 2, return_indices=True)
    >>> npconv.max_pool2d_backward(np.ones_like(y), indices, x.shape, 2)
    array([[[0., 0., 0., 0.],
            [0., 1., 0., 1.]]])
    """
    return _max_pool_backward(
        2, grad, indices, input_shape, kernel_size, stride, padding, dilation, ceil_mode,
        index_kind, layout, isa, num_threads,
    )  # fmt: skip


# --- for any number of spatial dimensions ----------------------------------------------------


def _max_pool(
    ndim: int,
    x: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: object,
    return_indices: object,
    indices: object,
    index_dtype: object,
    layout: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Array | tuple[Array, Array]:
    checks.built_options(layout=layout)
    how = options(isa=isa, num_threads=num_threads)
    wanted = checks.flag(return_indices, "return_indices")
    kind = checks.choice(indices, "indices", INDEX_KINDS)
    images, batched = checks.batched(x, "x", ndim)
    geometry = pool_geometry(ndim, images.shape, kernel_size, stride, padding, dilation, ceil_mode)
    dtype = checks.float_dtype(x=images)
    shape = geometry.output_shape[not batched :]
    y = native.empty(shape, dtype) if out is None else checks.output(out, shape, dtype, x=images)
    position_dtype = checks.index_dtype(index_dtype, kind, geometry.kernel)
    positions = native.empty(geometry.output_shape, position_dtype) if wanted else None
    native.max_pool_forward(geometry, images, y if batched else y[np.newaxis], positions, kind, how)
    return y if positions is None else (y, positions.reshape(shape))


def _max_pool_backward(
    ndim: int,
    grad: object,
    indices: object,
    input_shape: object,
    kernel_size: object,
    stride: object,
    padding: object,
    dilation: object,
    ceil_mode: object,
    index_kind: object,
    layout: object,
    isa: object,
    num_threads: object,
) -> Array:
    checks.built_options(layout=layout)
    how = options(isa=isa, num_threads=num_threads)
    kind = checks.choice(index_kind, "index_kind", INDEX_KINDS)
    full_shape, batched = checks.input_shape(input_shape, ndim)
    geometry = pool_geometry(
        ndim, full_shape, kernel_size, stride, padding, dilation, ceil_mode,
        input_name="input_shape",
    )  # fmt: skip
    errors = checks.array(grad, "grad")
    checks.same_shape(errors, "grad", geometry.output_shape[not batched :], _OUTPUT)
    dtype = checks.float_dtype(grad=errors)
    positions = checks.array(indices, "indices")
    checks.same_shape(positions, "indices", errors.shape, "the shape of grad")
    positions = checks.indices(positions, bytes_too=kind == "window")
    dx = native.empty(full_shape, dtype)
    native.max_pool_backward(
        geometry,
        errors.reshape(geometry.output_shape) if batched else errors[np.newaxis],
        positions.reshape(geometry.output_shape),
        dx,
        kind,
        how,
    )
    return dx if batched else dx[0]
