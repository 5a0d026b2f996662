"""Convolution of volumes and its gradients.

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


def conv3d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
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
    """Convolve volumes with filters.

    ::

        (N, C, D, H, W) ⋆ (K, C/groups, T, R, S) -> (N, K, OD, OH, OW)
           (C, D, H, W) ⋆ (K, C/groups, T, R, S) -> (K, OD, OH, OW)

    This is the cross-correlation that neural networks call convolution (the filters are not
    flipped)::

        y[n, k, h, i, j] = bias[k] + sum over c, t, r, s of weight[k, c, t, r, s] *
            x[n, c, h*stride + t*dilation - front,
                    i*stride + r*dilation - top, j*stride + s*dilation - left]

    where x is zero outside its borders.

    Parameters
    ----------
    x : array_like, (N, C, D, H, W) or (C, D, H, W)
        The volumes: videos, scans, stacks of images.
    weight : array_like, (K, C/groups, T, R, S)
        The filters, or what :func:`npconv.prepare` made of them.
    bias : array_like, (K,), optional
        Added to every voxel of an output channel.
    stride : int or (int, int, int)
        The step between windows along D, H and W.
    padding : int, (int, int, int), one (before, after) for each axis, "same" or "valid"
        How many zeros surround the volumes. "same" makes OH = ceil(H / stride), with the extra
        zero at the end of each axis, as TensorFlow does for any stride; "valid" adds none.
    dilation : int or (int, int, int)
        The step between the taps of a filter.
    groups : int
        Channels are split into this many groups that do not see each other; C groups of one
        channel make a depthwise convolution.
    padding_mode : {"constant", "reflect", "edge", "symmetric", "wrap"}
        What surrounds the volumes: zeros, or what :func:`npconv.pad` adds in that mode. Then padded
        copies may be made, of a few volumes at a time (about 4 MB); for the weight's gradient, of
        all.
    layout : {"NCDHW", "NDHWC"}
        The order of the axes of images, gradients and the result. That of the filters stays.
    activation : {"relu", "relu6", "leaky_relu"} or ("leaky_relu", slope), optional
        Applied last, while the result is in cache: y = activation(conv + bias + add). "relu" is
        0 where y <= 0, "relu6" is that and 6 where y > 6, "leaky_relu" is slope * y where y < 0,
        with a slope of 0.01 if none is given. NaN stays NaN.
    add : array_like, of the result's shape, optional
        Added to the result before the activation, such as the shortcut of a residual block. It
        takes part in the promotion of dtypes and is not broadcast. Each step is rounded, so that
        the bits are those of ``conv3d(...) + add``.
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
    conv3d_input_grad, conv3d_weight_grad, conv3d_backward
    npconv.prepare : Transform the filters once for many calls.

    Examples
    --------
    What changes from one frame of a video to the next:

    >>> import numpy as np
    >>> import npconv
    >>> video = np.zeros((1, 3, 2, 2))
    >>> video[0, 1:, 0, 0] = 1
    >>> weight = np.array([-1., 1.]).reshape(1, 1, 2, 1, 1)
    >>> npconv.conv3d(video, weight)
    array([[[[1., 0.],
             [0., 0.]],
    <BLANKLINE>
            [[0., 0.],
             [0., 0.]]]])
    >>> npconv.conv3d(video, np.ones((4, 1, 3, 3, 3)), padding="same").shape
    (4, 3, 2, 2)
    """
    plan = prepare_forward(
        3, x, weight, bias, stride, padding, dilation, groups, padding_mode, layout,
        activation, add, precision, algorithm, isa, num_threads, out,
    )  # fmt: skip
    return run_forward(plan)


def conv3d_input_grad(
    grad: ArrayLike,
    weight: ArrayLike,
    input_shape: Sequence[int],
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCDHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv3d` with respect to its input.

    ::

        (N, K, OD, OH, OW), (K, C/groups, T, R, S) -> (N, C, D, H, W)

    It is the adjoint of the cross-correlation ``x -> conv3d(x, weight)``: every voxel of `grad`
    is spread back over the window that it was computed from.

    Parameters
    ----------
    grad : array_like, (N, K, OD, OH, OW) or (K, OD, OH, OW)
        The gradient with respect to the output.
    weight : array_like, (K, C/groups, T, R, S)
        The filters.
    input_shape : (N, C, D, H, W) or (C, D, H, W)
        The shape of the input; with a stride, several give the same output shape.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv3d`.
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
    How often each voxel is used by a 2×1×2 filter:

    >>> import numpy as np
    >>> import npconv
    >>> grad, weight = np.ones((1, 1, 1, 2)), np.ones((1, 1, 2, 1, 2))
    >>> npconv.conv3d_input_grad(grad, weight, (1, 2, 1, 3))
    array([[[[1., 2., 1.]],
    <BLANKLINE>
            [[1., 2., 1.]]]])
    """
    plan = prepare_input_grad(
        3, grad, weight, input_shape, stride, padding, dilation, groups, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_input_grad(plan)


def conv3d_weight_grad(
    grad: ArrayLike,
    x: ArrayLike,
    weight_shape: Sequence[int],
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    *,
    padding_mode: str = "constant",
    layout: str = "NCDHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> Array:
    """Compute the gradient of :func:`conv3d` with respect to its weight.

    ::

        (N, K, OD, OH, OW), (N, C, D, H, W) -> (K, C/groups, T, R, S)

    It is the adjoint of the cross-correlation ``weight -> conv3d(x, weight)``: each tap of a
    filter collects the voxels that it was multiplied with, weighted by `grad`.

    Parameters
    ----------
    grad : array_like, (N, K, OD, OH, OW) or (K, OD, OH, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, D, H, W) or (C, D, H, W)
        The input.
    weight_shape : (K, C/groups, T, R, S)
        The shape of the filters; with a stride, several give the same output shape.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv3d`.
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
    Each of the 2×1×2 taps saw two of the six voxels:

    >>> import numpy as np
    >>> import npconv
    >>> x = np.arange(6.).reshape(1, 2, 1, 3)
    >>> npconv.conv3d_weight_grad(np.ones((1, 1, 1, 2)), x, (1, 1, 2, 1, 2)).reshape(2, 2)
    array([[1., 3.],
           [7., 9.]])
    """
    plan = prepare_weight_grad(
        3, grad, x, weight_shape, stride, padding, dilation, groups, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
    return run_weight_grad(plan)


def conv3d_backward(
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
    layout: str = "NCDHW",
    precision: str = "standard",
    algorithm: str = "auto",
    isa: str | None = None,
    num_threads: int | None = None,
) -> tuple[Array | None, Array | None, Array | None]:
    """Compute the gradients of :func:`conv3d` with respect to input, weight and bias.

    ::

        (N, K, OD, OH, OW), (N, C, D, H, W), (K, C/groups, T, R, S)
            -> (N, C, D, H, W), (K, C/groups, T, R, S), (K,)

    The gradients are those of the cross-correlation ``conv3d(x, weight, bias)``.

    Parameters
    ----------
    grad : array_like, (N, K, OD, OH, OW) or (K, OD, OH, OW)
        The gradient with respect to the output.
    x : array_like, (N, C, D, H, W) or (C, D, H, W)
        The input.
    weight : array_like, (K, C/groups, T, R, S)
        The filters.
    stride, padding, dilation, groups
        As in the forward call; see :func:`conv3d`.
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
    conv3d_input_grad, conv3d_weight_grad

    Examples
    --------
    >>> import numpy as np
    >>> import npconv
    >>> x, weight = np.ones((1, 2, 3, 3)), np.ones((1, 1, 1, 2, 2))
    >>> grad = np.ones_like(npconv.conv3d(x, weight))
    >>> dx, dweight, dbias = npconv.conv3d_backward(grad, x, weight, needs=(False, True, True))
    >>> dx is None, dweight.tolist(), dbias
    (True, [[[[[8.0, 8.0], [8.0, 8.0]]]]], array([8.]))
    """
    return run_backward(
        3, grad, x, weight, stride, padding, dilation, groups, needs, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip
