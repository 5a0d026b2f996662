"""Gradients of activations, element by element."""

from __future__ import annotations

from numpy.typing import ArrayLike

from npconv.arguments.elementwise import number
from npconv.checks import Array
from npconv.functional.elementwise import backward


def relu_backward(
    grad: ArrayLike,
    y: ArrayLike,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Compute the gradient of :func:`relu`.

    ::

        (...), (...) -> (...)        dx = grad where y > 0, 0 elsewhere

    Where y is zero nothing passes, not even an infinity; where it is NaN, the gradient passes.

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result, float32 or float64.
    y : array_like
        What the forward call returned.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: `grad`, `y`, or memory that neither shares.

    Returns
    -------
    ndarray
        The gradient with respect to x, of grad's shape and the dtype of both arrays together.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes differ, or `out` does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.relu_backward(np.array([5.0, 7.0]), np.array([0.0, 3.0]))
    array([0., 7.])
    """
    return backward("relu", grad, 0.0, isa, num_threads, out, y=y)


def relu6_backward(
    grad: ArrayLike,
    y: ArrayLike,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Compute the gradient of :func:`relu6`.

    ::

        (...), (...) -> (...)        dx = grad where 0 < y < 6, 0 elsewhere

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result, float32 or float64.
    y : array_like
        What the forward call returned.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: `grad`, `y`, or memory that neither shares.

    Returns
    -------
    ndarray
        The gradient with respect to x, of grad's shape and the dtype of both arrays together.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes differ, or `out` does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.relu6_backward(np.array([5.0, 7.0, 1.0]), np.array([0.0, 3.0, 6.0]))
    array([0., 7., 0.])
    """
    return backward("relu6", grad, 0.0, isa, num_threads, out, y=y)


def leaky_relu_backward(
    grad: ArrayLike,
    x: ArrayLike,
    slope: float = 0.01,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Compute the gradient of :func:`leaky_relu`.

    ::

        (...), (...) -> (...)        dx = grad where x > 0, slope * grad elsewhere

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result, float32 or float64.
    x : array_like
        What the forward call was given, or for slope >= 0 what it returned.
    slope : float
        Finite.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: `grad`, `x`, or memory that neither shares.

    Returns
    -------
    ndarray
        The gradient with respect to x, of grad's shape and the dtype of both arrays together.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes differ, or `out` does not fit, or `slope` is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.leaky_relu_backward(np.ones(2), np.array([-2.0, 3.0]), 0.5)
    array([0.5, 1. ])
    """
    return backward("leaky_relu", grad, number(slope, "slope"), isa, num_threads, out, x=x)


def elu_backward(
    grad: ArrayLike,
    y: ArrayLike,
    alpha: float = 1.0,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Compute the gradient of :func:`elu`.

    ::

        (...), (...) -> (...)        dx = grad where y > 0, grad * (y + alpha) elsewhere

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result, float32 or float64.
    y : array_like
        What the forward call returned.
    alpha : float
        Finite, at least 0.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: `grad`, `y`, or memory that neither shares.

    Returns
    -------
    ndarray
        The gradient with respect to x, of grad's shape and the dtype of both arrays together.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes differ, or `out` does not fit, or `alpha` is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.elu_backward(np.ones(2), np.array([-0.25, 3.0]))
    array([0.75, 1.  ])
    """
    return backward("elu", grad, number(alpha, "alpha", 0), isa, num_threads, out, y=y)


def sigmoid_backward(
    grad: ArrayLike,
    y: ArrayLike,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Compute the gradient of :func:`sigmoid`.

    ::

        (...), (...) -> (...)        dx = grad * y * (1 - y)

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result, float32 or float64.
    y : array_like
        What the forward call returned.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: `grad`, `y`, or memory that neither shares.

    Returns
    -------
    ndarray
        The gradient with respect to x, of grad's shape and the dtype of both arrays together.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes differ, or `out` does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.sigmoid_backward(np.ones(2), np.array([0.5, 1.0]))
    array([0.25, 0.  ])
    """
    return backward("sigmoid", grad, 0.0, isa, num_threads, out, y=y)


def tanh_backward(
    grad: ArrayLike,
    y: ArrayLike,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Compute the gradient of :func:`tanh`.

    ::

        (...), (...) -> (...)        dx = grad * (1 - y * y)

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result, float32 or float64.
    y : array_like
        What the forward call returned.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: `grad`, `y`, or memory that neither shares.

    Returns
    -------
    ndarray
        The gradient with respect to x, of grad's shape and the dtype of both arrays together.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes differ, or `out` does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.tanh_backward(np.ones(2), np.array([0.5, 1.0]))
    array([0.75, 0.  ])
    """
    return backward("tanh", grad, 0.0, isa, num_threads, out, y=y)
