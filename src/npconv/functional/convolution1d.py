"""Convolution of sequences and its gradients.

What these functions share with those of other numbers of dimensions is in
:mod:`npconv.functional.convolution_calls`.
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from npconv.checks import Array
from npconv.functional.convolution import Padding, PerAxis
from npconv.functional.convolution_calls import (
    prepare_forward,
    prepare_input_grad,
    prepare_weight_grad,
    run_backward,
    run_forward,
    run_input_grad,
    run_weight_grad,
)


def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
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
    """Convolve sequences with filters.

    ::

        (N, C, W) ⋆ (K, C/groups, S) -> (N, K, OW)
           (C, W) ⋆ (K, C/groups, S) -> (K, OW)

    This is the cross-correlation that neural networks call convolution (the filters are not
    flipped)::

        y[n, k, i] = bias[k] + sum over c, s of
            weight[k, c, s] * x[n, c, i*stride + s*dilation - left]

    where x is zero outside its borders. A sequence is computed as an image of height 1.

    Parameters
    ----------
    x : array_like, (N, C, W) or (C, W)
        The sequences.
    weight : array_like, (K, C/groups, S)
        The filters, or what :func:`npconv.prepare` made of them.
    bias : array_like, (K,), optional
        Added to every element of an output channel.
    stride : int or (int,)
        The step between windows.
    padding : int, (int,), ((left, right),), "same" or "valid"
        How many zeros surround the sequences. "same" makes OW = ceil(W / stride), with the extra
        zero at the right, as TensorFlow does for any stride; "valid" adds none.
    dilation : int or (int,)
        The step between the taps of a filter.
    groups : int
        Channels are split into this many groups that do not see each other; C groups of one
        channel make a depthwise convolution.
    padding_mode : {"constant", "reflect", "edge", "symmetric", "wrap"}
        What surrounds the sequences: zeros, or what :func:`npconv.pad` adds in that mode. Then
        padded copies may be made, of a few at a time (about 4 MB); for the weight's gradient, of
        all.
    layout : {"NCW", "NWC"}
        The order of the axes of images, gradients and the result. That of the filters stays.
    activation : {"relu", "relu6", "leaky_relu"} or ("leaky_relu", slope), optional
        Applied last, while the result is in cache: y = activation(conv + bias + add). "relu" is
        0 where y <= 0, "relu6" is that and 6 where y > 6, "leaky_relu" is slope * y where y < 0,
        with a slope of 0.01 if none is given. NaN stays NaN.
    add : array_like, of the result's shape, optional
        Added to the result before the activation, such as the shortcut of a residual block. It
        takes part in the promotion of dtypes and is not broadcast. Each step is rounded, so that
        the bits are those of ``conv1d(...) + add``.
    precision : {"standard", "strict"}
        "strict" allows direct summation only: exact on integer-valued data. "standard" lets
        Winograd's algorithm compute small kernels in float32, within its published error bound.
    algorithm : str
        Force an algorithm: "small", "few_channels", "depthwise", "winograd", "winograd2",
        "direct", "im2col" or "reference", instead of "auto".
    isa : str, optional
        Force an instruction set: one of the keys of ``npconv.show_config("dict")["isas"]``.
    num_threads : int, optional
        For this call; see :func:`npconv.set_num_threads`. The result's bits do not depend on it.
    out : ndarray, optional
        Where to write the result: of its shape and dtype, with any strides, apart from all
        inputs. Only `add` may be `out` itself, which is then replaced.

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
    conv1d_input_grad, conv1d_weight_grad, conv1d_backward
    npconv.prepare : Transform the filters once for many calls.

    Examples
    --------
    The differences of a sequence:

    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[0., 1., 4., 9., 16.]])
    >>> weight = np.array([[[-1., 1.]]])
    >>> npconv.conv1d(x, weight)
    array([[1., 3., 5., 7.]])
    >>> npconv.conv1d(x, weight, stride=2, padding="same").shape
    (1, 3)
    """
    plan = prepare_forward(
        1, x, weight, bias, stride, padding, dilation, groups, padding_mode, layout,
        activation, add, precision, algorithm, isa, num_threads, out,
    )  # fmt: skip
    return run_forward(plan)


def conv1d_input_grad(
    grad: ArrayLike,
    weight: ArrayLike,
    input_shape: Sequence[int],
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv1d` with respect to its input.

    ::

        (N, K, OW), (K, C/groups, S) -> (N, C, W)

    It is the adjoint of the cross-correlation ``x -> conv1d(x, weight)``: every element of
    `grad` is spread back over the window that it was computed from.

    Parameters
    ----------
    grad : array_like, (N, K, OW) or (K, OW)
        The gradient with respect to the output.
    weight : array_like, (K, C/groups, S)
        The filters.
    input_shape : (N, C, W) or (C, W)
        The shape of the input; with a stride, several give the same output shape.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv1d`.
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
    How often each element is used by a filter of two taps:

    >>> import numpy as np
    >>> import npconv
    >>> npconv.conv1d_input_grad(np.ones((1, 3)), np.ones((1, 1, 2)), (1, 4))
    array([[1., 2., 2., 1.]])
    """
    plan = prepare_input_grad(
        1, grad, weight, input_shape, stride, padding, dilation, groups, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_input_grad(plan)


def conv1d_weight_grad(
    grad: ArrayLike,
    x: ArrayLike,
    weight_shape: Sequence[int],
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv1d` with respect to its weight.

    ::

        (N, K, OW), (N, C, W) -> (K, C/groups, S)

    It is the adjoint of the cross-correlation ``weight -> conv1d(x, weight)``: each tap of a
    filter collects the elements that it was multiplied with, weighted by `grad`.

    Parameters
    ----------
    grad : array_like, (N, K, OW) or (K, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, W) or (C, W)
        The input.
    weight_shape : (K, C/groups, S)
        The shape of the filters; with a stride, several give the same output shape.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv1d`.
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
    Each of the two taps saw three of the four elements:

    >>> import numpy as np
    >>> import npconv
    >>> x = np.arange(4.).reshape(1, 4)
    >>> npconv.conv1d_weight_grad(np.ones((1, 3)), x, (1, 1, 2))
    array([[[3., 6.]]])
    """
    plan = prepare_weight_grad(
        1, grad, x, weight_shape, stride, padding, dilation, groups, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_weight_grad(plan)


def conv1d_backward(
    grad: ArrayLike,
    x: ArrayLike,
    weight: ArrayLike,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    *,
    needs: Sequence[bool] = (True, True, True),
    padding_mode: str = "constant",
    layout: str = "NCW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Compute the gradients of :func:`conv1d` with respect to input, weight and bias.

    ::

        (N, K, OW), (N, C, W), (K, C/groups, S)
            -> (N, C, W), (K, C/groups, S), (K,)

    The gradients are those of the cross-correlation ``conv1d(x, weight, bias)``.

    Parameters
    ----------
    grad : array_like, (N, K, OW) or (K, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, W) or (C, W)
        The input.
    weight : array_like, (K, C/groups, S)
        The filters.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv1d`.
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
    conv1d_input_grad, conv1d_weight_grad

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, weight = np.ones((1, 4)), np.ones((1, 1, 2))
    >>> grad = np.ones_like(npconv.conv1d(x, weight))
    >>> dx, dweight, dbias = npconv.conv1d_backward(grad, x, weight, needs=(False, True, True))
    >>> dx is None, dweight.tolist(), dbias
    (True, [[[3.0, 3.0]]], array([3.]))
    """
    return run_backward(
        1, grad, x, weight, stride, padding, dilation, groups, needs, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
