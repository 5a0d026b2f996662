"""Softmax and its logarithm, with their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.functional.elementwise import five_axes, like
from npconv.runtime import Options, native, options


def softmax(
    x: ArrayLike,
    axis: int = 1,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Make numbers along an axis positive, with sum 1.

    ::

        (..., C, ...) -> (..., C, ...)        y = exp(x) / sum(exp(x))

    The largest number is subtracted first, so that nothing overflows.

    Parameters
    ----------
    x : array_like
        float32 or float64.
    axis : int
        The axis whose elements are taken together: the channels of (N, C, ...) by default.
    isa, num_threads
        As in :func:`npconv.conv2d`.

    Returns
    -------
    ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If there is no such axis.

    See Also
    --------
    softmax_backward, log_softmax

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.softmax(np.array([[0.0, 0.0, -np.inf]]))
    array([[0.5, 0.5, 0. ]])
    """
    return _forward(x, axis, False, isa, num_threads)


def softmax_backward(
    grad: ArrayLike,
    y: ArrayLike,
    axis: int = 1,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`softmax`.

    ::

        (..., C, ...), (..., C, ...) -> (..., C, ...)        dx = y * (grad - sum(grad * y))

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result.
    y : array_like
        What the forward call returned.
    axis : int
        The axis whose elements are taken together: the channels of (N, C, ...) by default.
    isa, num_threads
        As in :func:`npconv.conv2d`.

    Returns
    -------
    ndarray
        The gradient with respect to x.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If there is no such axis or the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.softmax_backward(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    array([[ 0.25, -0.25]])
    """
    return _backward(grad, y, axis, False, isa, num_threads)


def log_softmax(
    x: ArrayLike,
    axis: int = 1,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Take the logarithm of :func:`softmax` without loss for small values.

    ::

        (..., C, ...) -> (..., C, ...)        y = x - log(sum(exp(x)))

    Parameters
    ----------
    x : array_like
        float32 or float64.
    axis : int
        The axis whose elements are taken together: the channels of (N, C, ...) by default.
    isa, num_threads
        As in :func:`npconv.conv2d`.

    Returns
    -------
    ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If there is no such axis.

    See Also
    --------
    log_softmax_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.log_softmax(np.array([[0.0, 0.0, -99.0]])).round(2)
    array([[ -0.69,  -0.69, -99.69]])
    """
    return _forward(x, axis, True, isa, num_threads)


def log_softmax_backward(
    grad: ArrayLike,
    y: ArrayLike,
    axis: int = 1,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`log_softmax`.

    ::

        (..., C, ...), (..., C, ...) -> (..., C, ...)        dx = grad - exp(y) * sum(grad)

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result.
    y : array_like
        What the forward call returned.
    axis : int
        The axis whose elements are taken together: the channels of (N, C, ...) by default.
    isa, num_threads
        As in :func:`npconv.conv2d`.

    Returns
    -------
    ndarray
        The gradient with respect to x.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If there is no such axis or the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.log_softmax_backward(np.array([[1.0, 0.0]]), np.log([[0.5, 0.5]]))
    array([[ 0.5, -0.5]])
    """
    return _backward(grad, y, axis, True, isa, num_threads)


def _forward(x: object, axis: object, logarithm: bool, isa: object, num_threads: object) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    (given,), dtype = elementwise.operands(x=x)
    return _run(given, None, dtype, elementwise.axis(axis, given), logarithm, how)


def _backward(
    grad: object, y: object, axis: object, logarithm: bool, isa: object, num_threads: object
) -> Array:
    how = options(isa=isa, num_threads=num_threads)
    (errors, known), dtype = elementwise.operands(grad=grad, y=y)
    return _run(known, errors, dtype, elementwise.axis(axis, known), logarithm, how)


def _run(
    x: Array, grad: Array | None, dtype: np.dtype[Any], axis: int, logarithm: bool, how: Options
) -> Array:
    if x.ndim > 5 and axis != 1:
        moved, errors = [a if a is None else np.moveaxis(a, axis, 1) for a in (x, grad)]
        assert moved is not None
        return np.moveaxis(_run(moved, errors, dtype, 1, logarithm, how), 1, axis)
    result = like(x, dtype)
    native.softmax(
        _second(x, axis),
        None if grad is None else _second(grad, axis),
        _second(result, axis),
        logarithm,
        how,
    )
    return result


def _second(x: Array, axis: int) -> Array:
    """See an axis as the second one, where the C core takes it."""
    x = x[np.newaxis] if x.ndim == 1 else np.moveaxis(x, axis, 1)
    return five_axes(x)
