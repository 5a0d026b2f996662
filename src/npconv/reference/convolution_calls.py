"""What the reference convolutions of one, two and three dimensions share: their definition."""

from __future__ import annotations

from typing import Any

import numpy as np

from npconv import checks, geometry
from npconv.checks import Array
from npconv.geometry import ConvGeometry
from npconv.reference.delivery import deliver, gradient, quiet
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
    checks.built_options(padding_mode, layout, ndim)
    checks.choice(precision, "precision", ("standard", "strict"))
    name, slope = checks.activation(activation)
    x, batched = checks.batched(x, "x", ndim)
    weight = checks.weight(weight, ndim)
    g = geometry.conv_geometry(ndim, x.shape, weight.shape, stride, padding, dilation, groups)
    if bias is not None:
        bias = checks.array(bias, "bias")
        checks.same_shape(bias, "bias", weight.shape[:1], "one for each output channel")
    shape = g.output_shape[not batched :]
    if add is not None:
        add = checks.array(add, "add")
        checks.same_shape(add, "add", shape, "the shape of this convolution's output")
    dtype = checks.float_dtype(x=x, weight=weight, bias=bias, add=add)
    if out is not None:
        checks.output(out, shape, dtype, add, x=x, weight=weight, bias=bias)
    y = deliver(correlate(g, x, weight, bias), shape, dtype)
    return deliver(finish(y, add, name, slope), shape, dtype, out)


@quiet
def correlate(g: ConvGeometry, x: Array, weight: Array, bias: Array | None) -> Array:
    """Sum, for each output, what lies under the taps."""
    x, weight = _grouped_input(g, x), _grouped_weight(g, weight)
    y = np.zeros((g.batch, g.groups, g.out_channels // g.groups, *g.output))
    for tap in taps(g):
        y[tap.outputs] += np.einsum("ngc...,gkc->ngk...", x[tap.inputs], weight[tap.position])
    if bias is not None:
        y += bias.astype(np.float64).reshape(g.groups, -1, 1, 1, 1)
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
    checks.built_options(padding_mode, layout, ndim)
    checks.choice(precision, "precision", ("standard", "strict"))
    shape, batched = checks.input_shape(input_shape, ndim)
    weight = checks.weight(weight, ndim)
    g = geometry.conv_geometry(
        ndim, shape, weight.shape, stride, padding, dilation, groups, input_name="input_shape"
    )
    grad = gradient(grad, g.output_shape[not batched :], "convolution")
    dtype = checks.float_dtype(grad=grad, weight=weight)
    return deliver(spread(g, grad, weight), shape[not batched :], dtype)


@quiet
def spread(g: ConvGeometry, grad: Array, weight: Array) -> Array:
    """Send each output, times the weight of each tap, to the input under the tap."""
    grad, weight = _grouped_output(g, grad), _grouped_weight(g, weight)
    dx = np.zeros((g.batch, g.groups, g.in_channels // g.groups, *g.input))
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
    checks.built_options(padding_mode, layout, ndim)
    checks.choice(precision, "precision", ("standard", "strict"))
    x, batched = checks.batched(x, "x", ndim)
    shape = checks.shape(weight_shape, "weight_shape", (ndim + 2,), checks.WEIGHT_AXES[ndim])
    g = geometry.conv_geometry(
        ndim, x.shape, shape, stride, padding, dilation, groups, weight_name="weight_shape"
    )
    grad = gradient(grad, g.output_shape[not batched :], "convolution")
    dtype = checks.float_dtype(grad=grad, x=x)
    return deliver(collect(g, grad, x), shape, dtype)


@quiet
def collect(g: ConvGeometry, grad: Array, x: Array) -> Array:
    """Sum, for each tap, the inputs that it met times the outputs it met them for."""
    grad, x = _grouped_output(g, grad), _grouped_input(g, x)
    shape = (g.groups, g.out_channels // g.groups, g.in_channels // g.groups)
    dweight = np.zeros((*shape, *g.kernel))
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
    checks.built_options(padding_mode, layout, ndim)
    checks.choice(precision, "precision", ("standard", "strict"))
    needs_x, needs_weight, needs_bias = three_flags(needs)
    x, batched = checks.batched(x, "x", ndim)
    weight = checks.weight(weight, ndim)
    g = geometry.conv_geometry(ndim, x.shape, weight.shape, stride, padding, dilation, groups)
    grad = gradient(grad, g.output_shape[not batched :], "convolution")
    dtype = checks.float_dtype(grad=grad, x=x, weight=weight)
    dx = dweight = dbias = None
    if needs_x:
        dx = deliver(spread(g, grad, weight), g.input_shape[not batched :], dtype)
    if needs_weight:
        dweight = deliver(collect(g, grad, x), weight.shape, dtype)
    if needs_bias:
        dbias = deliver(_bias_grad(g, grad), weight.shape[:1], dtype)
    return dx, dweight, dbias


def three_flags(needs: Any) -> list[bool]:
    """Check which of the gradients are needed."""
    if not isinstance(needs, (tuple, list)) or len(needs) != 3:
        raise ValueError(
            f"needs must be three bools (dx, dweight, dbias), got {checks.show(needs)}"
        )
    return [checks.flag(item, "needs") for item in needs]


@quiet
def _bias_grad(g: ConvGeometry, grad: Array) -> Array:
    dbias: Array = _grouped_output(g, grad).sum(axis=(0, 3, 4, 5))
    return dbias


def _grouped_input(g: ConvGeometry, x: Array) -> Array:
    """(N, C, H, W) -> (N, groups, C/groups, D, H, W) in float64."""
    shape = (g.batch, g.groups, g.in_channels // g.groups, *g.input)
    return x.astype(np.float64).reshape(shape)


def _grouped_output(g: ConvGeometry, y: Array) -> Array:
    """(N, K, OH, OW) -> (N, groups, K/groups, OD, OH, OW) in float64."""
    shape = (g.batch, g.groups, g.out_channels // g.groups, *g.output)
    return y.astype(np.float64).reshape(shape)


def _grouped_weight(g: ConvGeometry, weight: Array) -> Array:
    """(K, C/groups, R, S) -> (groups, K/groups, C/groups, KD, R, S) in float64."""
    shape = (g.groups, g.out_channels // g.groups, g.in_channels // g.groups, *g.kernel)
    return weight.astype(np.float64).reshape(shape)
