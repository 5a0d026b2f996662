"""What the reference convolutions of one, two and three dimensions share: their definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks, geometry, layouts
from npconv.border import Border, bordered
from npconv.checks import Array
from npconv.geometry import ConvGeometry
from npconv.number_types import computed_dtype, fits_options, sum_dtype
from npconv.reference.delivery import deliver, gradient, quiet
from npconv.reference.padding import pad_gradient
from npconv.reference.taps import taps


def forward(
    ndim: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    padding_mode: Any,
    layout: Any,
    activation: Any,
    add: Any,
    precision: Any,
    out: Any,
) -> Array:
    """Cross-correlation of ``ndim`` spatial dimensions."""
    mode = checks.padding_mode(padding_mode)
    last = checks.channels_last(layout, ndim)
    checks.choice(precision, "precision", ("standard", "strict"))
    name, slope = checks.activation(activation)
    x, batched = checks.batched(x, "x", ndim, last)
    weight = checks.weight(weight, ndim)
    g = geometry.conv_geometry(ndim, x.shape, weight.shape, stride, padding, dilation, groups)
    if bias is not None:
        bias = checks.array(bias, "bias")
        checks.same_shape(bias, "bias", weight.shape[:1], "one for each output channel")
    shape = layouts.shape_given(g.output_shape, batched, last)
    if add is not None:
        add = checks.array(add, "add")
        checks.same_shape(add, "add", shape, "the shape of this convolution's output")
    dtype = sum_dtype(x=x, weight=weight, bias=bias, add=add)
    fits_options(dtype, "auto", name, False)
    if out is not None:
        checks.output(out, shape, dtype, add, x=x, weight=weight, bias=bias)
    x, weight, bias = widened(dtype, x, weight, bias)
    g, border = bordered(g, mode)
    y = correlate(g, surrounded(border, x), weight, bias)
    y = layouts.channels_last(y.reshape(g.output_shape), last)
    y = deliver(y, shape, computed_dtype(dtype))
    return deliver(finish(y, add, name, slope), shape, dtype, out)


@quiet
def correlate(g: ConvGeometry, x: Array, weight: Array, bias: Array | None) -> Array:
    """Sum, for each output, what lies under the taps."""
    x, weight = _grouped_input(g, x), _grouped_weight(g, weight)
    dtype = np.result_type(x, weight)
    y = np.zeros((g.batch, g.groups, g.out_channels // g.groups, *g.output), dtype)
    for tap in taps(g):
        y[tap.outputs] += np.einsum("ngc...,gkc->ngk...", x[tap.inputs], weight[tap.position])
    if bias is not None:
        y += bias.astype(_wide(bias)).reshape(g.groups, -1, 1, 1, 1)
    return y


@quiet
def finish(y: Array, add: Array | None, activation: str | None, slope: float) -> Array:
    """Add and activate in the result's dtype, each step rounded, as it would be in NumPy.

    NaN passes through; relu and relu6 make +0 of every zero.
    """
    zero, six, below = y.dtype.type(0), y.dtype.type(6), y.dtype.type(slope)
    if add is not None:
        y = y + add.astype(y.dtype)
    if activation in ("relu", "relu6"):
        y = np.where(y <= zero, zero, y)
    if activation == "relu6":
        y = np.where(y > six, six, y)
    if activation == "leaky_relu":
        y = np.where(y < zero, y * below, y)
    return y


def input_grad(
    ndim: int,
    grad: Any,
    weight: Any,
    input_shape: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    padding_mode: Any,
    layout: Any,
    precision: Any,
) -> Array:
    """Gradient by the input."""
    mode = checks.padding_mode(padding_mode)
    last = checks.channels_last(layout, ndim)
    checks.choice(precision, "precision", ("standard", "strict"))
    shape, batched = checks.input_shape(input_shape, ndim, last)
    weight = checks.weight(weight, ndim)
    g = geometry.conv_geometry(
        ndim, shape, weight.shape, stride, padding, dilation, groups, input_name="input_shape"
    )
    grad = gradient(grad, layouts.shape_given(g.output_shape, batched, last), "convolution")
    grad = layouts.channels_first(grad, batched, last)
    dtype = sum_dtype(grad=grad, weight=weight)
    dx = _input_grad(g, grad, weight, mode, dtype).reshape(shape)
    given = layouts.shape_given(shape, batched, last)
    return deliver(layouts.channels_last(dx, last), given, dtype)


def _input_grad(
    g: ConvGeometry, grad: Array, weight: Array, mode: str, dtype: np.dtype[Any]
) -> Array:
    grad, weight, _ = widened(dtype, grad, weight)
    g, border = bordered(g, mode)
    dx = spread(g, grad, np.conj(weight))
    if border is None:
        return dx
    return pad_gradient(border.of(g.batch), dx.reshape(g.input_shape), mode)


@quiet
def spread(g: ConvGeometry, grad: Array, weight: Array) -> Array:
    """Send each output, times the weight of each tap, to the input under the tap."""
    grad, weight = _grouped_output(g, grad), _grouped_weight(g, weight)
    dtype = np.result_type(grad, weight)
    dx = np.zeros((g.batch, g.groups, g.in_channels // g.groups, *g.input), dtype)
    for tap in taps(g):
        dx[tap.inputs] += np.einsum("ngk...,gkc->ngc...", grad[tap.outputs], weight[tap.position])
    return dx


def weight_grad(
    ndim: int,
    grad: Any,
    x: Any,
    weight_shape: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    padding_mode: Any,
    layout: Any,
    precision: Any,
) -> Array:
    """Gradient by the weight."""
    mode = checks.padding_mode(padding_mode)
    last = checks.channels_last(layout, ndim)
    checks.choice(precision, "precision", ("standard", "strict"))
    x, batched = checks.batched(x, "x", ndim, last)
    shape = checks.shape(weight_shape, "weight_shape", (ndim + 2,), checks.WEIGHT_AXES[ndim])
    g = geometry.conv_geometry(
        ndim, x.shape, shape, stride, padding, dilation, groups, weight_name="weight_shape"
    )
    grad = gradient(grad, layouts.shape_given(g.output_shape, batched, last), "convolution")
    grad = layouts.channels_first(grad, batched, last)
    dtype = sum_dtype(grad=grad, x=x)
    return deliver(_weight_grad(g, grad, x, mode, dtype), shape, dtype)


def _weight_grad(g: ConvGeometry, grad: Array, x: Array, mode: str, dtype: np.dtype[Any]) -> Array:
    grad, x, _ = widened(dtype, grad, x)
    g, border = bordered(g, mode)
    return collect(g, grad, np.conj(surrounded(border, x)))


@quiet
def collect(g: ConvGeometry, grad: Array, x: Array) -> Array:
    """Sum, for each tap, the inputs that it met times the outputs it met them for."""
    grad, x = _grouped_output(g, grad), _grouped_input(g, x)
    shape = (g.groups, g.out_channels // g.groups, g.in_channels // g.groups)
    dweight = np.zeros((*shape, *g.kernel), np.result_type(grad, x))
    for tap in taps(g):
        dweight[tap.position] = np.einsum("ngkdhw,ngcdhw->gkc", grad[tap.outputs], x[tap.inputs])
    return dweight


def backward(
    ndim: int,
    grad: Any,
    x: Any,
    weight: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    needs: Any,
    padding_mode: Any,
    layout: Any,
    precision: Any,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients by input, weight and bias; None where ``needs`` is False."""
    mode = checks.padding_mode(padding_mode)
    last = checks.channels_last(layout, ndim)
    checks.choice(precision, "precision", ("standard", "strict"))
    needs_x, needs_weight, needs_bias = checks.three_flags(needs)
    x, batched = checks.batched(x, "x", ndim, last)
    weight = checks.weight(weight, ndim)
    g = geometry.conv_geometry(ndim, x.shape, weight.shape, stride, padding, dilation, groups)
    grad = gradient(grad, layouts.shape_given(g.output_shape, batched, last), "convolution")
    grad = layouts.channels_first(grad, batched, last)
    dtype = sum_dtype(grad=grad, x=x, weight=weight)
    dx = dweight = dbias = None
    if needs_x:
        dx = _input_grad(g, grad, weight, mode, dtype).reshape(g.input_shape)
        shape = layouts.shape_given(g.input_shape, batched, last)
        dx = deliver(layouts.channels_last(dx, last), shape, dtype)
    if needs_weight:
        dweight = deliver(_weight_grad(g, grad, x, mode, dtype), weight.shape, dtype)
    if needs_bias:
        errors, _, _ = widened(dtype, grad, x)
        dbias = deliver(_bias_grad(g, errors), weight.shape[:1], dtype)
    return dx, dweight, dbias


