"""Transposed convolution of volumes and its gradients.

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


def conv_transpose3d(
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
    layout: str = "NCDHW",
    activation: str | tuple[str, float] | None = None,
    add: ArrayLike | None = None,
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
    out: Array | None = None,
) -> Array:
    """Spread volumes over larger ones: the transpose of a strided convolution.

    ::

        (N, C, D, H, W) ⋆ (C, K/groups, T, R, S) -> (N, K, OD, OH, OW)
           (C, D, H, W) ⋆ (C, K/groups, T, R, S) -> (K, OD, OH, OW)

        OH = (H - 1)*stride + dilation*(R - 1) + 1 + output_padding - top - bottom

    Every voxel of x puts a copy of its filters, times its value, into the result, `stride` voxels
    from those of its neighbours; what overlaps is added. Some call it deconvolution, which it is
    not: it undoes the change of shape that the cross-correlation :func:`conv3d` makes with the
    same weight and settings, and is the gradient of that by its input.

    Parameters
    ----------
    x : array_like, (N, C, D, H, W) or (C, D, H, W)
        The volumes.
    weight : array_like, (C, K/groups, T, R, S)
        The filters: those of the convolution from K channels to C.
    bias : array_like, (K,), optional
        Added to every voxel of an output channel.
    stride : int or (int, int, int)
        The step between the copies along D, H and W.
    padding : int, (int, int, int), one (before, after) for each axis, or "valid"
        How many voxels are cut off the result's borders, which are those that the convolution
        had added. "valid" cuts none.
    output_padding : int or (int, int, int)
        How many voxels are kept beyond the last that the convolution would need, at the end of
        each axis; less than the stride or the dilation. Volumes of several sizes convolve to one;
        this tells them apart.
    groups : int
        Channels are split into this many groups that do not see each other.
    dilation : int or (int, int, int)
        The step between the taps of a filter.
    padding_mode : {"constant"}
        Kept for the sake of :func:`conv3d`'s; there is nothing else to choose.
    layout : {"NCDHW", "NDHWC"}
        The order of the axes of images, gradients and the result. That of the filters stays.
    activation : {"relu", "relu6", "leaky_relu"} or ("leaky_relu", slope), optional
        Applied last; see :func:`conv3d`.
    add : array_like, of the result's shape, optional
        Added to the result before the activation; see :func:`conv3d`.
    precision, algorithm, isa, num_threads
        See :func:`conv3d`. The algorithms are those of :func:`conv3d_input_grad`.
    out : ndarray, optional
        Where to write the result: of its shape and dtype, with any strides, apart from all
        inputs.

    Returns
    -------
    ndarray, (N, K, OD, OH, OW) or (K, OD, OH, OW)
        `out`, or a new C-contiguous array. Its dtype is NumPy's promotion of all inputs.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or the inputs are no numbers that it is for.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    conv_transpose3d_input_grad, conv_transpose3d_weight_grad, conv_transpose3d_backward

    Examples
    --------
    Twice the size, as the decoder of a 3-D U-Net uses it:

    >>> import numpy as np
    >>> import npconv
    >>> x, weight = np.ones((8, 4, 16, 16)), np.ones((8, 4, 2, 2, 2))
    >>> npconv.conv_transpose3d(x, weight, stride=2).shape
    (4, 8, 32, 32)
    """
    plan = prepare_forward(
        3, x, weight, bias, stride, padding, output_padding, groups, dilation, padding_mode,
        layout, activation, add, precision, algorithm, isa, num_threads, out,
    )  # fmt: skip
    return run_forward(plan)


def conv_transpose3d_input_grad(
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
    layout: str = "NCDHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv_transpose3d` with respect to its input.

    ::

        (N, K, OD, OH, OW), (C, K/groups, T, R, S) -> (N, C, D, H, W)

    It is the cross-correlation :func:`conv3d` of `grad` with the same weight.

    Parameters
    ----------
    grad : array_like, (N, K, OD, OH, OW) or (K, OD, OH, OW)
        The gradient with respect to the output.
    weight : array_like, (C, K/groups, T, R, S)
        The filters.
    input_shape : (N, C, D, H, W) or (C, D, H, W)
        The shape of the input.
    stride, padding, output_padding, groups, dilation
        As in the forward call; see :func:`conv_transpose3d`.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv3d`.

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
    >>> grad, weight = np.arange(5.).reshape(1, 1, 1, 5), np.array([[[[[1., 2., 3.]]]]])
    >>> npconv.conv_transpose3d_input_grad(grad, weight, (1, 1, 1, 2), stride=2)
    array([[[[ 8., 20.]]]])
    """
    plan = prepare_input_grad(
        3, grad, weight, input_shape, stride, padding, output_padding, groups, dilation,
        padding_mode, layout, precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_input_grad(plan)


def conv_transpose3d_weight_grad(
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
    layout: str = "NCDHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv_transpose3d` with respect to its weight.

    ::

        (N, K, OD, OH, OW), (N, C, D, H, W) -> (C, K/groups, T, R, S)

    Parameters
    ----------
    grad : array_like, (N, K, OD, OH, OW) or (K, OD, OH, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, D, H, W) or (C, D, H, W)
        The input.
    weight_shape : (C, K/groups, T, R, S)
        The shape of the filters.
    stride, padding, output_padding, groups, dilation
        As in the forward call; see :func:`conv_transpose3d`.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv3d`.

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
    Each tap met both voxels, 1 and 10:

    >>> import numpy as np
    >>> import npconv
    >>> grad, x = np.arange(5.).reshape(1, 1, 1, 5), np.array([[[[1., 10.]]]])
    >>> npconv.conv_transpose3d_weight_grad(grad, x, (1, 1, 1, 1, 3), stride=2)
    array([[[[[20., 31., 42.]]]]])
    """
    plan = prepare_weight_grad(
        3, grad, x, weight_shape, stride, padding, output_padding, groups, dilation, padding_mode,
        layout, precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_weight_grad(plan)


def conv_transpose3d_backward(
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
    layout: str = "NCDHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Compute the gradients of :func:`conv_transpose3d` with respect to input, weight and bias.

    ::

        (N, K, OD, OH, OW), (N, C, D, H, W), (C, K/groups, T, R, S)
            -> (N, C, D, H, W), (C, K/groups, T, R, S), (K,)

    Parameters
    ----------
    grad : array_like, (N, K, OD, OH, OW) or (K, OD, OH, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, D, H, W) or (C, D, H, W)
        The input.
    weight : array_like, (C, K/groups, T, R, S)
        The filters.
    stride, padding, output_padding, groups, dilation
        As in the forward call; see :func:`conv_transpose3d`.
    needs : (bool, bool, bool)
        Which of the three to compute; the others are None.
    padding_mode, layout, precision, algorithm, isa, num_threads
        See :func:`conv3d`.

    Returns
    -------
    dx : ndarray or None
        Of x's shape.
    dweight : ndarray or None
        Of weight's shape.
    dbias : ndarray or None
        (K,), the sum of `grad` over volumes and voxels.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or the inputs are no numbers that it is for.
    ValueError
        If shapes, sizes or options do not fit together.

    See Also
    --------
    conv_transpose3d_input_grad, conv_transpose3d_weight_grad

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, weight = np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2, 2))
    >>> grad = np.ones_like(npconv.conv_transpose3d(x, weight, stride=2))
    >>> dx, dweight, dbias = npconv.conv_transpose3d_backward(grad, x, weight, stride=2)
    >>> dx.tolist(), float(dweight.sum()), dbias
    ([[[[8.0, 8.0], [8.0, 8.0]]]], 32.0, array([32.]))
    """
    return run_backward(
        3, grad, x, weight, stride, padding, output_padding, groups, dilation, needs,
        padding_mode, layout, precision, algorithm, isa, num_threads,
    )  # fmt: skip
