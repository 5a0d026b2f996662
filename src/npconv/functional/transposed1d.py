"""Transposed convolution of sequences and its gradients.

What these functions share with those of other numbers of dimensions is in
:mod:`npconv.functional.transposed_calls`.
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from npconv.checks import Array
from npconv.functional.convolution import Padding, PerAxis
from npconv.functional.transposed_calls import (
    prepare_forward,
    prepare_input_grad,
    prepare_weight_grad,
    run_backward,
    run_forward,
    run_input_grad,
    run_weight_grad,
)


def conv_transpose1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCW",
    activation: str | tuple[str, float] | None = None,
    add: ArrayLike | None = None,
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Spread sequences over longer ones: the transpose of a strided convolution.

    ::

        (N, C, W) ⋆ (C, K/groups, S) -> (N, K, OW)
           (C, W) ⋆ (C, K/groups, S) -> (K, OW)

        OW = (W - 1)*stride + dilation*(S - 1) + 1 + output_padding - left - right

    Every element of x puts a copy of its filters, times its value, into the result, `stride`
    elements from those of its neighbours; what overlaps is added. Some call it deconvolution,
    which it is not: it undoes the change of shape that the cross-correlation :func:`conv1d` makes
    with the same weight and settings, and is the gradient of that by its input.

    Parameters
    ----------
    x : array_like, (N, C, W) or (C, W)
        The sequences.
    weight : array_like, (C, K/groups, S)
        The filters: those of the convolution from K channels to C.
    bias : array_like, (K,), optional
        Added to every element of an output channel.
    stride : int or (int,)
        The step between the copies.
    padding : int, (int,), ((left, right),) or "valid"
        How many elements are cut off the result's ends, which are those that the convolution
        had added. "valid" cuts none.
    output_padding : int or (int,)
        How many elements are kept beyond the last that the convolution would need; less than the
        stride or the dilation. Sequences of several lengths convolve to one; this tells them
        apart.
    groups : int
        Channels are split into this many groups that do not see each other.
    dilation : int or (int,)
        The step between the taps of a filter.
    padding_mode : {"constant"}
        Kept for the sake of :func:`conv1d`'s; there is nothing else to choose.
    layout : {"NCW", "NWC"}
        The order of the axes of images, gradients and the result. That of the filters stays.
    activation : {"relu", "relu6", "leaky_relu"} or ("leaky_relu", slope), optional
        Applied last; see :func:`conv1d`.
    add : array_like, of the result's shape, optional
        Added to the result before the activation; see :func:`conv1d`.
    precision, algorithm, isa, num_threads
        See :func:`conv1d`. The algorithms are those of :func:`conv1d_input_grad`.
    out : ndarray, optional
        Where to write the result: of its shape and dtype, with any strides, apart from all
        inputs.

    Returns
    -------
    ndarray, (N, K, OW) or (K, OW)
        `out`, or a new C-contiguous array. Its dtype is NumPy's promotion of all inputs.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or the inputs are no numbers that it is for.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    conv_transpose1d_input_grad, conv_transpose1d_weight_grad, conv_transpose1d_backward

    Examples
    --------
    Two elements, placed two apart, with filters that overlap by one:

    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[1., 10.]])
    >>> weight = np.array([[[1., 2., 3.]]])
    >>> npconv.conv_transpose1d(x, weight, stride=2)
    array([[ 1.,  2., 13., 20., 30.]])

    Eight times the length, as vocoders use it:

    >>> x, weight = np.ones((8, 100)), np.ones((8, 4, 16))
    >>> npconv.conv_transpose1d(x, weight, stride=8, padding=4).shape
    (4, 800)
    """
    plan = prepare_forward(
        1, x, weight, bias, stride, padding, output_padding, groups, dilation, padding_mode,
        layout, activation, add, precision, algorithm, isa, num_threads, out,
    )  # fmt: skip
    return run_forward(plan)