@quiet
def _bias_grad(g: ConvGeometry, grad: Array) -> Array:
    dbias: Array = _grouped_output(g, grad).sum(axis=(0, 3, 4, 5))
    return dbias


def widened(
    dtype: np.dtype[Any], first: Array, second: Array, third: Array | None = None
) -> tuple[Array, Array, Array | None]:
    """Operands in the widest dtype of the result's kind, in which they are summed."""
    wide = {"f": np.float64, "V": np.float64, "i": np.int64, "u": np.uint64, "c": np.complex128}
    kind = wide[dtype.kind]
    return first.astype(kind), second.astype(kind), None if third is None else third.astype(kind)


def surrounded(border: Border | None, x: Array) -> Array:
    """The images in their border, if they have one."""
    return x if border is None else np.pad(x, border.pairs, border.mode)  # type: ignore[call-overload]


def _wide(array: Array) -> Any:
    """float64, unless the array is of another widest dtype already."""
    return array.dtype if array.dtype in (np.int64, np.uint64, np.complex128) else np.float64


def _grouped_input(g: ConvGeometry, x: Array) -> Array:
    """(N, C, H, W) -> (N, groups, C/groups, D, H, W) in a wide dtype."""
    shape = (g.batch, g.groups, g.in_channels // g.groups, *g.input)
    return x.astype(_wide(x)).reshape(shape)


def _grouped_output(g: ConvGeometry, y: Array) -> Array:
    """(N, K, OH, OW) -> (N, groups, K/groups, OD, OH, OW) in a wide dtype."""
    shape = (g.batch, g.groups, g.out_channels // g.groups, *g.output)
    return y.astype(_wide(y)).reshape(shape)


def _grouped_weight(g: ConvGeometry, weight: Array) -> Array:
    """(K, C/groups, R, S) -> (groups, K/groups, C/groups, KD, R, S) in a wide dtype."""
    shape = (g.groups, g.out_channels // g.groups, g.in_channels // g.groups, *g.kernel)
    return weight.astype(_wide(weight)).reshape(shape)
