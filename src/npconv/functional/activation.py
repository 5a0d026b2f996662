"""Activations, element by element."""

from __future__ import annotations

from numpy.typing import ArrayLike

from npconv.arguments.elementwise import number
from npconv.checks import Array
from npconv.functional.elementwise import forward


def relu(
    x: ArrayLike,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Zero what is negative.

    ::

        (...) -> (...)        y = max(x, 0)

    NaN stays NaN, -0 becomes +0.

    Parameters
    ----------
    x : array_like
        float32 or float64, any shape.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of x's shape and the result's dtype, any strides; x itself, or
        memory that x does not share.

    Returns
    -------
    ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `out` does not fit.

    See Also
    --------
    relu_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return forward("relu", x, 0.0, isa, num_threads, out)


def relu6(
    x: ArrayLike,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Clip to the range from 0 to 6.

    ::

        (...) -> (...)        y = min(max(x, 0), 6)

    NaN stays NaN.

    Parameters
    ----------
    x : array_like
        float32 or float64, any shape.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of x's shape and the result's dtype, any strides; x itself, or
        memory that x does not share.

    Returns
    -------
    ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `out` does not fit.

    See Also
    --------
    relu6_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.relu6(np.array([-2.0, 3.0, 8.0]))
    array([0., 3., 6.])
    """
    return forward("relu6", x, 0.0, isa, num_threads, out)


def leaky_relu(
    x: ArrayLike,
    slope: float = 0.01,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Make what is negative smaller.

    ::

        (...) -> (...)        y = x where x >= 0, slope * x elsewhere

    Parameters
    ----------
    x : array_like
        float32 or float64, any shape.
    slope : float
        Finite.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of x's shape and the result's dtype, any strides; x itself, or
        memory that x does not share.

    Returns
    -------
    ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `out` does not fit, or `slope` is not finite.

    See Also
    --------
    leaky_relu_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.leaky_relu(np.array([-2.0, 3.0]), 0.5)
    array([-1.,  3.])
    """
    return forward("leaky_relu", x, number(slope, "slope"), isa, num_threads, out)


def elu(
    x: ArrayLike,
    alpha: float = 1.0,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Bend what is negative towards -alpha.

    ::

        (...) -> (...)        y = x where x >= 0, alpha * (exp(x) - 1) elsewhere

    The exponential linear unit. Errors are below 3 ulp.

    Parameters
    ----------
    x : array_like
        float32 or float64, any shape.
    alpha : float
        Finite, at least 0.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of x's shape and the result's dtype, any strides; x itself, or
        memory that x does not share.

    Returns
    -------
    ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `out` does not fit, or `alpha` is negative or not finite.

    See Also
    --------
    elu_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.elu(np.array([-np.inf, -0.5, 2.0])).round(4)
    array([-1.    , -0.3935,  2.    ])
    """
    return forward("elu", x, number(alpha, "alpha", 0), isa, num_threads, out)


def sigmoid(
    x: ArrayLike,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Squeeze numbers into the range from 0 to 1, by the logistic function.

    ::

        (...) -> (...)        y = 1 / (1 + exp(-x))

    Errors are below 4 ulp, far from zero too.

    Parameters
    ----------
    x : array_like
        float32 or float64, any shape.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of x's shape and the result's dtype, any strides; x itself, or
        memory that x does not share.

    Returns
    -------
    ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `out` does not fit.

    See Also
    --------
    sigmoid_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.sigmoid(np.array([-np.inf, 0.0, 2.0])).round(4)
    array([0.    , 0.5   , 0.8808])
    """
    return forward("sigmoid", x, 0.0, isa, num_threads, out)


def tanh(
    x: ArrayLike,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Squeeze numbers into the range from -1 to 1, by the hyperbolic tangent.

    ::

        (...) -> (...)        y = tanh(x)

    Errors are below 4 ulp.

    Parameters
    ----------
    x : array_like
        float32 or float64, any shape.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: of x's shape and the result's dtype, any strides; x itself, or
        memory that x does not share.

    Returns
    -------
    ndarray
        Of x's shape and dtype.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `out` does not fit.

    See Also
    --------
    tanh_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.tanh(np.array([-np.inf, 0.0, 0.5])).round(4)
    array([-1.    ,  0.    ,  0.4621])
    """
    return forward("tanh", x, 0.0, isa, num_threads, out)
