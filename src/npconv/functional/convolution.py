"""Convolution of images and its gradients.

What these functions share with those of other numbers of dimensions is in
:mod:`npconv.functional.convolution_calls`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from numpy.typing import ArrayLike

from npconv.checks import Array
from npconv.functional.convolution_calls import (
    prepare_forward,
    prepare_input_grad,
    prepare_weight_grad,
    run_backward,
    run_forward,
    run_input_grad,
    run_weight_grad,
)
from npconv.runtime import native

PerAxis: TypeAlias = int | Sequence[int]
Padding: TypeAlias = str | int | Sequence[int] | Sequence[Sequence[int]]


@native.short_call
def conv2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    activation: str | tuple[str, float] | None = None,
    add: ArrayLike | None = None,
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Convolve images with filters.

    ::

        (N, C, H, W) ⋆ (K, C/groups, R, S) -> (N, K, OH, OW)
           (C, H, W) ⋆ (K, C/groups, R, S) -> (K, OH, OW)

    This is the cross-correlation that neural networks call convolution (the filters are not
    flipped)::

        y[n, k, i, j] = bias[k] + sum over c, r, s of
            weight[k, c, r, s] * x[n, c, i*stride + r*dilation - top, j*stride + s*dilation - left]

    where x is zero outside its borders.

    Parameters
    ----------
    x : array_like, (N, C, H, W) or (C, H, W)
        The images.
    weight : array_like, (K, C/groups, R, S)
        The filters, or what :func:`npconv.prepare` made of them.
    bias : array_like, (K,), optional
        Added to every pixel of an output channel.
    stride : int or (int, int)
        The step between windows, vertical and horizontal.
    padding : int, (int, int), ((top, bottom), (left, right)), "same" or "valid"
        How many zeros surround the images. "same" makes OH = ceil(H / stride), with the extra
        zero at the bottom and right, as TensorFlow does for any stride; "valid" adds none.
    dilation : int or (int, int)
        The step between the taps of a filter.
    groups : int
        Channels are split into this many groups that do not see each other; C groups of one
        channel make a depthwise convolution.
    padding_mode : {"constant", "reflect", "edge", "symmetric", "wrap"}
        What surrounds the images: zeros, or what :func:`npconv.pad` adds in that mode. Then padded
        copies may be made, of a few images at a time (about 4 MB); for the weight's gradient, of
        all.
    layout : {"NCHW", "NHWC"}
        The order of the axes of images, gradients and the result. That of the filters stays.
    activation : {"relu", "relu6", "leaky_relu"} or ("leaky_relu", slope), optional
        Applied last, while the result is in cache: y = activation(conv + bias + add). "relu" is
        0 where y <= 0, "relu6" is that and 6 where y > 6, "leaky_relu" is slope * y where y < 0,
        with a slope of 0.01 if none is given. NaN stays NaN.
    add : array_like, of the result's shape, optional
        Added to the result before the activation, such as the shortcut of a residual block. It
        takes part in the promotion of dtypes and is not broadcast. Each step is rounded, so that
        the bits are those of ``conv2d(...) + add``.
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
    ndarray, (N, K, OH, OW) or (K, OH, OW)
        `out`, or a new C-contiguous array. Its dtype is NumPy's promotion of all inputs.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or the inputs are no numbers that it is for.
    ValueError
        If shapes, sizes or options do not fit together.

    Notes
    -----
    Inputs of different dtypes are promoted as NumPy does it. The gradients follow the same rules:

    - float32 and float64 are computed in themselves.
    - float16, and bfloat16 of the package ml_dtypes, are computed in float32, activation included,
      and rounded once, at the end.
    - Integers are summed exactly, modulo 2**32 or 2**64 as NumPy's integers wrap. Where all factors
      have 8 bits the result is int32 (int64 beside a wider bias or addend), for wider ones int64,
      and uint64 where everything is unsigned and something is uint64. bool is 0 or 1. uint64 beside
      signed integers is float64. There are no algorithms to choose from, and no "leaky_relu".
    - complex64 and complex128 multiply by the textbook's formula, so that an infinite part can make
      the other one NaN. Each part is one real sum, with the error bound of such. There is no
      activation. Gradients are those of a real loss by PyTorch's convention: `weight` or `x` are
      conjugated. Images are copied part by part, about 4 MB of them at a time.

    See Also
    --------
    conv2d_input_grad, conv2d_weight_grad, conv2d_backward
    npconv.prepare : Transform the filters once for many calls.

    Examples
    --------
    A vertical edge filter on a step:

    >>> import numpy as np
    >>> import npconv
    >>> x = np.array([[[0., 0., 1., 1.]] * 3])
    >>> weight = np.array([[[[-1., 0., 1.]] * 3]])
    >>> npconv.conv2d(x, weight)
    array([[[3., 3.]]])
    >>> npconv.conv2d(x, weight, padding="same").shape
    (1, 3, 4)

    A residual block's last steps in one call:

    >>> npconv.conv2d(x, weight, padding="same", add=-2 * x, activation="relu")
    array([[[0., 2., 0., 0.],
            [0., 3., 1., 0.],
            [0., 2., 0., 0.]]])
    """
    plan = prepare_forward(
        2, x, weight, bias, stride, padding, dilation, groups, padding_mode, layout,
        activation, add, precision, algorithm, isa, num_threads, out,
    )  # fmt: skip
    return run_forward(plan)


