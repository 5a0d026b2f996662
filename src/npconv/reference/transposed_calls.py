"""What the reference transposed convolutions of one, two and three dimensions share.

The geometry is that of the convolution that is transposed: what a transposed convolution reads
are that one's outputs, and what it makes are that one's inputs.
"""

from __future__ import annotations

from typing import Any

from npconv import checks, geometry, layouts
from npconv.checks import TRANSPOSED_WEIGHT_AXES, Array
from npconv.number_types import computed_dtype, fits_options, sum_dtype
from npconv.reference.convolution_calls import (
    collect,
    correlate,
    finish,
    spread,
    widened,
)
from npconv.reference.delivery import deliver, gradient, quiet

_OPERATION = "transposed convolution"


def forward(
    ndim: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    padding_mode: Any,
    layout: Any,
    activation: Any,
    add: Any,
    precision: Any,
    out: Any,
) -> Array:
    """Transposed convolution of ``ndim`` spatial dimensions."""
    last = checks.channels_last(layout, ndim)
    checks.zeros_around(padding_mode)
    checks.choice(precision, "precision", ("standard", "strict"))
    name, slope = checks.activation(activation)
    x, batched = checks.batched(x, "x", ndim, last)
    weight = checks.weight(weight, ndim, TRANSPOSED_WEIGHT_AXES)
    g = geometry.transposed_geometry(
        ndim, x.shape, weight.shape, stride, padding, output_padding, dilation, groups
    )
    if bias is not None:
        bias = checks.array(bias, "bias")
        checks.same_shape(bias, "bias", (g.in_channels,), "one for each output channel")
    shape = layouts.shape_given(g.input_shape, batched, last)
    if add is not None:
        add = checks.array(add, "add")
        checks.same_shape(add, "add", shape, f"the shape of this {_OPERATION}'s output")
    dtype = sum_dtype(x=x, weight=weight, bias=bias, add=add)
    if out is not None:
        checks.output(out, shape, dtype, x=x, weight=weight, bias=bias, add=add)
    fits_options(dtype, "auto", name, False)
    x, weight, bias = widened(dtype, x, weight, bias)
    sums = spread(g, x, weight)
    if bias is not None:
        sums = _add_bias(sums, bias)
    y = layouts.channels_last(sums.reshape(g.input_shape), last)
    y = deliver(y, shape, computed_dtype(dtype))
    return deliver(finish(y, add, name, slope), shape, dtype, out)


@quiet
def _add_bias(sums: Array, bias: Array) -> Array:
    """To (N, groups, K/groups, D, H, W)."""
    total: Array = sums + bias.astype(sums.dtype).reshape(sums.shape[1], -1, 1, 1, 1)
    return total


def input_grad(
    ndim: int,
    grad: Any,
    weight: Any,
    input_shape: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    padding_mode: Any,
    layout: Any,
    precision: Any,
) -> Array:
    """Gradient by the input."""
    last = checks.channels_last(layout, ndim)
    checks.zeros_around(padding_mode)
    checks.choice(precision, "precision", ("standard", "strict"))
    shape, batched = checks.input_shape(input_shape, ndim, last)
    weight = checks.weight(weight, ndim, TRANSPOSED_WEIGHT_AXES)
    g = geometry.transposed_geometry(
        ndim, shape, weight.shape, stride, padding, output_padding, dilation, groups,
        input_name="input_shape",
    )  # fmt: skip
    grad = gradient(grad, layouts.shape_given(g.input_shape, batched, last), _OPERATION)
    grad = layouts.channels_first(grad, batched, last)
    dtype = sum_dtype(grad=grad, weight=weight)
    grad, weight, _ = widened(dtype, grad, weight)
    dx = correlate(g, grad, weight.conj(), None).reshape(shape)
    given = layouts.shape_given(shape, batched, last)
    return deliver(layouts.channels_last(dx, last), given, dtype)


def weight_grad(
    ndim: int,
    grad: Any,
    x: Any,
    weight_shape: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    padding_mode: Any,
    layout: Any,
    precision: Any,
) -> Array:
    """Gradient by the weight."""
    last = checks.channels_last(layout, ndim)
    checks.zeros_around(padding_mode)
    checks.choice(precision, "precision", ("standard", "strict"))
    x, batched = checks.batched(x, "x", ndim, last)
    axes = TRANSPOSED_WEIGHT_AXES[ndim]
    shape = checks.shape(weight_shape, "weight_shape", (ndim + 2,), axes)
    g = geometry.transposed_geometry(
        ndim, x.shape, shape, stride, padding, output_padding, dilation, groups,
        weight_name="weight_shape",
    )  # fmt: skip
    grad = gradient(grad, layouts.shape_given(g.input_shape, batched, last), _OPERATION)
    grad = layouts.channels_first(grad, batched, last)
    dtype = sum_dtype(grad=grad, x=x)
    x, grad, _ = widened(dtype, x, grad)
    return deliver(collect(g, x.conj(), grad), shape, dtype)


def backward(
    ndim: int,
    grad: Any,
    x: Any,
    weight: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    needs: Any,
    padding_mode: Any,
    layout: Any,
    precision: Any,
) -> tuple[Array | None, Array | None, Array | None]:
    """Gradients by input, weight and bias; None where ``needs`` is False."""
    last = checks.channels_last(layout, ndim)
    checks.zeros_around(padding_mode)
    checks.choice(precision, "precision", ("standard", "strict"))
    needs_x, needs_weight, needs_bias = checks.three_flags(needs)
    x, batched = checks.batched(x, "x", ndim, last)
    weight = checks.weight(weight, ndim, TRANSPOSED_WEIGHT_AXES)
    g = geometry.transposed_geometry(
        ndim, x.shape, weight.shape, stride, padding, output_padding, dilation, groups
    )
    grad = gradient(grad, layouts.shape_given(g.input_shape, batched, last), _OPERATION)
    grad = layouts.channels_first(grad, batched, last)
    dtype = sum_dtype(grad=grad, x=x, weight=weight)
    grad, x, wide = widened(dtype, grad, x, weight)
    assert wide is not None
    dx = dweight = dbias = None
    if needs_x:
        dx = correlate(g, grad, wide.conj(), None).reshape(g.output_shape)
        shape = layouts.shape_given(g.output_shape, batched, last)
        dx = deliver(layouts.channels_last(dx, last), shape, dtype)
    if needs_weight:
        dweight = deliver(collect(g, x.conj(), grad), weight.shape, dtype)
    if needs_bias:
        dbias = deliver(_bias_grad(grad.reshape(g.input_shape)), (g.in_channels,), dtype)
    return dx, dweight, dbias


@quiet
def _bias_grad(grad: Array) -> Array:
    """Sum (N, K, ...) over all axes but the second."""
    dbias: Array = grad.sum(axis=(0, *range(2, grad.ndim)))
    return dbias
