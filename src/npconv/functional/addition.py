"""The sum of two arrays, as at the end of a residual block."""

from __future__ import annotations

from numpy.typing import ArrayLike

from npconv import checks
from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.functional.elementwise import backward, like
from npconv.runtime import native, options


def add(
    x: ArrayLike,
    y: ArrayLike,
    activation: str | tuple[str, float] | None = None,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Add two arrays of one shape, and apply an activation.

    ::

        (...), (...) -> (...)        activation(x + y)

    One pass over memory. A convolution does the same in passing, with its own ``add=``.

    Parameters
    ----------
    x, y : array_like
        Of one shape; float32 or float64 after promotion.
    activation : {"relu", "relu6", "leaky_relu"} or ("leaky_relu", slope), optional
        As in :func:`npconv.conv2d`.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: `x`, `y`, or memory that neither shares.

    Returns
    -------
    ndarray
        Of x's shape and the dtype of both arrays together.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes differ, `out` does not fit, or there is no such activation.

    See Also
    --------
    add_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.add(np.array([1.0, 2.0]), np.array([3.0, -4.0]), "relu")
    array([4., 0.])
    """
    how = options(isa=isa, num_threads=num_threads)
    name, slope = checks.activation(activation)
    (first, second), dtype = elementwise.operands(x=x, y=y)
    result = elementwise.output(out, first.shape, dtype, first, second)
    if result is None:
        result = like(first, dtype)
    native.activate(name, slope, first, second, result, how)
    return result


def add_backward(
    grad: ArrayLike,
    y: ArrayLike,
    activation: str | tuple[str, float] | None = None,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Compute the gradient of :func:`add`, which is the same for both operands.

    ::

        (...), (...) -> (...)

    Without an activation it is `grad` itself, which is copied.

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result.
    y : array_like
        What the forward call returned.
    activation
        As in the forward call; a slope must not be negative, for `y` would not tell where the sum
        was.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result: `grad`, `y`, or memory that neither shares.

    Returns
    -------
    ndarray
        The gradient with respect to each operand.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes differ, `out` does not fit, or there is no such activation.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.add_backward(np.array([1.0, 2.0]), np.array([4.0, 0.0]), "relu")
    array([1., 0.])
    """
    name, slope = checks.activation(activation)
    elementwise.number(slope, "activation's slope", 0)
    return backward(name, grad, slope, isa, num_threads, out, y=y)
