"""Batch normalisation and local response normalisation, with their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike

from npconv.arguments.normalisation import (
    Saved,
    batch_norm_backward_case,
    batch_norm_case,
    lrn_case,
)
from npconv.checks import Array
from npconv.functional.elementwise import five_axes, like
from npconv.runtime import native, options


@overload
def batch_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    return_saved: Literal[False] = False,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array: ...
@overload
def batch_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    return_saved: Literal[True],
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array, Saved]: ...
def batch_norm(
    x: ArrayLike,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    running_mean: ArrayLike | None = None,
    running_var: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *,
    return_saved: bool = False,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array | tuple[Array, Saved]:
    """Give each channel mean 0 and variance 1, then scale and shift it.

    ::

        (N, C, ...) -> (N, C, ...)        (x - mean) / sqrt(variance + eps) * weight + bias

    In training, mean and variance are those of the batch, over all axes but the channels'; the
    running ones move towards them by the fraction `momentum`, in place, towards the variance with
    ``count - 1`` in its denominator. Otherwise the running ones are used.

    Sums are taken in float64, in an order that depends on the shape alone.

    Parameters
    ----------
    x : array_like
        At least two axes; float32 or float64.
    weight, bias : array_like, optional
        (C,); 1 and 0 unless given.
    running_mean, running_var : array_like, optional
        (C,). In training, arrays that are changed, or None; needed otherwise.
    training : bool
        Whether to use, and to learn, the statistics of this batch.
    momentum : float
        How much the running statistics move, at least 0.
    eps : float
        Added to the variance, at least 0.
    return_saved : bool
        Whether to return what :func:`batch_norm_backward` needs, too.
    isa, num_threads
        As in :func:`npconv.conv2d`.

    Returns
    -------
    y : ndarray
        Of x's shape; float32 or float64 after promotion of x, weight and bias.
    saved : (ndarray, ndarray)
        Only with `return_saved`: the mean and ``1 / sqrt(variance + eps)`` that were used, (C,).

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If a shape does not fit, running statistics are missing, or a channel has one value only
        to train with.

    See Also
    --------
    batch_norm_backward, npconv.layers.BatchNorm2d

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])  # two samples of two channels
    >>> mean, variance = np.zeros(2), np.ones(2)
    >>> npconv.batch_norm(x, None, None, mean, variance, training=True, eps=0)
    array([[-1., -1.],
           [ 1.,  1.]])
    >>> mean
    array([0.2, 2. ])
    """
    how = options(isa=isa, num_threads=num_threads)
    case = batch_norm_case(
        x, weight, bias, running_mean, running_var, training, momentum, eps, return_saved
    )
    given, y = five_axes(case.x), like(case.x, case.dtype)
    if training:
        mean, variance = np.zeros(given.shape[1]), np.zeros(given.shape[1])
    else:
        mean, variance = _doubles(case.running_mean), _doubles(case.running_var)
    native.batch_norm(
        given,
        None if case.weight is None else _doubles(case.weight),
        None if case.bias is None else _doubles(case.bias),
        mean,
        variance,
        five_axes(y),
        case.eps,
        training,
        how,
    )
    if training and case.per_channel:
        unbiased = variance * (case.per_channel / (case.per_channel - 1))
        for running, new in ((case.running_mean, mean), (case.running_var, unbiased)):
            if running is not None:
                running[...] = (1 - case.momentum) * running + case.momentum * new
    if not return_saved:
        return y
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / np.sqrt(variance + case.eps)
    return y, (mean.astype(case.dtype), inverse.astype(case.dtype))


def batch_norm_backward(
    grad: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike | None,
    saved: Saved,
    training: bool = True,
    *,
    needs: Sequence[bool] = (True, True, True),
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Compute the gradients of :func:`batch_norm`.

    ::

        (N, C, ...), (N, C, ...), (C,) -> (N, C, ...), (C,), (C,)

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result.
    x, weight : array_like
        As in the forward call.
    saved : (array, array)
        What the forward call returned with ``return_saved=True``.
    training : bool
        As in the forward call: whether mean and variance were the batch's, and so depend on x.
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
        If the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[1.0], [3.0]])
    >>> y, saved = npconv.batch_norm(x, training=True, eps=0, return_saved=True)
    >>> dx, dweight, dbias = npconv.batch_norm_backward(np.array([[1.0], [0.0]]), x, None, saved)
    >>> dweight, dbias
    (array([-1.]), array([1.]))
    """
    how = options(isa=isa, num_threads=num_threads)
    case = batch_norm_backward_case(grad, x, weight, saved, training, needs)
    errors, given = five_axes(case.grad), five_axes(case.x)
    channels = given.shape[1]
    dx = like(case.x, case.dtype) if case.needs[0] else None
    sums = np.zeros((channels, 2)) if training or any(case.needs[1:]) else None
    inverse = _doubles(case.inverse)
    native.batch_norm_backward(
        errors,
        given,
        None if case.weight is None else _doubles(case.weight),
        _doubles(case.mean),
        inverse,
        sums,
        None if dx is None else five_axes(dx),
        case.dtype.name,
        training,
        how,
    )
    dweight = dbias = None
    if sums is not None and case.needs[1]:
        dweight = (sums[:, 1] * inverse).astype(case.dtype)
    if sums is not None and case.needs[2]:
        dbias = sums[:, 0].astype(case.dtype)
    return dx, dweight, dbias


def local_response_norm(
    x: ArrayLike,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Divide each value by a power of the squares around it in the channels.

    ::

        (N, C, ...) -> (N, C, ...)        x / (k + alpha / size * sum(x**2)) ** beta

    The sum at channel c is over the channels from ``c - size // 2`` to ``c + (size - 1) // 2`` that
    there are. This is PyTorch's definition; ONNX's differs from it for an even `size`, where its
    window lies one channel further. The AlexNet paper has no ``/ size``.

    Parameters
    ----------
    x : array_like
        At least two axes; float32 or float64.
    size : int
        How many channels a window has.
    alpha, beta, k : float
        As above, at least 0.
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
        If an argument is out of range.

    See Also
    --------
    local_response_norm_backward

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.local_response_norm(np.array([[1.0, 2.0, 2.0]]), 3, 3, 0.5, 0).round(4)
    array([[0.4472, 0.6667, 0.7071]])
    """
    how = options(isa=isa, num_threads=num_threads)
    case = lrn_case(x, None, size, alpha, beta, k)
    y = like(case.x, case.dtype)
    native.local_response_norm(five_axes(case.x), None, five_axes(y), *case.settings, how)
    return y


def local_response_norm_backward(
    grad: ArrayLike,
    x: ArrayLike,
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    *,
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`local_response_norm`.

    ::

        (N, C, ...), (N, C, ...) -> (N, C, ...)

    Parameters
    ----------
    grad : array_like
        The gradient with respect to the result.
    x, size, alpha, beta, k
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
        If the shapes differ or an argument is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> npconv.local_response_norm_backward(np.array([[1.0]]), np.array([[2.0]]), 1, 1, 1, 0)
    array([[-0.25]])
    """
    how = options(isa=isa, num_threads=num_threads)
    case = lrn_case(x, grad, size, alpha, beta, k)
    dx = like(case.x, case.dtype)
    native.local_response_norm(
        five_axes(case.x), five_axes(case.grad), five_axes(dx), *case.settings, how
    )
    return dx


def _doubles(values: Array | None) -> Array:
    assert values is not None  # the arguments' check has seen to it
    return np.ascontiguousarray(values, np.float64)
