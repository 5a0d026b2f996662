"""Dropout and its gradient."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks
from npconv.arguments import elementwise
from npconv.checks import Array
from npconv.runtime import native, options


def dropout(
    x: ArrayLike,
    p: float = 0.5,
    *,
    rng: np.random.Generator,
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array, Array]:
    """Zero each element with probability `p`, and scale the others up by ``1 / (1 - p)``.

    ::

        (...) -> (...), (...)

    The sum stays what it was on average, so that evaluation does without it. A zeroed infinity or
    NaN is zero.

    Parameters
    ----------
    x : array_like
        float32 or float64, any shape.
    p : float
        At least 0 and less than 1, rounded down to a multiple of 2**-32.
    rng : numpy.random.Generator
        Where the draws come from: 32 bits an element, in the order of the axes.
    isa, num_threads
        As in :func:`npconv.conv2d`.

    Returns
    -------
    y : ndarray
        Of x's shape and dtype.
    mask : ndarray
        Of x's shape, uint8: 1 where an element was kept, for :func:`dropout_backward`.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `p` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> y, mask = npconv.dropout(np.ones(5), 0.75, rng=np.random.default_rng(0))
    >>> y
    array([4., 0., 0., 0., 0.])
    >>> mask
    array([1, 0, 0, 0, 0], dtype=uint8)
    """
    how = options(isa=isa, num_threads=num_threads)
    (given,), dtype = elementwise.operands(x=x)
    p = elementwise.number(p, "p", 0, 1)
    draws = elementwise.generator(rng).integers(0, 2**32, given.shape, np.uint32)
    values, y = checks.settled(given, dtype), native.empty(given.shape, dtype)
    mask = np.empty(given.shape, np.uint8)
    native.dropout(values, np.asarray(draws), math.floor(p * 2**32), 1 / (1 - p), mask, y, how)
    return y, mask


def dropout_backward(
    grad: ArrayLike,
    mask: ArrayLike,
    p: float = 0.5,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`dropout`.

    ::

        (...), (...) -> (...)        dx = grad / (1 - p) where mask, 0 elsewhere

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result.
    mask : array_like of uint8
        What the forward call returned.
    p : float
        As in the forward call.
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
        If `p` is out of range or the shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.dropout_backward(np.array([3.0, 5.0]), np.array([1, 0], np.uint8))
    array([6., 0.])
    """
    how = options(isa=isa, num_threads=num_threads)
    (errors,), dtype = elementwise.operands(grad=grad)
    p = elementwise.number(p, "p", 0, 1)
    kept = checks.settled(elementwise.mask(mask, errors), np.dtype(np.uint8))
    dx = native.empty(errors.shape, dtype)
    native.dropout(checks.settled(errors, dtype), None, 0, 1 / (1 - p), kept, dx, how)
    return dx
