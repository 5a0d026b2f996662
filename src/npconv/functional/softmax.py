"""Softmax and its logarithm, with their gradients."""

from __future__ import annotations

from numpy.typing import ArrayLike

from npconv import reference
from npconv.checks import Array


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
    return reference.softmax(x, axis, isa=isa, num_threads=num_threads)


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
    return reference.softmax_backward(grad, y, axis, isa=isa, num_threads=num_threads)


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
    return reference.log_softmax(x, axis, isa=isa, num_threads=num_threads)


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
    return reference.log_softmax_backward(grad, y, axis, isa=isa, num_threads=num_threads)
