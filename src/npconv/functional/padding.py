"""Padding of arrays and its gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.geometry import pad_backward_geometry, pad_geometry
from npconv.runtime import native, options

PadWidth: TypeAlias = (
    int | Sequence[int] | Sequence[Sequence[int]] | Mapping[int, int | Sequence[int]]
)


def pad(
    x: ArrayLike,
    pad_width: PadWidth,
    mode: str = "constant",
    constant_values: ArrayLike = 0,
    *,
    num_threads: int | None = None,
) -> Array:
    """Surround an array with more elements.

    ::

        (A, B, ...) -> (before + A + after, before + B + after, ...)

    The arguments and the result are those of :func:`numpy.pad`, for five of its modes::

        constant    000|1234|000
        reflect     432|1234|321
        edge        111|1234|444
        symmetric   321|1234|432
        wrap        234|1234|123

    Parameters
    ----------
    x : array_like
        Any number of axes; bools, integers, real or complex numbers.
    pad_width : int, (before, after), one such pair for each axis, or a dict
        How many elements to add. A dict gives a width or pair for the axes that it names.
    mode : {"constant", "reflect", "edge", "symmetric", "wrap"}
        What to add. Widths may exceed the array; patterns then repeat.
    constant_values : scalar, (before, after) or one such pair for each axis
        What "constant" adds, cast to x's dtype.
    num_threads : int, optional
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray
        A new C-contiguous array of x's dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or x does not hold numbers.
    ValueError
        If a width is negative or does not fit, `mode` is unknown, or an empty axis is to be
        padded in another mode than "constant".

    See Also
    --------
    pad_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.pad(np.array([1, 2, 3, 4]), 3, "reflect")
    array([4, 3, 2, 1, 2, 3, 4, 3, 2, 1])
    >>> npconv.pad(np.ones((1, 2)), ((0, 1), (2, 0)), constant_values=7)
    array([[7., 7., 1., 1.],
           [7., 7., 7., 7.]])
    """
    usual = native.usual_pad(x, pad_width, mode, constant_values, num_threads)
    if usual is not None:
        padded: Array = usual
        return padded
    how = options(num_threads=num_threads)
    mode = checks.choice(mode, "mode", checks.PAD_MODES)
    given = checks.array(x, "x")
    dtype = checks.pad_dtype(given)
    geometry = pad_geometry(given.shape, pad_width, mode, dtype.itemsize)
    values = checks.constant_values(constant_values, given)
    if not geometry.shape:
        return given.copy()  # no axis, nothing to pad
    result = native.empty(geometry.padded_shape, dtype)
    target = result
    if not dtype.isnative:
        # Elements are moved, not read: seen as native ones, they arrive in their own byte order.
        native_dtype = dtype.newbyteorder("=")
        given, values, target = [a.view(native_dtype) for a in (given, values, result)]
    native.pad_forward(geometry, mode, given, values, target, how)
    return result


def pad_backward(
    grad: ArrayLike,
    pad_width: PadWidth,
    mode: str = "constant",
    *,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`pad`.

    ::

        (before + A + after, before + B + after, ...) -> (A, B, ...)

    Each element gets the sum of the gradients of its copies.

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the padded array, float32 or float64.
    pad_width, mode
        As in the forward call.
    num_threads : int, optional
        See :func:`npconv.conv2d`.

    Returns
    -------
    ndarray
        Of grad's shape less the widths.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or grad is not float32 or float64.
    ValueError
        If a width is negative or exceeds grad, `mode` is unknown, or an empty axis would have
        been padded in another mode than "constant".

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.pad_backward(np.ones(8), 2, "edge")
    array([3., 1., 1., 3.])
    """
    usual = native.usual_pad_backward(grad, pad_width, mode, num_threads)
    if usual is not None:
        unpadded: Array = usual
        return unpadded
    how = options(num_threads=num_threads)
    mode = checks.choice(mode, "mode", checks.PAD_MODES)
    errors = checks.array(grad, "grad")
    dtype = checks.float_dtype(grad=errors)
    geometry = pad_backward_geometry(errors.shape, pad_width, mode)
    if not geometry.shape:
        return np.array(errors, dtype)
    dx = native.empty(geometry.shape, dtype)
    native.pad_backward(geometry, mode, errors, dx, how)
    return dx
