"""im2col and col2im by the names and argument orders of PyTorch."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from npconv.checks import Array
from npconv.folding import folded_shape
from npconv.functional.patches import col2im, im2col

PerAxis = int | Sequence[int]
Padding = str | int | Sequence[int] | Sequence[Sequence[int]]


def unfold(
    x: ArrayLike,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Copy every window of the images into a column: :func:`im2col` by PyTorch's name and order.

    ::

        (N, C, H, W) -> (N, C·R·S, OH·OW)
           (C, H, W) -> (C·R·S, OH·OW)

    Its gradient is :func:`fold`.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images, float32 or float64.
    kernel_size : int or (int, int)
        The height R and width S of a window.
    dilation, padding, stride
        See :func:`npconv.conv2d`.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, (N, C·R·S, OH·OW) or (C·R·S, OH·OW)

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x is not float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    im2col, fold

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.unfold(np.arange(6.).reshape(1, 2, 3), 2)
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    return im2col(x, kernel_size, stride, padding, dilation, isa=isa, num_threads=num_threads)


def fold(
    cols: ArrayLike,
    output_size: PerAxis,
    kernel_size: PerAxis,
    dilation: PerAxis = 1,
    padding: Padding = 0,
    stride: PerAxis = 1,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Add columns back to their windows: :func:`col2im` by PyTorch's name and order.

    ::

        (N, C·R·S, OH·OW) -> (N, C, H, W)
           (C·R·S, OH·OW) -> (C, H, W)

    Where windows overlap, their values are summed. Its gradient is :func:`unfold`.

    Parameters
    ----------
    cols : array_like, (N, C·R·S, OH·OW) or (C·R·S, OH·OW)
        The columns, float32 or float64.
    output_size : int or (int, int)
        The height H and width W of the images.
    kernel_size : int or (int, int)
        The height R and width S of a window.
    dilation, padding, stride
        See :func:`npconv.conv2d`.
    isa, num_threads
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray, (N, C, H, W) or (C, H, W)

    Raises
    ------
    TypeError
        If an argument has the wrong type, or cols is not float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    col2im, unfold

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.fold(np.ones((4, 2)), (2, 3), 2)
    array([[[1., 2., 1.],
            [1., 2., 1.]]])
    """
    columns, shape = folded_shape(cols, output_size, kernel_size)
    return col2im(
        columns, shape, kernel_size, stride, padding, dilation, isa=isa, num_threads=num_threads
    )