def conv_transpose1d_input_grad(
    grad: ArrayLike,
    weight: ArrayLike,
    input_shape: Sequence[int],
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv_transpose1d` with respect to its input.

    ::

        (N, K, OW), (C, K/groups, S) -> (N, C, W)

    It is the cross-correlation :func:`conv1d` of `grad` with the same weight.

    Parameters
    ----------
    grad : array_like, (N, K, OW) or (K, OW)
        The gradient with respect to the output.
    weight : array_like, (C, K/groups, S)
        The filters.
    input_shape : (N, C, W) or (C, W)
        The shape of the input.
    stride, padding, output_padding, groups, dilation
        As in the forward call; see :func:`conv_transpose1d`.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv1d`.

    Returns
    -------
    ndarray, of shape `input_shape`

    Raises
    ------
    TypeError
        If an argument has the wrong type, or the inputs are no numbers that it is for.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> grad, weight = np.arange(5.).reshape(1, 5), np.array([[[1., 2., 3.]]])
    >>> npconv.conv_transpose1d_input_grad(grad, weight, (1, 2), stride=2)
    array([[ 8., 20.]])
    """
    plan = prepare_input_grad(
        1, grad, weight, input_shape, stride, padding, output_padding, groups, dilation,
        padding_mode, layout, precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_input_grad(plan)


def conv_transpose1d_weight_grad(
    grad: ArrayLike,
    x: ArrayLike,
    weight_shape: Sequence[int],
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv_transpose1d` with respect to its weight.

    ::

        (N, K, OW), (N, C, W) -> (C, K/groups, S)

    Parameters
    ----------
    grad : array_like, (N, K, OW) or (K, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, W) or (C, W)
        The input.
    weight_shape : (C, K/groups, S)
        The shape of the filters.
    stride, padding, output_padding, groups, dilation
        As in the forward call; see :func:`conv_transpose1d`.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv1d`.

    Returns
    -------
    ndarray, of shape `weight_shape`
        Summed over the batch.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or the inputs are no numbers that it is for.
    ValueError
        If shapes, sizes or options do not fit together.

    Examples
    --------
    Each tap met both elements, 1 and 10:

    >>> import numpy as np
    >>> import npconv
    >>> grad, x = np.arange(5.).reshape(1, 5), np.array([[1., 10.]])
    >>> npconv.conv_transpose1d_weight_grad(grad, x, (1, 1, 3), stride=2)
    array([[[20., 31., 42.]]])
    """
    plan = prepare_weight_grad(
        1, grad, x, weight_shape, stride, padding, output_padding, groups, dilation, padding_mode,
        layout, precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_weight_grad(plan)


def conv_transpose1d_backward(
    grad: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike,
    stride: PerAxis = 1,
    padding: Padding = 0,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dilation: PerAxis = 1,
    *,
    needs: Sequence[bool] = (True, True, True),
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Compute the gradients of :func:`conv_transpose1d` with respect to input, weight and bias.

    ::

        (N, K, OW), (N, C, W), (C, K/groups, S)
            -> (N, C, W), (C, K/groups, S), (K,)

    Parameters
    ----------
    grad : array_like, (N, K, OW) or (K, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, W) or (C, W)
        The input.
    weight : array_like, (C, K/groups, S)
        The filters.
    stride, padding, output_padding, groups, dilation
        As in the forward call; see :func:`conv_transpose1d`.
    needs : (bool, bool, bool)
        Which of the three to compute; the others are None.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv1d`.

    Returns
    -------
    dx : ndarray or None
        Of x's shape.
    dweight : ndarray or None
        Of weight's shape.
    dbias : ndarray or None
        (K,), the sum of `grad` over sequences and their elements.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or the inputs are no numbers that it is for.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    conv_transpose1d_input_grad, conv_transpose1d_weight_grad

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, weight = np.ones((1, 2)), np.ones((1, 1, 3))
    >>> grad = np.ones_like(npconv.conv_transpose1d(x, weight, stride=2))
    >>> npconv.conv_transpose1d_backward(grad, x, weight, stride=2)
    (array([[3., 3.]]), array([[[2., 2., 2.]]]), array([5.]))
    """
    return run_backward(
        1, grad, x, weight, stride, padding, output_padding, groups, dilation, needs,
        padding_mode, layout, precision, algorithm, isa, num_threads,
    )  # fmt: skip
