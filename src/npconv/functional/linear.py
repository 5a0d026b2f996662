"""The affine map of fully connected layers, and its gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks
from npconv.arguments.linear import linear_backward_case, linear_case
from npconv.checks import Array
from npconv.runtime import Options, native, options


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
    how = options(isa=isa, num_threads=num_threads)
    case = linear_case(x, weight, bias, activation, out)
    rows, matrix, dtype = _rows(case.x), case.weight, case.dtype
    shape = (len(rows), len(matrix))
    direct = out is not None and out.flags.c_contiguous
    result = out.reshape(shape) if out is not None and direct else native.empty(shape, dtype)
    native.linear(
        _rowwise(rows, dtype),
        checks.settled(matrix, dtype),
        None if case.bias is None else checks.settled(case.bias, dtype),
        result,
        case.activation,
        case.slope,
        how,
    )
    if out is None:
        return result.reshape(case.shape)
    if not direct:
        out[...] = result.reshape(case.shape)
    return out


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
    how = options(isa=isa, num_threads=num_threads)
    case = linear_backward_case(grad, x, weight, needs)
    errors = _rowwise(case.grad, case.dtype)
    dx = dweight = dbias = None
    if case.needs[0]:
        matrix = _rowwise(case.weight, case.dtype)
        dx = _product(errors, matrix, how).reshape(case.x_shape)
    if case.needs[1]:
        # The transposed copy is small beside what is multiplied with it.
        turned = np.ascontiguousarray(errors.T)
        dweight = _product(turned, _rowwise(case.x, case.dtype), how)
    if case.needs[2]:
        dbias = _product(np.ones((1, len(errors)), case.dtype), errors, how)[0]
    return dx, dweight, dbias


def _rows(x: Array) -> Array:
    """Turn (..., in) into (N, in)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _rowwise(x: Array, dtype: np.dtype[Any]) -> Array:
    """Return a matrix whose rows the C core can read where they lie, `x` itself if it is one."""
    if x.dtype == dtype and x.flags.aligned and x.strides[1] == dtype.itemsize:
        return x
    return checks.settled(x, dtype)


def _product(a: Array, b: Array, how: Options) -> Array:
    result = native.empty((len(a), b.shape[1]), a.dtype)
    native.product(a, b, result, how)
    return result
