"""What the convolutions of one, two and three dimensions share.

``prepare_*`` check everything and touch no element, so that :func:`npconv.explain` can stop after
them; ``run_*`` compute what they checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from npconv import checks, layouts
from npconv.border import bordered
from npconv.checks import Array
from npconv.functional import convolution_stages as stages
from npconv.geometry import ConvGeometry, conv_geometry
from npconv.number_types import fits_options, is_half, sum_dtype
from npconv.prepared import PreparedWeight
from npconv.runtime import Options, native, options

_OUTPUT = "the shape of this convolution's output"

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
    mode = checks.padding_mode(padding_mode)
    last = checks.channels_last(layout, ndim)
    how = layouts.told(options(algorithm, isa, num_threads, precision), last)
    after = checks.activation(activation)
    images, batched = checks.batched(x, "x", ndim, last)
    prepared = weight if isinstance(weight, PreparedWeight) else None
    filters = checks.weight(weight, ndim)
    geometry = conv_geometry(ndim, images.shape, filters.shape, stride, padding, dilation, groups)
    offsets = None
    if bias is not None:
        offsets = checks.array(bias, "bias")
        checks.same_shape(offsets, "bias", filters.shape[:1], "one for each output channel")
    shape = layouts.shape_given(geometry.output_shape, batched, last)
    addend = None
    if add is not None:
        addend = checks.array(add, "add")
        checks.same_shape(addend, "add", shape, _OUTPUT)
    dtype = sum_dtype(x=images, weight=filters, bias=offsets, add=addend)
    fits_options(dtype, algorithm, after[0], prepared is not None)
    geometry, border = bordered(geometry, mode)
    if prepared is not None:
        how = prepared.fitted(geometry, dtype, how, algorithm, isa)
    if out is not None:
        out = checks.output(out, shape, dtype, addend, x=images, weight=filters, bias=offsets)
    if addend is not None:
        addend = layouts.channels_first(addend, batched, last)
    made = None if prepared is None else prepared.made
    operands = (images, filters, offsets, after, addend, made, border)
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
    mode = checks.padding_mode(padding_mode)
    last = checks.channels_last(layout, ndim)
    how = layouts.told(options(algorithm, isa, num_threads, precision), last)
    shape, batched = checks.input_shape(input_shape, ndim, last)
    filters = checks.weight(weight, ndim)
    geometry = conv_geometry(
        ndim, shape, filters.shape, stride, padding, dilation, groups, input_name="input_shape"
    )
    errors = _output_grad(grad, geometry, batched, last)
    dtype = sum_dtype(grad=errors, weight=filters)
    fits_options(dtype, algorithm, None, False)
    geometry, border = bordered(geometry, mode, "input_shape")
    shape = layouts.shape_given(shape, batched, last)
    return geometry, dtype, how, (errors, filters, border), shape, batched, None


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
    mode = checks.padding_mode(padding_mode)
    last = checks.channels_last(layout, ndim)
    how = layouts.told(options(algorithm, isa, num_threads, precision), last)
    images, batched = checks.batched(x, "x", ndim, last)
    shape = checks.shape(weight_shape, "weight_shape", (ndim + 2,), checks.WEIGHT_AXES[ndim])
    geometry = conv_geometry(
        ndim, images.shape, shape, stride, padding, dilation, groups, weight_name="weight_shape"
    )
    errors = _output_grad(grad, geometry, batched, last)
    dtype = sum_dtype(grad=errors, x=images)
    fits_options(dtype, algorithm, None, False)
    geometry, border = bordered(geometry, mode)
    return geometry, dtype, how, (errors, images, border), shape, True, None


def run_forward(plan: Plan) -> Array:
    """Compute a checked forward call."""
    geometry, dtype, how, operands, shape, batched, out = plan
    x, weight, bias, (activation, slope), add, prepared, border = operands
    y = native.empty(shape, dtype) if out is None else out
    target = layouts.target(y, batched, how)
    stages.forward(
        geometry, border, dtype, x, weight, bias, target, how, activation, slope, add, prepared
    )
    return y


def forward_again(plan: Plan) -> Callable[[Array, Array, Array | None], None]:
    """Make a function of x, y and what is added that runs a checked forward call on other arrays.

    They have the shapes and dtype of those that were checked, each with its batch axis; the weight,
    the bias and what follows the sum stay the same.
    """
    geometry, dtype, how, operands, *_ = plan
    _, weight, bias, (activation, slope), _, prepared, border = operands
    staged = border is not None and is_half(operands[0].dtype)
    if staged or dtype not in (np.float32, np.float64):

        def run(x: Array, y: Array, add: Array | None) -> None:
            stages.forward(
                geometry, border, dtype, x, weight, bias, y, how, activation, slope, add, prepared
            )

        return run

    filters = checks.settled(weight, dtype)
    offsets = None if bias is None else checks.settled(bias, dtype)
    conv_forward = native.conv_forward

    def run_at_once(x: Array, y: Array, add: Array | None) -> None:
        conv_forward(
            geometry, x, filters, offsets, y, how, activation, slope, add, prepared, border
        )

    return run_at_once


def run_input_grad(plan: Plan) -> Array:
    """Compute the input's gradient."""
    geometry, dtype, how, (grad, weight, border), shape, batched, _ = plan
    dx = native.empty(shape, dtype)
    target = layouts.target(dx, batched, how)
    stages.input_grad(geometry, border, dtype, grad, weight, target, how)
    return dx


def run_weight_grad(plan: Plan, dbias: Array | None = None) -> Array:
    """Compute the weight's gradient, and that of the bias where one is given."""
    geometry, dtype, how, (grad, x, border), shape, _, _ = plan
    dweight = native.empty(shape, dtype)
    stages.weight_grad(geometry, border, dtype, grad, x, dweight, how, dbias)
    return dweight


def run_backward(
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
    """Check a call for the gradients that are needed, and compute them."""
    mode = checks.padding_mode(padding_mode)
    last = checks.channels_last(layout, ndim)
    how = layouts.told(options(algorithm, isa, num_threads, precision), last)
    need_dx, need_dweight, need_dbias = checks.three_flags(needs)
    images, batched = checks.batched(x, "x", ndim, last)
    filters = checks.weight(weight, ndim)
    geometry = conv_geometry(ndim, images.shape, filters.shape, stride, padding, dilation, groups)
    errors = _output_grad(grad, geometry, batched, last)
    dtype = sum_dtype(grad=errors, x=images, weight=filters)
    fits_options(dtype, algorithm, None, False)
    shape = layouts.shape_given(geometry.input_shape, batched, last)
    geometry, border = bordered(geometry, mode)
    dx = dweight = dbias = None
    if need_dx:
        dx = run_input_grad((geometry, dtype, how, (errors, filters, border), shape, batched, None))
    if need_dbias:
        dbias = native.empty((geometry.out_channels,), dtype)
    if need_dweight:
        operands = (errors, images, border)
        plan = (geometry, dtype, how, operands, filters.shape, True, None)
        dweight = run_weight_grad(plan, dbias)
    elif dbias is not None:
        stages.bias_grad(geometry, dtype, errors, dbias, how)
    return dx, dweight, dbias


def _output_grad(grad: object, geometry: ConvGeometry, batched: bool, last: bool) -> Array:
    """``grad`` with a batch axis, if it has the shape of the output."""
    checked = checks.array(grad, "grad")
    expected = layouts.shape_given(geometry.output_shape, batched, last)
    checks.same_shape(checked, "grad", expected, _OUTPUT)
    return layouts.channels_first(checked, batched, last)
