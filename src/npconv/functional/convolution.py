"""Convolution and its gradients.

The public functions fix the number of spatial dimensions and document themselves; what they
share is below them, written for any number. ``prepare_*`` check everything and touch no
element, so that :func:`npconv.explain` can stop after them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from npconv import checks
from npconv.checks import Array
from npconv.geometry import ConvGeometry, conv_geometry
from npconv.prepared import PreparedWeight
from npconv.runtime import Options, native, options

PerAxis: TypeAlias = int | Sequence[int]
Padding: TypeAlias = str | int | Sequence[int] | Sequence[Sequence[int]]

_OUTPUT = "the shape of this convolution's output"


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
    padding_mode : {"constant"}
        What surrounds the images; so far only zeros.
    layout : {"NCHW"}
        The order of the axes.
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
        Force an algorithm.
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
        If an argument has the wrong type, or the inputs do not promote to float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.
    NotImplementedError
        If an option is asked for that is not built yet.

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
    return _forward(plan)


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
        If an argument has the wrong type, or the inputs do not promote to float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.
    NotImplementedError
        If an option is asked for that is not built yet.

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
    return _input_grad(plan)


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
        If an argument has the wrong type, or the inputs do not promote to float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.
    NotImplementedError
        If an option is asked for that is not built yet.

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
    return _weight_grad(plan)


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
        If an argument has the wrong type, or the inputs do not promote to float32 or float64.
    ValueError
        If shapes, sizes or options do not fit together.
    NotImplementedError
        If an option is asked for that is not built yet.

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
    return _backward(
        2, grad, x, weight, stride, padding, dilation, groups, needs, padding_mode, layout,
        precision, algorithm, isa, num_threads,
    )  # fmt: skip


# --- for any number of spatial dimensions ----------------------------------------------------


# A checked call: geometry, result dtype, options, operands with their batch axis, and the result's
# shape as the caller sees it, whether that has the batch axis, and the caller's out. A plain tuple,
# as making a named one takes longer than any of the checks.
Plan: TypeAlias = tuple[
    ConvGeometry, np.dtype[Any], Options, tuple[Any, ...], tuple[int, ...], bool, Array | None
]


def prepare_forward(
    ndim: int,
    x: object,
    weight: object,
    bias: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
    padding_mode: object,
    layout: object,
    activation: object,
    add: object,
    precision: object,
    algorithm: object,
    isa: object,
    num_threads: object,
    out: object,
) -> Plan:
    """Check a forward call."""
    checks.built_options(padding_mode, layout)
    how = options(algorithm, isa, num_threads, precision)
    after = checks.activation(activation)
    images, batched = checks.batched(x, "x", ndim)
    prepared = weight if isinstance(weight, PreparedWeight) else None
    filters = checks.weight(weight, ndim)
    geometry = conv_geometry(ndim, images.shape, filters.shape, stride, padding, dilation, groups)
    offsets = None
    if bias is not None:
        offsets = checks.array(bias, "bias")
        checks.same_shape(offsets, "bias", filters.shape[:1], "one for each output channel")
    shape = geometry.output_shape if batched else geometry.output_shape[1:]
    addend = None
    if add is not None:
        addend = checks.array(add, "add")
        checks.same_shape(addend, "add", shape, _OUTPUT)
    dtype = checks.float_dtype(x=images, weight=filters, bias=offsets, add=addend)
    if prepared is not None:
        how = prepared.fitted(geometry, dtype, how, algorithm, isa)
    if out is not None:
        out = checks.output(out, shape, dtype, addend, x=images, weight=filters, bias=offsets)
    if addend is not None and not batched:
        addend = addend[np.newaxis]
    made = None if prepared is None else prepared.made
    operands = (images, filters, offsets, after, addend, made)
    return geometry, dtype, how, operands, shape, batched, out


def prepare_input_grad(
    ndim: int,
    grad: object,
    weight: object,
    input_shape: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
    padding_mode: object,
    layout: object,
    precision: object,
    algorithm: object,
    isa: object,
    num_threads: object,
) -> Plan:
    """Check a call for the input's gradient."""
    checks.built_options(padding_mode, layout)
    how = options(algorithm, isa, num_threads, precision)
    shape, batched = checks.input_shape(input_shape, ndim)
    filters = checks.weight(weight, ndim)
    geometry = conv_geometry(
        ndim, shape, filters.shape, stride, padding, dilation, groups, input_name="input_shape"
    )
    errors = _output_grad(grad, geometry, batched)
    dtype = checks.float_dtype(grad=errors, weight=filters)
    return geometry, dtype, how, (errors, filters), shape[not batched :], batched, None