@native.short_call
def conv2d_input_grad(
    grad: ArrayLike,
    weight: ArrayLike,
    input_shape: Sequence[int],
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv2d` with respect to its input.

    ::

        (N, K, OH, OW), (K, C/groups, R, S) -> (N, C, H, W)

    It is the adjoint of the cross-correlation ``x -> conv2d(x, weight)``: every pixel of `grad`
    is spread back over the window that it was computed from.

    Parameters
    ----------
    grad : array_like, (N, K, OH, OW) or (K, OH, OW)
        The gradient with respect to the output.
    weight : array_like, (K, C/groups, R, S)
        The filters.
    input_shape : (N, C, H, W) or (C, H, W)
        The shape of the input; with a stride, several give the same output shape.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv2d`.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv2d`.

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
    How often each pixel is used by a 2×2 filter:

    >>> import numpy as np
    >>> import npconv
    >>> npconv.conv2d_input_grad(np.ones((1, 2, 2)), np.ones((1, 1, 2, 2)), (1, 3, 3))
    array([[[1., 2., 1.],
            [2., 4., 2.],
            [1., 2., 1.]]])
    """
    plan = prepare_input_grad(
        2, grad, weight, input_shape, stride, padding, dilation, groups, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_input_grad(plan)


@native.short_call
def conv2d_weight_grad(
    grad: ArrayLike,
    x: ArrayLike,
    weight_shape: Sequence[int],
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv2d` with respect to its weight.

    ::

        (N, K, OH, OW), (N, C, H, W) -> (K, C/groups, R, S)

    It is the adjoint of the cross-correlation ``weight -> conv2d(x, weight)``: each tap of a
    filter collects the pixels that it was multiplied with, weighted by `grad`.

    Parameters
    ----------
    grad : array_like, (N, K, OH, OW) or (K, OH, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, H, W) or (C, H, W)
        The input.
    weight_shape : (K, C/groups, R, S)
        The shape of the filters; with a stride, several give the same output shape.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv2d`.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv2d`.

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
    Each of the 2×2 taps saw four of the nine pixels:

    >>> import numpy as np
    >>> import npconv
    >>> x = np.arange(9.).reshape(1, 3, 3)
    >>> npconv.conv2d_weight_grad(np.ones((1, 2, 2)), x, (1, 1, 2, 2))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    """
    plan = prepare_weight_grad(
        2, grad, x, weight_shape, stride, padding, dilation, groups, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_weight_grad(plan)


@native.short_call
def conv2d_backward(
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
    layout: str = "NCHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Compute the gradients of :func:`conv2d` with respect to input, weight and bias.

    ::

        (N, K, OH, OW), (N, C, H, W), (K, C/groups, R, S)
            -> (N, C, H, W), (K, C/groups, R, S), (K,)

    The gradients are those of the cross-correlation ``conv2d(x, weight, bias)``.

    Parameters
    ----------
    grad : array_like, (N, K, OH, OW) or (K, OH, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, H, W) or (C, H, W)
        The input.
    weight : array_like, (K, C/groups, R, S)
        The filters.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv2d`.
    needs : (bool, bool, bool)
        Which of the three to compute; the others are None.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv2d`.

    Returns
    -------
    dx : ndarray or None
        Of x's shape.
    dweight : ndarray or None
        Of weight's shape.
    dbias : ndarray or None
        (K,), the sum of `grad` over images and pixels.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or the inputs are no numbers that it is for.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    conv2d_input_grad, conv2d_weight_grad

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, weight = np.ones((1, 3, 3)), np.ones((1, 1, 2, 2))
    >>> grad = np.ones_like(npconv.conv2d(x, weight))
    >>> dx, dweight, dbias = npconv.conv2d_backward(grad, x, weight, needs=(False, True, True))
    >>> dx is None, dweight.tolist(), dbias
    (True, [[[[4.0, 4.0], [4.0, 4.0]]]], array([4.]))
    """
    return run_backward(
        2, grad, x, weight, stride, padding, dilation, groups, needs, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
