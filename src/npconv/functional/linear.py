"""The affine map of fully connected layers, and its gradients."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from npconv import reference
from npconv.checks import Array


def linear(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str | tuple[str, float] | None = None,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Multiply rows with a matrix, add a bias and apply an activation.

    ::

        (..., in), (out, in) -> (..., out)        activation(x @ weight.T + bias)

    Unlike NumPy's matmul, this gives a row the same bits whatever the batch it stands in and the
    number of threads. The weight is read once, where it lies.

    Parameters
    ----------
    x : array_like
        Rows of `in` values; float32 or float64 after promotion.
    weight : array_like
        (out, in).
    bias : array_like, optional
        (out,).
    activation : {"relu", "relu6", "leaky_relu"} or ("leaky_relu", slope), optional
        As in :func:`npconv.conv2d`.
    isa, num_threads
        As in :func:`npconv.conv2d`.
    out : ndarray, optional
        Where to write the result, in memory that no operand shares.

    Returns
    -------
    ndarray
        Of the dtype of all operands together.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes do not fit together, or there is no such activation.

    See Also
    --------
    linear_backward, npconv.layers.Linear

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.linear(np.array([1.0, 2.0]), np.array([[1.0, 1.0], [0.0, -1.0]]), activation="relu")
    array([3., 0.])
    """
    return reference.linear(x, weight, bias, activation, isa=isa, num_threads=num_threads, out=out)


def linear_backward(
    grad: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike,
    *,
    needs: Sequence[bool] = (True, True, True),
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Compute the gradients of :func:`linear`, but for an activation.

    ::

        (..., out), (..., in), (out, in) -> (..., in), (out, in), (out,)

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result, before any activation.
    x, weight : array_like
        As in the forward call.
    needs : (bool, bool, bool)
        Which of the three gradients to compute.
    isa, num_threads
        As in :func:`npconv.conv2d`.

    Returns
    -------
    dx, dweight, dbias : ndarray or None
        The gradients with respect to x, weight and bias; None where not needed.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If the shapes do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> dx, dweight, dbias = npconv.linear_backward(
    ...     np.array([[1.0, 2.0]]), np.array([[3.0]]), np.array([[5.0], [7.0]])
    ... )
    >>> dx, dbias
    (array([[19.]]), array([1., 2.]))
    """
    return reference.linear_backward(grad, x, weight, needs=needs, isa=isa, num_threads=num_threads)