def prepare_weight_grad(
    ndim: int,
    grad: object,
    x: object,
    weight_shape: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
    padding_mode: object,
    layout: object,
    precision: object,
    algorithm: object,
    isa: object,
    num_threads: object,
) -> Plan:
    """Check a call for the weight's gradient."""
    checks.built_options(padding_mode, layout)
    how = options(algorithm, isa, num_threads, precision)
    images, batched = checks.batched(x, "x", ndim)
    shape = checks.shape(weight_shape, "weight_shape", (ndim + 2,), checks.WEIGHT_AXES[ndim])
    geometry = conv_geometry(
        ndim, images.shape, shape, stride, padding, dilation, groups, weight_name="weight_shape"
    )
    errors = _output_grad(grad, geometry, batched)
    dtype = checks.float_dtype(grad=errors, x=images)
    return geometry, dtype, how, (errors, images), shape, True, None


def _forward(plan: Plan) -> Array:
    geometry, dtype, how, operands, shape, batched, out = plan
    x, weight, bias, (activation, slope), add, prepared = operands
    y = np.empty(shape, dtype) if out is None else out
    native.conv_forward(
        geometry,
        x,
        checks.settled(weight, dtype),
        None if bias is None else checks.settled(bias, dtype),
        y if batched else y[np.newaxis],
        how,
        activation,
        slope,
        add,
        prepared,
    )
    return y


def _input_grad(plan: Plan) -> Array:
    geometry, dtype, how, (grad, weight), shape, batched, _ = plan
    dx = np.empty(shape, dtype)
    native.conv_input_grad(
        geometry, grad, checks.settled(weight, dtype), dx if batched else dx[np.newaxis], how
    )
    return dx


def _weight_grad(plan: Plan) -> Array:
    geometry, dtype, how, (grad, x), shape, _, _ = plan
    dweight = np.empty(shape, dtype)
    native.conv_weight_grad(geometry, grad, x, dweight, how)
    return dweight


def _backward(
    ndim: int,
    grad: object,
    x: object,
    weight: object,
    stride: object,
    padding: object,
    dilation: object,
    groups: object,
    needs: object,
    padding_mode: object,
    layout: object,
    precision: object,
    algorithm: object,
    isa: object,
    num_threads: object,
) -> tuple[Array | None, Array | None, Array | None]:
    checks.built_options(padding_mode, layout)
    how = options(algorithm, isa, num_threads, precision)
    need_dx, need_dweight, need_dbias = _three_flags(needs)
    images, batched = checks.batched(x, "x", ndim)
    filters = checks.weight(weight, ndim)
    geometry = conv_geometry(ndim, images.shape, filters.shape, stride, padding, dilation, groups)
    errors = _output_grad(grad, geometry, batched)
    dtype = checks.float_dtype(grad=errors, x=images, weight=filters)
    dx = dweight = dbias = None
    if need_dx:
        shape = geometry.input_shape[not batched :]
        dx = _input_grad((geometry, dtype, how, (errors, filters), shape, batched, None))
    if need_dweight:
        dweight = _weight_grad((geometry, dtype, how, (errors, images), filters.shape, True, None))
    if need_dbias:
        dbias = np.empty(geometry.out_channels, dtype)
        native.conv_bias_grad(geometry, errors, dbias, how)
    return dx, dweight, dbias


def _output_grad(grad: object, geometry: ConvGeometry, batched: bool) -> Array:
    """``grad`` with a batch axis, if it has the shape of the output."""
    checked = checks.array(grad, "grad")
    checks.same_shape(checked, "grad", geometry.output_shape[not batched :], _OUTPUT)
    return checked if batched else checked[np.newaxis]


def _three_flags(needs: object) -> list[bool]:
    if not isinstance(needs, (tuple, list)) or len(needs) != 3:
        raise ValueError(
            f"needs must be three bools (dx, dweight, dbias), got {checks.show(needs)}"
        )
    return [checks.flag(item, "needs") for item in needs]


class Explainable(NamedTuple):
    """What :func:`npconv.explain` must know of a function."""

    function: Callable[..., Any]
    prepare: Callable[..., Plan]
    ndim: int
    operation: str


EXPLAINABLE = {
    "conv2d": Explainable(conv2d, prepare_forward, 2, "forward"),
    "conv2d_input_grad": Explainable(conv2d_input_grad, prepare_input_grad, 2, "input_grad"),
    "conv2d_weight_grad": Explainable(conv2d_weight_grad, prepare_weight_grad, 2, "weight_grad"),
}
